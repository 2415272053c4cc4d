"""A whole run: what is to be done, by whom, and the main workspace at the end as after a plain `dvc repro`."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from polyprobe.ops.cluster import coordinator, graph, workers, workplaces
from polyprobe.ops.cluster.coordinator import Coordinator, Report
from polyprobe.ops.cluster.orders import Clone
from polyprobe.ops.cluster.records import Records
from polyprobe.ops.cluster.seconds import expected_seconds
from polyprobe.running.errors import BadInputError
from polyprobe.running.scratch import scratch_root
from polyprobe.study import load_study


@dataclass(frozen=True)
class Wishes:
    """How to run it."""

    cluster: str | None
    """`local` or one of `workers.QUEUES`; None to join the scheduler at `scheduler`."""
    scheduler: str | None
    count: int
    """Workers."""
    gpus: int
    """Workers with a GPU among them."""
    jobs: workers.Jobs
    """What a batch system's jobs ask for."""
    worktrees: Path | None
    """The folder for the workers' worktrees or clones."""
    carried: tuple[str, ...]
    """Ignored inputs to take along, beside `workplaces.CARRIED`."""
    clones: bool
    """Whether the workers share no file system with this workspace."""
    remote: str | None
    """The DVC remote that clones use; None for the default one."""
    clone_from: str | None
    """The git repository that they clone; None for the remote `origin`."""
    retries: int


def repro(targets: Sequence[str], wishes: Wishes) -> int:
    """Brings stages of the current folder's repository up to date.

    Args:
        targets: as `dvc repro` takes them; everything where there are none.
        wishes: how.

    Returns:
        The exit code: 1 where a stage failed.

    Raises:
        BadInputError: something that was asked for is not to be had, or the workspace is not committed.
    """
    home = (scratch_root() / "cluster").absolute()
    for path in wishes.carried:
        if Path(path).is_absolute() or ".." in Path(path).parts or not Path(path).exists():
            raise BadInputError(f"--carry {path}: expected a path in this workspace")
    with coordinator.only_one(), ExitStack() as stack:
        records = Records(graph.pipeline(targets))
        commit = workplaces.committed(records.all_uncached)
        workplaces.prune()
        logs = home / time.strftime("%Y%m%d-%H%M%S")
        logs.mkdir(parents=True, exist_ok=True)
        clone = _clone(wishes)
        # What a run had finished that was killed.
        coordinator.bring_here(
            records, records.recoverable(), logs, clone.remote if clone else None, allow_missing=True
        )
        settled = records.settled()
        print(f"{len(records.pipeline.upstream)} stages, {len(settled)} of them up to date", flush=True)
        if len(settled) == len(records.pipeline.upstream):
            return 0
        if clone:
            coordinator.send(records, settled, logs, clone.remote)
        worktrees = None
        if not clone:
            worktrees = workplaces.Worktrees(
                wishes.worktrees or home / "worktrees",
                commit,
                workplaces.settings_of_worktrees(records.cache),
                wishes.carried,
            )
            stack.callback(worktrees.close)
        report = _run(records, wishes, settled, commit=commit, logs=logs, worktrees=worktrees, clone=clone)
        coordinator.bring_here(records, [*report.ran, *report.restored], logs, clone.remote if clone else None)
        lost = f", lost with their workers: {len(report.lost)}" if report.lost else ""
        print(f"stages run: {len(report.ran)}, restored: {len(report.restored)}{lost}; logs: {logs}", flush=True)
        if report.failures:
            _tell(report)
            return 1
        told = coordinator.dvc(["repro", *targets], logs / "restore.log")
        here = [line.split("'")[1] for line in told.splitlines() if line.startswith("Running stage '")]
        if here:
            print(f"run once more, here: {', '.join(here)}; {logs / 'restore.log'} tells")
        return 0


def _run(
    records: Records,
    wishes: Wishes,
    settled: frozenset[str],
    *,
    commit: str,
    logs: Path,
    worktrees: workplaces.Worktrees | None,
    clone: Clone | None,
) -> Report:
    with _crew(wishes, logs) as crew:
        elsewhere = wishes.cluster != "local"
        if wishes.scheduler:
            # What a coordinator that was killed had handed out.
            coordinator.stop_all(crew, (), elsewhere=True)
        run = Coordinator(
            records,
            crew,
            commit=commit,
            expected=_expected(
                records.pipeline, gpu=wishes.gpus > 0 or any(worker.gpu for worker in crew.living().values())
            ),
            logs=logs,
            retries=wishes.retries,
            worktrees=worktrees,
            clone=clone,
            clones=str(wishes.worktrees.absolute()) if wishes.worktrees else "",
        )
        try:
            return run.run(settled)
        finally:
            coordinator.stop_all(crew, run.folders(), elsewhere=elsewhere or clone is not None)


@contextmanager
def _crew(wishes: Wishes, logs: Path) -> Iterator[workers.Crew]:
    if wishes.scheduler is not None:
        with workers.joined(wishes.scheduler) as crew:
            yield crew
    elif wishes.cluster == "local":
        folder = logs / "dask"
        try:
            with workers.local(wishes.count, wishes.gpus, folder) as crew:
                yield crew
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    else:
        assert wishes.cluster is not None
        with workers.queued(wishes.cluster, wishes.count, wishes.gpus, wishes.jobs, logs / "jobs") as crew:
            yield crew


def _clone(wishes: Wishes) -> Clone | None:
    if not wishes.clones:
        return None
    name, settings = workplaces.settings_of_clones(wishes.remote)
    url = wishes.clone_from or workplaces.git("remote", "get-url", "origin").strip()
    # A relative path means another folder on the worker's side.
    return Clone(str(Path(url).absolute()) if Path(url).exists() else url, name, settings)


def _expected(pipeline: graph.Pipeline, *, gpu: bool) -> dict[str, float]:
    try:
        return expected_seconds(load_study(), pipeline, cores=os.cpu_count() or 1, gpu=gpu)
    except BadInputError:
        # A model that the cost model does not know: the order of the stages is a worse guess then.
        return dict.fromkeys(pipeline.upstream, 1.0)


def _tell(report: Report) -> None:
    first = report.failures[0]
    print(f"\n{first.log}:\n{first.printed.rstrip()}\n", file=sys.stderr)
    lines = [f"error: {first.stage}: {first.why}; its log is above, and in {first.log}"]
    lines += [f"{failure.stage}: {failure.why}; {failure.log}" for failure in report.failures[1:]]
    if report.skipped:
        lines.append(f"not run, because they wait for it: {', '.join(report.skipped)}")
    print("\n       ".join(lines), file=sys.stderr)
