"""The main workspace's part: hands each stage to a worker when what is upstream is done, and keeps what comes back."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.cluster.assignments import LOST, Assignment, Outcome
from polyprobe.ops.cluster.graph import kind
from polyprobe.ops.cluster.leftover_processes import PROJECT, STAGE, kill_leftovers
from polyprobe.ops.cluster.records import Records
from polyprobe.ops.cluster.schedule import GPU_KINDS, choose, priorities
from polyprobe.ops.cluster.worker import run_stage, stop
from polyprobe.ops.cluster.worker_folders import Clones, Worktrees
from polyprobe.ops.cluster.workers import Worker, Workers, inherited
from polyprobe.running.progress import progress
from polyprobe.running.scratch import scratch_root

_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Failure:
    """A stage that could not be brought up to date."""

    stage: str
    why: str
    log: Path
    """Of its last attempt."""


@dataclass
class Report:
    """What a run did."""

    ran: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    """Stages that the run-cache held, or whose worker found them up to date."""
    lost: int = 0
    """How often a stage's worker was lost."""
    failures: list[Failure] = field(default_factory=list)
    """In the order in which they happened."""
    skipped: list[str] = field(default_factory=list)
    """Stages that wait for one that failed."""


@dataclass(frozen=True)
class _Job:
    """A stage on a worker."""

    stage: str
    worker: Worker
    future: Any
    log: Path
    started: float = field(default_factory=time.monotonic)


