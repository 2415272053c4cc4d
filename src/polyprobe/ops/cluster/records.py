"""dvc.lock and the uncached outputs: what the main workspace knows of each stage, and what finished ones add."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.cluster.assignments import Files, Outcome
from polyprobe.ops.cluster.graph import Pipeline
from polyprobe.ops.cluster.uncached_outputs import read_outputs, write_outputs
from polyprobe.ops.dvc_internals import (
    DvcException,
    Repo,
    collect_stages,
    dump_yaml,
    get_active_graph,
    load_yaml,
    lock_repo,
    plan_repro,
)
from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.files import new_file

LOCK: Final = Path("dvc.lock")


class Records:
    """The main workspace's, in the current folder."""

    def __init__(self, targets: Sequence[str]) -> None:
        """Read them, and DVC's own graph.

        Args:
            targets: stages or groups of stages, as `dvc repro` takes them: only they and what they wait for is in the
                pipeline then. All where there are none.

        Raises:
            BadInputError: this is no DVC repository, one of its files is not valid, or a target is none.
        """
        try:
            with Repo() as repo:
                graph = get_active_graph(repo.index.graph)
                wanted = plan_repro(graph, collect_stages(repo, targets) if targets else None)
                everything = plan_repro(repo.index.graph)
                self.autostage = bool(repo.config["core"].get("autostage"))
                self.cache = Path(repo.cache.local_cache_dir)
        except DvcException as error:
            raise BadInputError(f"dvc.yaml: {one_line(error)}") from None
        upstream = {_address(stage): frozenset(map(_address, graph.successors(stage))) for stage in wanted}
        self.pipeline = Pipeline(dict(sorted(upstream.items())))
        self.uncached = {
            _address(stage): tuple(os.path.relpath(out.fs_path) for out in stage.outs if not out.use_cache)
            for stage in everything
        }
        """The paths of each stage's outputs that the cache does not hold, of the pipeline or not."""
        self._lock = read_lock()
        # Where `dvc repro` of everything would put a stage in dvc.lock.
        self._order = [*self._lock, *self.uncached]

    def restorable(self) -> tuple[str, ...]:
        """Return the stages that have not changed since they ran, but whose outputs are not all here."""
        with _locked_repository() as repo:
            return tuple(
                _address(stage)
                for stage in repo.index.stages
                if _address(stage) in self.pipeline.upstream
                and any(not out.exists for out in stage.outs)
                and not stage.changed(allow_missing=True)
            )

    def up_to_date(self) -> frozenset[str]:
        """Return the stages that are, as everything upstream of them is; their cached outputs are in the cache."""
        with _locked_repository() as repo:
            unchanged = self.pipeline.upstream.keys() & {
                _address(stage)
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

    def add(self, stage: str, outcome: Outcome, *, cached: bool) -> None:
        """Write what a stage that finished elsewhere left, as `dvc repro` here would have.

        Args:
            stage: its address.
            outcome: its entry for dvc.lock, and its uncached outputs.
            cached: whether the others are in the main workspace's cache.
        """
        with _locked_repository() as repo:
            write_outputs(Path(), outcome.files)
            stages = read_lock() | {stage: outcome.lock}
            self._lock = {name: stages[name] for name in dict.fromkeys(self._order) if name in stages}
            write_lock(Path().absolute(), self._lock)
            if cached:
                repo.checkout([stage], force=True, allow_missing=True)


def read_lock(folder: Path = Path()) -> dict[str, Any]:
    """Return the stages' entries of a folder's dvc.lock; none where there is no such file."""
    path = folder / LOCK
    return dict(load_yaml(path).get("stages", {})) if path.exists() else {}


def write_lock(folder: Path, stages: dict[str, Any]) -> None:
    """Write a folder's dvc.lock."""
    with new_file(folder / LOCK) as temporary:
        dump_yaml(temporary, {"schema": "2.0", "stages": stages})


def _address(stage: Any) -> str:
    return str(stage.addressing)


@contextmanager
def _locked_repository() -> Iterator[Any]:
    """Open DVC's repository with the lock that every dvc command holds while it changes these files."""
    with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
        yield repo
