"""A whole run: what is to be done, by whom, and the main workspace at the end as after a plain `dvc repro`."""

import re
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from polyprobe.ops.cluster import batch_jobs, worker_folders, workers, workspace
from polyprobe.ops.cluster.coordinator import Coordinator, Report
from polyprobe.ops.cluster.records import Records
from polyprobe.ops.cluster.seconds import expected_seconds
from polyprobe.ops.cluster.settings import BATCH_SYSTEMS, Settings
from polyprobe.running.scratch import scratch_root
from polyprobe.study import load_study


def repro(targets: Sequence[str], settings: Settings) -> int:
    """Bring stages of the current folder's repository up to date.

    Args:
        targets: as `dvc repro` takes them; everything where there are none.
        settings: how.

    Returns:
        The exit code: 1 where a stage failed.

    Raises:
        BadInputError: something that was asked for is not to be had, or the workspace is not committed.
    """
    with workspace.only_one():
        records = Records(targets)
        commit = worker_folders.committed(path for paths in records.uncached.values() for path in paths)
        folders = _folders(settings, commit, records)
        logs = (scratch_root() / "cluster" / time.strftime("%Y%m%d-%H%M%S")).absolute()
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / "restore.log"
        # What a run had finished that was killed.
        workspace.bring_here(records, records.restorable(), log, settings.remote)
        stages, up_to_date = records.pipeline.upstream, records.up_to_date()
        print(f"{len(stages)} stages, {len(up_to_date)} of them up to date", flush=True)
        if len(up_to_date) == len(stages):
            return 0
        if settings.remote:
            workspace.send(records, up_to_date, log, settings.remote)
        with _workers(settings, logs) as started:
            gpu = settings.gpu_workers > 0
            expected = expected_seconds(
                load_study(), stages, gpu=gpu or any(worker.gpu for worker in started.living().values())
            )
            coordinator = Coordinator(records, started, folders, expected, logs, settings.retries, gpu)
            # What a coordinator that was killed had handed out.
            coordinator.stop()
            try:
                report = coordinator.run(up_to_date)
            finally:
                coordinator.stop()
        workspace.bring_here(records, [*report.ran, *report.restored], log, settings.remote)
        lost = f", lost with their workers: {report.lost}" if report.lost else ""
        print(f"stages run: {len(report.ran)}, restored: {len(report.restored)}{lost}; logs: {logs}", flush=True)
        if report.failures:
            _say_what_failed(report)
            return 1
        run_here = re.findall("^Running stage '(.+)'", workspace.dvc(["repro", *targets], log), re.MULTILINE)
        if run_here:
            print(f"run once more, here: {', '.join(run_here)}; see {log}")
        return 0


def _folders(settings: Settings, commit: str, records: Records) -> worker_folders.Worktrees | worker_folders.Clones:
    if settings.remote:
        source = worker_folders.clone_source(settings.remote, settings.clone_from, commit)
        return worker_folders.Clones(source, settings.worktrees)
    folder = settings.worktrees or scratch_root() / "cluster/worktrees"
    return worker_folders.Worktrees(folder, commit, worker_folders.worktree_settings(records.cache), settings.carry)


def _workers(settings: Settings, logs: Path) -> AbstractContextManager[workers.Workers]:
    if settings.scheduler is not None:
        return workers.joined(settings.scheduler)
    if settings.cluster in BATCH_SYSTEMS:
        return batch_jobs.submitted(settings, logs / "jobs")
    return workers.local(settings.workers, settings.gpu_workers, logs / "dask")


def _say_what_failed(report: Report) -> None:
    first, *others = report.failures
    printed = first.log.read_text(encoding="utf-8", errors="replace").rstrip() if first.log.exists() else ""
    print(f"\n{first.log}:\n{printed}\n", file=sys.stderr)
    lines = [f"error: {first.stage}: {first.why}; its log is above, and in {first.log}"]
    lines += [f"{failure.stage}: {failure.why}; {failure.log}" for failure in others]
    if report.skipped:
        lines.append(f"not run, because they wait for it: {', '.join(report.skipped)}")
    print("\n       ".join(lines), file=sys.stderr)
