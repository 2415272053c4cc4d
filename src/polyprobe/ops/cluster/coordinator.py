"""The main workspace's part: hands each stage to a worker when what is upstream is done, and keeps what comes back."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.cluster.display import Display
from polyprobe.ops.cluster.graph import Pipeline, kind
from polyprobe.ops.cluster.orders import LOST, Clone, Order, Outcome
from polyprobe.ops.cluster.records import Records
from polyprobe.ops.cluster.schedule import GPU_KINDS, choose, priorities
from polyprobe.ops.cluster.strays import kill_strays
from polyprobe.ops.cluster.workers import GPU, Crew, Worker
from polyprobe.ops.cluster.workplaces import PREFIX, Worktrees
from polyprobe.running.errors import BadInputError
from polyprobe.running.scratch import scratch_root

_LOOK_SECONDS: Final = 0.2
_REPLENISH_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Failure:
    """A stage that could not be brought up to date."""

    stage: str
    why: str
    log: Path
    printed: str
    """All that its last attempt printed."""


@dataclass
class Report:
    """What a run did."""

    ran: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    """Stages that the run-cache held, or whose worker found them up to date."""
    lost: list[str] = field(default_factory=list)
    """Stages whose worker was lost, once for each time."""
    failures: list[Failure] = field(default_factory=list)
    """In the order in which they happened."""
    skipped: list[str] = field(default_factory=list)
    """Stages that wait for one that failed."""


@dataclass(frozen=True)
class _Job:
    stage: str
    worker: Worker
    future: Any


class Coordinator:
    """One run."""

    def __init__(
        self,
        records: Records,
        crew: Crew,
        *,
        commit: str,
        expected: Mapping[str, float],
        logs: Path,
        retries: int,
        worktrees: Worktrees | None,
        clone: Clone | None,
        clones: str = "",
    ) -> None:
        """Starts nothing.

        Args:
            records: of the main workspace.
            crew: the workers.
            commit: that they work at.
            expected: seconds that each stage is expected to take.
            logs: the folder for the stages' logs.
            retries: how often a stage is handed out again after its worker was lost.
            worktrees: makes folders for workers that share the file system; None for those that clone.
            clone: where the others clone from.
            clones: the folder for the clones, on the workers' machines; empty for Dask's own.
        """
        self._records, self._crew, self._commit = records, crew, commit
        self._expected, self._logs, self._retries = expected, logs, retries
        self._worktrees, self._clone, self._clones = worktrees, clone, clones
        self._places: dict[str, str] = {}
        self._number = 0
        self._jobs: dict[str, _Job] = {}
        self._attempts: dict[str, int] = {}
        self.report = Report()

    def run(self, settled: frozenset[str]) -> Report:
        """Brings every stage of the pipeline up to date, but for those that fail and what waits for them.

        Args:
            settled: the stages that are.
        """
        pipeline = self._records.pipeline
        done, given_up = set(settled), set[str]()
        ranks = priorities(pipeline.upstream, self._expected)
        replenished, waited = time.monotonic(), False
        with Display(len(pipeline.upstream) - len(done), self._expected) as display:
            while True:
                workers = self._crew.living()
                done |= self._take_in(workers, display)
                given_up |= self._given_up(pipeline)
                waiting = set(pipeline.upstream) - done - given_up - self._jobs.keys()
                if not waiting and not self._jobs:
                    break
                ready = sorted(stage for stage in waiting if pipeline.upstream[stage] <= done)
                with_gpu = any(worker.gpu for worker in workers.values())
                pairs = choose(
                    ready,
                    {key: worker.gpu for key, worker in workers.items()},
                    {job.worker.key for job in self._jobs.values()},
                    ranks,
                    {stage for stage in ready if with_gpu and kind(stage) in GPU_KINDS},
                )
                for stage, key in pairs:
                    self._hand_out(stage, workers[key], display, with_gpu=with_gpu and kind(stage) in GPU_KINDS)
                if not workers and not waited:
                    waited = True
                    display.say("waits for a worker")
                if self._crew.replenish and time.monotonic() - replenished > _REPLENISH_SECONDS:
                    self._crew.replenish()
                    replenished = time.monotonic()
                display.tick()
                time.sleep(_LOOK_SECONDS)
        failed = {failure.stage for failure in self.report.failures}
        self.report.skipped = sorted(given_up - failed)
        return self.report

    def folders(self) -> tuple[str, ...]:
        """The clones that were made."""
        return tuple(sorted(self._places.values())) if self._clone else ()

    def _given_up(self, pipeline: Pipeline) -> set[str]:
        failed = {failure.stage for failure in self.report.failures}
        if not failed:
            return set()
        return failed | {stage for stage in pipeline.upstream if pipeline.ancestors(stage) & failed}

    def _hand_out(self, stage: str, worker: Worker, display: Display, *, with_gpu: bool) -> None:
        from polyprobe.ops.cluster.worker import run_stage

        order = self._order(stage, worker)
        attempt = self._attempts[stage] = self._attempts.get(stage, 0) + 1
        log = self._log(stage)
        if attempt > 1:
            with log.open("a", encoding="utf-8") as opened:
                opened.write(f"\n--- attempt {attempt}, on {worker.name}\n")
        future = self._crew.client.submit(
            run_stage,
            order,
            key=f"polyprobe-{stage}-{attempt}-{os.getpid()}-{time.time_ns()}",
            workers=[worker.address],
            allow_other_workers=False,
            resources={GPU: 1} if with_gpu and worker.gpu else None,
            retries=0,
            pure=False,
        )
        self._jobs[stage] = _Job(stage, worker, future)
        display.started(stage, worker.name, log)

    def _order(self, stage: str, worker: Worker) -> Order:
        pipeline = self._records.pipeline
        # A checkpoint's stages read its weights, too, which may lie in an earlier stage's folder; the others would get
        # every checkpoint's embeddings.
        upstream = tuple(sorted(pipeline.ancestors(stage) if "@" in stage else pipeline.upstream[stage]))
        shared = self._clone is None
        environments = self._crew.environments
        environment = dict(environments.get(worker.name, environments.get("", {})))
        environment["POLYPROBE_SCRATCH"] = str(scratch_root().absolute()) if shared else None
        return Order(
            stage=stage,
            upstream=upstream,
            project=str(Path.cwd()),
            folder=self._place(worker),
            commit=self._commit,
            clone=self._clone,
            lock=self._records.entries([*upstream, stage]),
            files=self._records.files([*upstream, stage]),
            uncached=self._records.uncached[stage],
            environment=environment,
            log=str(self._log(stage).absolute()) if shared else None,
            stage_lock=str(scratch_root().absolute() / "cluster" / "locks" / stage) if shared else None,
        )

    def _place(self, worker: Worker) -> str:
        if worker.key not in self._places:
            self._number += 1
            if self._worktrees is not None:
                self._places[worker.key] = str(self._worktrees.new())
            else:
                name = f"{PREFIX}{os.getpid()}-{self._number}"
                self._places[worker.key] = str(Path(self._clones) / name)
        return self._places[worker.key]

    def _take_in(self, workers: Mapping[str, Worker], display: Display) -> set[str]:
        """What has ended since the last look: the stages that are up to date now."""
        lock: dict[str, Any] = {}
        files: dict[str, dict[str, bytes]] = {}
        how: dict[str, str] = {}
        for stage, job in list(self._jobs.items()):
            status = job.future.status
            if status == "finished":
                del self._jobs[stage]
                outcome: Outcome = job.future.result()
                if outcome.log:
                    self._keep_log(stage, outcome.log)
                if outcome.code == 0:
                    lock[stage] = outcome.lock
                    files |= outcome.files
                    how[stage] = "ran" if outcome.ran else "restored"
                elif outcome.code == LOST:
                    # The folder may be half-written: the worker gets another.
                    self._places.pop(job.worker.key, None)
                    self._lost(stage, "its process was killed, or outputs could not be brought", display)
                else:
                    display.failed(stage)
                    self._fail(stage, f"exit code {outcome.code}", outcome.log.decode(errors="replace"))
            elif status in ("error", "cancelled", "lost"):
                del self._jobs[stage]
                self._places.pop(job.worker.key, None)
                problem = job.future.exception() if status == "error" else None
                self._lost(stage, f"{type(problem).__name__}: {problem}" if problem else "the worker is gone", display)
            elif job.worker.key not in workers:
                del self._jobs[stage]
                self._crew.client.cancel([job.future], force=True)
                self._lost(stage, "the worker is gone", display)
        if lock:
            self._records.add(lock, files, cached=self._clone is None)
        for stage, what in how.items():
            (self.report.ran if what == "ran" else self.report.restored).append(stage)
            display.finished(stage, what)
        return set(how)

    def _lost(self, stage: str, why: str, display: Display) -> None:
        self.report.lost.append(stage)
        display.lost(stage, why)
        if self._attempts[stage] > self._retries:
            log = self._log(stage)
            printed = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            self._fail(stage, f"given up after {self._attempts[stage]} attempts, the last: {why}", printed)

    def _fail(self, stage: str, why: str, printed: str) -> None:
        self.report.failures.append(Failure(stage, why, self._log(stage), printed))

    def _log(self, stage: str) -> Path:
        return self._logs / f"{stage.replace('/', '-').replace(':', '-')}.log"

    def _keep_log(self, stage: str, printed: bytes) -> None:
        if self._clone is not None:
            with self._log(stage).open("ab") as opened:
                opened.write(printed)


@contextmanager
def only_one() -> Iterator[None]:
    """Only one coordinator at a time in the current folder's repository.

    Raises:
        BadInputError: there is another.
    """
    from filelock import FileLock, Timeout

    folder = scratch_root() / "cluster"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInputError(f"{lock.lock_file}: another `cluster repro` is at work in this repository") from None
    try:
        # Its workers' processes, if it was killed, would go on writing.
        kill_strays(str(Path.cwd()))
        yield
    finally:
        lock.release()


def bring_here(
    records: Records, stages: Sequence[str], logs: Path, remote: str | None, *, allow_missing: bool = False
) -> None:
    """Puts the outputs of finished stages into the main workspace.

    Args:
        records: of the main workspace.
        stages: those that finished.
        logs: the folder for logs.
        remote: the DVC remote that has the outputs, where the cache has not.
        allow_missing: what neither has is no error.

    Raises:
        BadInputError: the cache or the remote lacks one.
    """
    if not stages:
        return
    bring = ["pull", "--remote", remote, "--force"] if remote else ["checkout", "--force"]
    missing = ["--allow-missing"] if allow_missing else []
    dvc([*bring, *missing, *sorted(stages)], logs / "restore.log")
    if records.autostage:
        paths = records.tracked(sorted(stages))
        subprocess.run(["git", "add", "--", *paths], check=False, capture_output=True, stdin=subprocess.DEVNULL)


def send(records: Records, settled: frozenset[str], logs: Path, remote: str) -> None:
    """Sends what the main workspace has of the pipeline to a remote, for workers that share no cache with it.

    Args:
        records: of the main workspace.
        settled: the stages that are up to date.
        logs: the folder for logs.
        remote: the DVC remote.

    Raises:
        BadInputError: the remote does not take it.
    """
    log = logs / "restore.log"
    if settled:
        dvc(["push", "--remote", remote, "--run-cache", *sorted(settled)], log)
    if others := sorted(records.entries(records.pipeline.upstream).keys() - settled):
        # They may turn out to be as they were; if the cache has lost one of them, it is run again.
        with suppress(BadInputError):
            dvc(["push", "--remote", remote, *others], log)


def dvc(arguments: Sequence[str], log: Path) -> str:
    """Runs dvc in the main workspace and returns what it printed.

    Raises:
        BadInputError: it failed.
    """
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments],
        env=environment, text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    with log.open("a", encoding="utf-8") as opened:
        opened.write(f"$ dvc {' '.join(arguments)}\n{done.stdout}")
    if done.returncode != 0:
        raise BadInputError(f"dvc {arguments[0]} failed here; {log}:\n{done.stdout.strip()}")
    return done.stdout


def stop_all(crew: Crew, folders: tuple[str, ...], *, elsewhere: bool) -> None:
    """Stops what still runs, and removes clones.

    Args:
        crew: the workers.
        folders: the clones.
        elsewhere: whether there are workers on other machines.
    """
    from polyprobe.ops.cluster.worker import stop

    project = str(Path.cwd())
    if elsewhere:
        with suppress(Exception):
            crew.client.run(stop, project, folders, on_error="ignore")
    kill_strays(project)
