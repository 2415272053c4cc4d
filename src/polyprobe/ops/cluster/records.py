"""dvc.lock and the uncached outputs: what the main workspace knows of each stage, and what finished ones add."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.cluster.assignments import Files
from polyprobe.ops.cluster.graph import Pipeline
from polyprobe.ops.cluster.uncached_outputs import read_outputs, write_outputs
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

LOCK: Final = Path("dvc.lock")


class Records:
    """The main workspace's, in the current folder."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Read them.

        Args:
            pipeline: the stages to know of.

        Raises:
            BadInputError: the DVC repository is not the git repository's root.
        """
        from dvc.repo import Repo
        from dvc.repo.reproduce import plan_repro

        self.pipeline = pipeline
        self._lock = read_lock()
        with Repo() as repo:
            if Path(repo.root_dir) != Path.cwd():
                raise BadInputError(f"{repo.root_dir}: expected to be called there, at the repository's root")
            outs = {str(stage.addressing): stage.outs for stage in repo.index.stages}
            planned = [str(stage.addressing) for stage in plan_repro(repo.index.graph)]
            self.autostage = bool(repo.config["core"].get("autostage"))
            self.cache = Path(repo.cache.local_cache_dir)
        # Where `dvc repro` of everything would put a stage in dvc.lock.
        self._order = list(dict.fromkeys([*self._lock, *planned]))
        self.uncached = {
            address: tuple(Path(os.path.relpath(out.fs_path)).as_posix() for out in found if not out.use_cache)
            for address, found in outs.items()
        }
        """The paths of each stage's outputs that the cache does not hold, of the pipeline or not."""
        # What is an output, and no metrics or plots, keeps DVC from putting its stage into the run-cache.
        self._not_in_run_cache = {
            address
            for address, found in outs.items()
            if any(not (out.use_cache or out.is_metric or out.is_plot) for out in found)
        }

    def restorable(self) -> tuple[str, ...]:
        """Return the stages that have not changed since they ran, but whose outputs are not all here."""
        with _locked_repository() as repo:
            return tuple(
                str(stage.addressing)
                for stage in repo.index.stages
                if str(stage.addressing) in self.pipeline.upstream
                and any(not out.exists for out in stage.outs)
                and not stage.changed(allow_missing=True)
            )

    def up_to_date(self) -> frozenset[str]:
        """Return the stages that are, as everything upstream of them is; their cached outputs are in the cache."""
        with _locked_repository() as repo:
            unchanged = self.pipeline.upstream.keys() & {
                str(stage.addressing)
                for stage in repo.index.stages
                if not stage.changed() and not any(out.use_cache and out.changed_cache() for out in stage.outs)
            }
        return frozenset(stage for stage in unchanged if self.pipeline.ancestors(stage) <= unchanged)

    def entries(self, stages: Iterable[str]) -> dict[str, Any]:
        """Return the stages' entries in dvc.lock, of those that have one."""
        return {stage: self._lock[stage] for stage in sorted(stages) if stage in self._lock}

    def files(self, stages: Iterable[str]) -> Files:
        """Return the stages' uncached outputs as they are."""
        return read_outputs(Path(), tuple(path for stage in sorted(stages) for path in self.uncached[stage]))

    def add(self, finished: dict[str, Any], files: Files, *, cached: bool) -> None:
        """Write what stages that finished elsewhere left, as `dvc repro` here would have.

        Of their outputs in the cache only those come here now that `dvc repro` could not restore: if this process is
        killed, nothing is run twice.

        Args:
            finished: the stages' entries for dvc.lock.
            files: their uncached outputs.
            cached: whether the others are in the main workspace's cache.
        """
        with _locked_repository() as repo:
            write_outputs(Path(), files)
            stages = read_lock() | finished
            in_order = [name for name in self._order if name in stages]
            self._lock = {name: stages[name] for name in dict.fromkeys([*in_order, *stages])}
            write_lock(Path().absolute(), self._lock)
            if cached and (only_here := sorted(self._not_in_run_cache & finished.keys())):
                repo.checkout(only_here, force=True, allow_missing=True)


def read_lock(folder: Path = Path()) -> dict[str, Any]:
    """Return the stages' entries of a folder's dvc.lock; none where there is no such file."""
    from dvc.utils.serialize import load_yaml

    path = folder / LOCK
    return dict(load_yaml(path).get("stages", {})) if path.exists() else {}


def write_lock(folder: Path, stages: dict[str, Any]) -> None:
    """Write a folder's dvc.lock."""
    from dvc.utils.serialize import dump_yaml

    with new_file(folder / LOCK) as temporary:
        dump_yaml(temporary, {"schema": "2.0", "stages": stages})


@contextmanager
def _locked_repository() -> Iterator[Any]:
    """Open DVC's repository with the lock that every dvc command holds while it changes these files."""
    from dvc.repo import Repo, lock_repo

    with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
        yield repo