@dataclass
class Coordinator:
    """One run."""

    records: Records
    """Of the main workspace."""
    workers: Workers
    folders: Worktrees | Clones
    """For the workers."""
    expected: Mapping[str, float]
    """Seconds that each stage is expected to take."""
    logs: Path
    """The folder for the stages' logs."""
    retries: int
    """How often a stage is handed out again after its worker was lost."""
    report: Report = field(default_factory=Report)
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=dict)
    _folder_of: dict[str, str] = field(default_factory=dict)
    """A worker's key → its folder."""
    _bar: Any = None

    def run(self, up_to_date: frozenset[str]) -> Report:
        """Bring every stage of the pipeline up to date, but for those that fail and what waits for them.

        Args:
            up_to_date: the stages that are.
        """
        upstream = self.records.pipeline.upstream
        ranks = priorities(upstream, self.expected)
        done = set(up_to_date)
        with progress(description="stages", total=len(upstream) - len(done), unit="stage") as self._bar:
            if not self.workers.living():
                self._say("waits for a worker")
            while True:
                workers = self.workers.living()
                done |= self._collect(workers)
                given_up = self._given_up()
                waiting = upstream.keys() - done - given_up - self._jobs.keys()
                if not waiting and not self._jobs:
                    break
                self._hand_out({stage for stage in waiting if upstream[stage] <= done}, workers, ranks)
                self.workers.submit_missing()
                time.sleep(_POLL_SECONDS)
        self.report.skipped = sorted(given_up - {failure.stage for failure in self.report.failures})
        return self.report

    def stop(self) -> None:
        """Stop what still runs for the main workspace, and remove clones."""
        clones = tuple(self.folders.paths) if isinstance(self.folders, Clones) else ()
        with suppress(Exception):
            self.workers.client.run(stop, str(Path.cwd()), clones, on_error="ignore")
        kill_leftovers(str(Path.cwd()))

    def _given_up(self) -> set[str]:
        """Return the stages that failed, and those that wait for them."""
        pipeline = self.records.pipeline
        failed = {failure.stage for failure in self.report.failures}
        return failed | {stage for stage in pipeline.upstream if failed and pipeline.ancestors(stage) & failed}

    def _hand_out(self, ready: set[str], workers: Mapping[str, Worker], ranks: Mapping[str, float]) -> None:
        offers = {key: worker.gpu for key, worker in workers.items()}
        gpu_stages = {stage for stage in ready if any(offers.values()) and kind(stage) in GPU_KINDS}
        busy = {job.worker.key for job in self._jobs.values()}
        for stage, key in choose(ready, offers, busy, ranks, gpu_stages):
            worker = workers[key]
            attempt = self._attempts[stage] = self._attempts.get(stage, 0) + 1
            log = self.logs / (f"{stage}.log" if attempt == 1 else f"{stage}.{attempt}.log")
            future = self.workers.client.submit(
                run_stage,
                self._assignment(stage, worker, log),
                key=f"polyprobe-{stage}-{attempt}-{os.getpid()}-{time.time_ns()}",
                workers=[worker.address],
                allow_other_workers=False,
                retries=0,
                pure=False,
            )
            self._jobs[stage] = _Job(stage, worker, future, log)
            self._say(f"started   {stage} on {worker.name}, about {self.expected[stage]:.0f} s")

    def _assignment(self, stage: str, worker: Worker, log: Path) -> Assignment:
        pipeline = self.records.pipeline
        source = self.folders.source if isinstance(self.folders, Clones) else None
        # A checkpoint's stages read its weights, too, which may lie in an earlier stage's folder; the others would get
        # every checkpoint's embeddings.
        inputs = sorted(pipeline.ancestors(stage) if "@" in stage else pipeline.upstream[stage])
        known = self.records.entries([*inputs, stage])
        scratch = scratch_root().absolute()
        if worker.key not in self._folder_of:
            self._folder_of[worker.key] = self.folders.new()
        return Assignment(
            stage=stage,
            # Its own, too, where a clone could not restore them: DVC does not bring what the cache does not hold.
            inputs=(*inputs, *([stage] if source and stage in known else [])),
            project=str(Path.cwd()),
            folder=self._folder_of[worker.key],
            clone_source=source,
            lock=known,
            files=self.records.files([*inputs, stage]),
            uncached=self.records.uncached[stage],
            environment={
                **self.workers.environments.get(worker.name, inherited()),
                PROJECT: str(Path.cwd()),
                STAGE: stage,
                "DVC_NO_ANALYTICS": "1",
                "POLYPROBE_SCRATCH": None if source else str(scratch),
            },
            log=None if source else str(log.absolute()),
            stage_lock=None if source else str(scratch / "cluster/locks" / stage),
        )

    def _collect(self, workers: Mapping[str, Worker]) -> set[str]:
        """Take in what has ended since the last time, and return the stages that are up to date now."""
        ended = [job for job in self._jobs.values() if job.future.status != "pending" or job.worker.key not in workers]
        finished: dict[str, Outcome] = {}
        for job in ended:
            del self._jobs[job.stage]
            outcome = self._outcome(job)
            if outcome.log:
                job.log.write_bytes(outcome.log)
            if outcome.code == 0:
                finished[job.stage] = outcome
            else:
                self._did_not_finish(job, outcome)
        if finished:
            files = {path: members for outcome in finished.values() for path, members in outcome.files.items()}
            locked = {stage: outcome.lock for stage, outcome in finished.items()}
            self.records.add(locked, files, cached=isinstance(self.folders, Worktrees))
        for job in ended:
            if job.stage in finished:
                ran = finished[job.stage].ran
                (self.report.ran if ran else self.report.restored).append(job.stage)
                self._bar.update()
                self._say_of(job, "ran" if ran else "restored", f" [{self._bar.n}/{self._bar.total}]")
        return set(finished)

    def _outcome(self, job: _Job) -> Outcome:
        if job.future.status == "finished":
            outcome: Outcome = job.future.result()
            return outcome
        if job.future.status == "error":
            error = job.future.exception()
            return Outcome(LOST, f"{type(error).__name__}: {error}")
        self.workers.client.cancel([job.future], force=True)
        return Outcome(LOST, "the worker is gone")

    def _did_not_finish(self, job: _Job, outcome: Outcome) -> None:
        why = outcome.problem
        if outcome.code == LOST:
            # The folder may be half-written: the worker gets another.
            self._folder_of.pop(job.worker.key, None)
            self.report.lost += 1
            self._say_of(job, "lost", f": {why}")
            if self._attempts[job.stage] <= self.retries:
                return
            why = f"given up after {self._attempts[job.stage]} attempts, the last: {why}"
        else:
            self._say_of(job, "failed")
        self.report.failures.append(Failure(job.stage, why, job.log))

    def _say_of(self, job: _Job, what: str, more: str = "") -> None:
        self._say(f"{what:<9} {job.stage} on {job.worker.name}, {time.monotonic() - job.started:.1f} s{more}")

    def _say(self, line: str) -> None:
        """Print a line above the bar."""
        self._bar.write(line, file=sys.stdout)
        sys.stdout.flush()
