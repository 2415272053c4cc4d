"""dvc.lock and the uncached outputs: what the main workspace knows of each stage, and what finished ones add."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.cluster.files import read_files, write_files
from polyprobe.ops.cluster.graph import Pipeline
from polyprobe.ops.cluster.orders import Files
from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.files import new_file

LOCK: Final = Path("dvc.lock")


class Records:
    """The main workspace's, in the current folder."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Reads them.

        Args:
            pipeline: the stages to know of.

        Raises:
            BadInputError: dvc.lock is not what DVC writes, or the DVC repository is not the git repository's root.
        """
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
        from dvc.repo.reproduce import plan_repro

        self.pipeline = pipeline
        self._lock = read_lock()
        self._in_lock = tuple(self._lock)
        try:
            with Repo() as repo:
                if Path(repo.root_dir) != Path.cwd():
                    raise BadInputError(f"{repo.root_dir}: expected to be called there, at the repository's root")
                index = {str(stage.addressing): stage for stage in repo.index.stages}
                self._plan = tuple(str(stage.addressing) for stage in plan_repro(repo.index.graph))
                outputs = {
                    address: tuple(
                        Path(os.path.relpath(out.fs_path)).as_posix() for out in stage.outs if not out.use_cache
                    )
                    for address, stage in index.items()
                }
                self.uncached = {address: outputs[address] for address in pipeline.upstream}
                """The paths of each stage's outputs that the cache does not hold."""
                self.all_uncached = tuple(sorted(path for paths in outputs.values() for path in paths))
                """Those of every stage, of the pipeline or not."""
                # What is an output, and no metrics or plots, keeps DVC from putting its stage into the run-cache.
                self._not_in_run_cache = frozenset(
                    address
                    for address, stage in index.items()
                    if any(not (out.use_cache or out.is_metric or out.is_plot) for out in stage.outs)
                )
                self.autostage = bool(repo.config["core"].get("autostage"))
                self.cache = Path(repo.cache.local_cache_dir)
        except DvcException as error:
            raise BadInputError(f"{LOCK}: {one_line(error)}") from None

    def recoverable(self) -> tuple[str, ...]:
        """The stages that have not changed since they ran, but whose outputs are not all here."""
        from dvc.repo import Repo, lock_repo

        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            return tuple(
                str(stage.addressing)
                for stage in repo.index.stages
                if str(stage.addressing) in self.pipeline.upstream
                and any(not out.exists for out in stage.outs)
                and not stage.changed(allow_missing=True)
            )

    def settled(self) -> frozenset[str]:
        """The stages that are up to date, as everything upstream of them is; their cached outputs are in the cache."""
        from dvc.repo import Repo, lock_repo

        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            unchanged = {
                str(stage.addressing)
                for stage in repo.index.stages
                if not stage.changed() and not any(out.use_cache and out.changed_cache() for out in stage.outs)
            }
        settled = unchanged & self.pipeline.upstream.keys()
        return frozenset(stage for stage in settled if self.pipeline.ancestors(stage) <= settled)

    def entries(self, stages: Iterable[str]) -> dict[str, Any]:
        """The stages' entries in dvc.lock, of those that have one."""
        return {stage: self._lock[stage] for stage in sorted(stages) if stage in self._lock}

    def files(self, stages: Iterable[str]) -> Files:
        """The stages' uncached outputs as they are."""
        return read_files(Path(), tuple(path for stage in sorted(stages) for path in self.uncached[stage]))

    def add(self, finished: dict[str, Any], files: Files, *, cached: bool) -> None:
        """Writes what stages that finished elsewhere left, as `dvc repro` here would have.

        Of their outputs in the cache only those come here now that `dvc repro` could not restore: if this process is
        killed, nothing is run twice.

        Args:
            finished: the stages' entries for dvc.lock.
            files: their uncached outputs.
            cached: whether the others are in the main workspace's cache.
        """
        from dvc.repo import Repo, lock_repo
        from dvc.utils.serialize import dump_yaml, load_yaml

        # The lock that every dvc command holds while it changes these files.
        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            write_files(Path(), files)
            document: dict[str, Any] = load_yaml(LOCK) if LOCK.exists() else {"schema": "2.0"}
            stages = document.get("stages", {}) | finished
            # Where `dvc repro` of everything would have put them, not in the order of the finishes.
            order = [*(name for name in self._in_lock if name in stages), *(n for n in self._plan if n in stages)]
            document["stages"] = self._lock = {name: stages[name] for name in dict.fromkeys([*order, *stages])}
            with new_file(LOCK.absolute()) as temporary:
                dump_yaml(temporary, document)
            if cached and (here := sorted(self._not_in_run_cache & finished.keys())):
                repo.checkout(here, force=True, allow_missing=True)

    def tracked(self, stages: Sequence[str]) -> list[str]:
        """The paths that git holds of what the stages write, dvc.lock among them."""
        return [str(LOCK), *sorted(path for stage in stages for path in self.uncached[stage] if Path(path).exists())]


def read_lock(folder: Path = Path()) -> dict[str, Any]:
    """The stages' entries of a folder's dvc.lock; none where there is no such file.

    Raises:
        BadInputError: it is not what DVC writes.
    """
    from dvc.utils.serialize import YAMLFileCorruptedError, load_yaml

    path = folder / LOCK
    try:
        document = load_yaml(path) if path.exists() else {}
    except YAMLFileCorruptedError as error:
        raise BadInputError(f"{path}: {one_line(error)}; `git checkout {LOCK}` brings the last") from None
    if not isinstance(document, dict) or not isinstance(document.get("stages", {}), dict):
        raise BadInputError(f"{path}: expected `stages:`; `git checkout {LOCK}` brings the last one back")
    return dict(document.get("stages", {}))
