"""The main workspace's part: hands each stage to a worker when what is upstream is done, and keeps what comes back."""

import os
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

    def say(self, how: str, more: str) -> None:
        """Print how it ended."""
        seconds = time.monotonic() - self.started
        print(f"{how:<9} {self.stage} on {self.worker.name}, {seconds:.1f} s: {more}", flush=True)


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
    gpu: bool
    """Whether workers with a GPU will come, if none is there: stages that need one wait for them."""
    report: Report = field(default_factory=Report)
    _done: set[str] = field(default_factory=set)
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=dict)
    _folder_of: dict[str, str] = field(default_factory=dict)
    """A worker's key → its folder."""

    def run(self, up_to_date: frozenset[str]) -> Report:
        """Bring every stage of the pipeline up to date, but for those that fail and what waits for them.

        Args:
            up_to_date: the stages that are.
        """
        upstream = self.records.pipeline.upstream
        ranks = priorities(upstream, self.expected)
        self._done.update(up_to_date)
        if not self.workers.living():
            print("waits for a worker", flush=True)
        while True:
            workers = self.workers.living()
            self._collect(workers)
            failed = {failure.stage for failure in self.report.failures}
            skipped = {stage for stage in upstream if failed and self.records.pipeline.ancestors(stage) & failed}
            waiting = upstream.keys() - self._done - failed - skipped - self._jobs.keys()
            if not waiting and not self._jobs:
                self.report.skipped = sorted(skipped)
                return self.report
            self._hand_out({stage for stage in waiting if upstream[stage] <= self._done}, workers, ranks)
            self.workers.submit_missing()
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stop what still runs for the main workspace, and remove clones."""
        clones = tuple(self.folders.paths) if isinstance(self.folders, Clones) else ()
        with suppress(Exception):
            self.workers.client.run(stop, str(Path.cwd()), clones, on_error="ignore")
        kill_leftovers(str(Path.cwd()))

    def _hand_out(self, ready: set[str], workers: Mapping[str, Worker], ranks: Mapping[str, float]) -> None:
        offers = {key: worker.gpu for key, worker in workers.items()}
        with_gpu = self.gpu or any(offers.values())
        gpu_stages = {stage for stage in ready if with_gpu and kind(stage) in GPU_KINDS}
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
                pure=False,
            )
            self._jobs[stage] = _Job(stage, worker, future, log)
            print(f"started   {stage} on {worker.name}, about {self.expected[stage]:.0f} s", flush=True)

    def _assignment(self, stage: str, worker: Worker, log: Path) -> Assignment:
        pipeline = self.records.pipeline
        source = self.folders.source if isinstance(self.folders, Clones) else None
        # A checkpoint's stages read its weights, too, which may lie in an earlier stage's folder; the others would get
        # every checkpoint's embeddings.
        inputs = sorted(pipeline.ancestors(stage) if "@" in stage else pipeline.upstream[stage])
        lock = self.records.entries([*inputs, stage])
        if worker.key not in self._folder_of:
            self._folder_of[worker.key] = self.folders.new()
        project, scratch = str(Path.cwd()), scratch_root().absolute()
        environment = self.workers.environments.get(worker.name, inherited()) | {PROJECT: project, STAGE: stage}
        return Assignment(
            stage=stage,
            # Its own, too, where a clone could not restore them: DVC does not bring what the cache does not hold.
            inputs=(*inputs, *([stage] if source and stage in lock else [])),
            project=project,
            folder=self._folder_of[worker.key],
            clone_source=source,
            lock=lock,
            files=self.records.files([*inputs, stage]),
            uncached=self.records.uncached[stage],
            environment=environment | {"POLYPROBE_SCRATCH": None if source else str(scratch)},
            log=None if source else str(log.absolute()),
            stage_lock=None if source else str(scratch / "cluster/locks" / stage),
        )

    def _collect(self, workers: Mapping[str, Worker]) -> None:
        """Take in what has ended since the last time."""
        for job in list(self._jobs.values()):
            if job.future.status == "pending" and job.worker.key in workers:
                continue
            del self._jobs[job.stage]
            outcome = self._outcome(job)
            if outcome.log:
                job.log.write_bytes(outcome.log)
            if outcome.code == 0:
                self.records.add(job.stage, outcome, cached=isinstance(self.folders, Worktrees))
                self._done.add(job.stage)
                (self.report.ran if outcome.ran else self.report.restored).append(job.stage)
                of_all = f"[{len(self._done)}/{len(self.records.pipeline.upstream)}]"
                job.say("ran" if outcome.ran else "restored", of_all)
            else:
                self._did_not_finish(job, outcome)

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
        job.say("lost" if outcome.code == LOST else "failed", why)
        if outcome.code == LOST:
            # The folder may be half-written: the worker gets another.
            self._folder_of.pop(job.worker.key, None)
            self.report.lost += 1
            attempts = self._attempts[job.stage]
            if attempts <= self.retries:
                return
            why = f"given up after {attempts} attempts, the last: {why}"
        self.report.failures.append(Failure(job.stage, why, job.log))
