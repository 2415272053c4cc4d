"""Several workers in their own worktrees make what one `dvc repro` makes, whoever is killed."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from polyprobe.ops.cluster.leftover_processes import PROJECT, STAGE
from support import damage
from support.damage import forget, locked
from support.tiny_project import Project

pytestmark = pytest.mark.pipeline

CLUSTER = ("polyprobe", "cluster", "repro")
LOCAL = ("--cluster", "local", "-n", "2")
PATIENCE = 180.0
"""Seconds after which something that is waited for will not come. No claim about speed."""


def contents(project: Project) -> dict[str, str]:
    """The digest of every output, and what dvc.lock says of every stage."""
    stages = locked(project)["stages"]
    return damage.contents(project) | {stage: json.dumps(entry) for stage, entry in stages.items()}


def forget_everything(project: Project) -> None:
    """A checkout whose study has never been run."""
    forget(project, *locked(project)["stages"])
    shutil.rmtree(project.path / ".dvc/cache")
    shutil.rmtree(project.path / ".dvc/tmp")
    (project.path / "dvc.lock").unlink()


def processes(project: Project, stage: str | None = None, part: str = "") -> list[psutil.Process]:
    """The processes that work for a project on a stage, whose command line contains `part`."""
    found = []
    for process in psutil.process_iter():
        try:
            marks = process.environ()
            matches = marks.get(PROJECT) == str(project.path) and stage in (None, marks.get(STAGE))
            if matches and process.status() != psutil.STATUS_ZOMBIE and part in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(there: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def assert_as_after_a_plain_repro(finished: Project, project: Project) -> None:
    expected, found = contents(finished), contents(project)
    assert {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)} == set()
    assert "up to date" in project.dvc("status")
    assert project.repro() == set()
    # A forgotten stage's entry in dvc.lock comes last again.
    assert project.run("git", "status", "--short").stdout in ("", "M  dvc.lock\n")
    assert_nothing_left(project)


def assert_nothing_left(project: Project) -> None:
    assert processes(project) == []
    assert len(project.run("git", "worktree", "list").stdout.splitlines()) == 1
    assert not (project.path / ".scratch/cluster/worktrees").exists()


class Run:
    """A `cluster repro` that goes on."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self.project, self.printed = project, project.path.parent / "printed"
        with self.printed.open("wb") as opened:
            self.process = project.start(*CLUSTER, *arguments, *LOCAL, output=opened)

    def text(self) -> str:
        return self.printed.read_text(encoding="utf-8")

    def wait_for(self, there: Callable[[], object], what: str) -> None:
        def look() -> bool:
            assert self.process.poll() is None, self.text()
            return bool(there())

        wait_for(look, what)

    def worker_of(self, stage: str) -> psutil.Process:
        """The Dask worker's process, once the stage's own command runs."""
        name = f"polyprobe.stages.{stage.partition('@')[0]}"
        self.wait_for(lambda: processes(self.project, stage, name), stage)
        leader = processes(self.project, stage, "polyprobe.ops.cluster.stage_process")[0]
        worker = leader.parent()
        assert worker is not None
        assert worker.pid != self.process.pid
        return worker

    def end(self) -> str:
        """Waits for a good end and returns what was printed."""
        assert self.process.wait() == 0, self.text()
        return self.text()


@pytest.fixture
def copied(finished: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of the finished study, which nothing is left of when the test ends."""
    path = tmp_path / "project"
    shutil.copytree(finished.path, path, symlinks=True)
    yield Project(path)
    for process in processes(Project(path)):
        process.kill()
    shutil.rmtree(path)


def assert_cache_is_sound(project: Project) -> None:
    """Nothing has written into the cache through a link to it."""
    for file in sorted((project.path / ".dvc/cache/files/md5").glob("*/*")):
        digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        assert digest == file.parent.name + file.name.removesuffix(".dir")


@pytest.mark.slow
def test_two_stages_beside_each_other(finished: Project, copied: Project) -> None:
    stages = ("resolve@step-0", "resolve@step-20")
    forget(copied, *stages)
    printed = copied.run(*CLUSTER, *stages, *LOCAL).stdout
    assert "5 stages, 3 of them up to date" in printed
    assert "stages run: 2, restored: 0; logs" in printed
    first_end = min(printed.index(f"ran       {stage}") for stage in stages)
    assert all(printed.index(f"started   {stage}") < first_end for stage in stages), "both at once"
    assert_as_after_a_plain_repro(finished, copied)
    logs = sorted((copied.path / ".scratch/cluster").glob("*/resolve@step-*.log"))
    assert len(logs) == 2
    assert all("Running stage 'resolve@step-" in log.read_text(encoding="utf-8") for log in logs)
    assert copied.run(*CLUSTER, *stages, *LOCAL).stdout == "5 stages, 5 of them up to date\n"


@pytest.mark.parametrize(
    "links", [pytest.param("links", marks=pytest.mark.slow), pytest.param("copies", marks=pytest.mark.soak)]
)
def test_a_whole_study_from_nothing(finished: Project, copied: Project, links: str) -> None:
    forget_everything(copied)
    if links == "links":
        # Without a setting of its own, the workspace's workers link to the cache.
        copied.dvc("config", "--local", "--unset", "cache.type")
    printed = copied.run(*CLUSTER, *LOCAL).stdout
    assert "stages run: 20, restored: 0; logs" in printed
    assert "run once more" not in printed
    assert (copied.path / "dvc.lock").read_bytes() == (finished.path / "dvc.lock").read_bytes()
    assert_as_after_a_plain_repro(finished, copied)
    assert_cache_is_sound(copied)


def each_kill() -> list[object]:
    first = (("probe@step-20", "worker"), ("finetune_pos@step-20", "worker and children"))
    return [
        pytest.param(
            stage,
            victims,
            number,
            marks=[pytest.mark.slow if (stage, victims) in first and number == 0 else pytest.mark.soak],
            id=f"{stage}-{victims.replace(' ', '-')}-{number}",
        )
        for stage in ("probe@step-20", "finetune_pos@step-20")
        for victims in ("worker", "worker and children")
        for number in range(5)
    ]


@pytest.mark.parametrize(("stage", "victims", "number"), each_kill())
def test_a_killed_workers_stage_is_run_again(
    finished: Project, copied: Project, stage: str, victims: str, number: int
) -> None:
    generator = random.Random(f"{stage} {victims} {number}")
    other = stage.replace("step-20", "step-0")
    forget(copied, stage, other)
    run = Run(copied, stage, other)
    worker = run.worker_of(stage)
    time.sleep(generator.random() * 2)
    old = processes(copied, stage)
    for process in old:
        process.suspend()
    assert processes(copied, stage, "polyprobe.stages"), "it is killed in its middle"
    children = worker.children(recursive=True) if victims == "worker and children" else []
    worker.kill()
    for child in children:
        child.kill()
    # Frozen, they cannot notice by themselves; nor can those that hang.
    for process in old:
        with suppress(psutil.NoSuchProcess):
            process.resume()
    wait_for(lambda: not any(process.is_running() for process in old), "the end of the killed worker's processes")
    printed = run.end()
    assert printed.count(f"lost      {stage}") == 1
    assert printed.count(f"started   {stage}") == 2
    assert f"ran       {stage}" in printed
    assert printed.count(f"started   {other}") == 1, "the other worker's stage went on"
    assert copied.repro() == set()
    assert_as_after_a_plain_repro(finished, copied)


@pytest.mark.soak
def test_a_stage_that_the_system_kills_is_run_again(finished: Project, copied: Project) -> None:
    forget(copied, "probe@step-0")
    run = Run(copied, "probe@step-0")
    run.worker_of("probe@step-0")
    for process in processes(copied, "probe@step-0", "polyprobe.stages.probe"):
        process.kill()
    assert "lost with their workers: 1" in run.end()
    assert_as_after_a_plain_repro(finished, copied)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
        *(pytest.param(number, marks=pytest.mark.soak) for number in (signal.SIGINT, signal.SIGTERM)),
    ],
)
def test_a_killed_coordinator_loses_nothing(finished: Project, copied: Project, number: signal.Signals) -> None:
    forget(copied, "fetch_transfer", "finetune_xnli@step-0")
    run = Run(copied, "finetune_xnli@step-0")
    run.wait_for(lambda: "ran       fetch_transfer" in run.text(), "the first stage's end")
    run.worker_of("finetune_xnli@step-0")
    os.kill(run.process.pid, number)
    code = run.process.wait()
    assert code == (130 if number != signal.SIGKILL else -number), run.text()
    wait_for(lambda: not processes(copied), "the end of the workers' processes")
    if number == signal.SIGKILL:
        assert len(copied.run("git", "worktree", "list").stdout.splitlines()) > 1
    else:
        assert "interrupted: what has finished is kept" in run.text()
        assert_nothing_left(copied)
    assert "fetch_transfer" not in copied.repro("fetch_transfer"), "it had finished"
    shutil.rmtree(copied.path / "data/tasks")
    printed = copied.run(*CLUSTER, "finetune_xnli@step-0", *LOCAL).stdout
    assert "fetch_transfer" not in printed
    assert "stages run: 1, restored: 0" in printed
    assert_as_after_a_plain_repro(finished, copied)


@pytest.mark.slow
def test_a_failing_stage_is_shown_whole_and_the_others_are_kept(copied: Project) -> None:
    start = 'if __name__ == "__main__":\n'
    broken = '    print("first line of it\\nlast line of it", flush=True)\n    raise SystemExit(3)\n'
    copied.replace("src/polyprobe/stages/fetch_transfer.py", start, start + broken)
    copied.commit("a stage that fails")
    forget(copied, "predictors")
    shutil.rmtree(copied.path / "data/tasks")
    done = copied.run(*CLUSTER, "finetune_pos@step-0", "probe@step-0", *LOCAL, check=False)
    assert done.returncode == 1
    log = next((copied.path / ".scratch/cluster").glob("*/fetch_transfer.log"))
    assert log.read_text(encoding="utf-8").strip() in done.stdout
    assert "first line of it\nlast line of it\n" in done.stdout
    assert f"error: fetch_transfer: exit code 255; its log is above, and in {log}" in done.stdout
    assert "not run, because they wait for it: finetune_pos@step-0\n" in done.stdout
    assert done.stdout.count("started   fetch_transfer") == 1, "what fails by itself is not run again"
    assert_nothing_left(copied)
    assert "Traceback" not in done.stdout


def test_what_is_not_committed_is_refused(copied: Project) -> None:
    copied.replace("params.yaml", "k: 6\n", "k: 5\n")
    (copied.path / "src/polyprobe/new.py").touch()
    (copied.path / "metrics/summary.json").write_text("{}\n", encoding="utf-8")
    done = copied.run(*CLUSTER, *LOCAL, check=False)
    assert done.returncode == 1
    named = "params.yaml, src/polyprobe/new.py"
    assert done.stdout == f"error: workers work at a commit: commit (or ignore) what differs from it first: {named}\n"
    with FileLock(copied.path / ".scratch/cluster/lock"):
        done = copied.run(*CLUSTER, *LOCAL, check=False)
    assert done.returncode == 1
    assert "another `cluster repro` is at work in this repository" in done.stdout
    done = copied.run(*CLUSTER, "no_such_stage", *LOCAL, check=False)
    assert done.returncode == 1
    assert done.stdout == "error: dvc.yaml: Stage 'no_such_stage' not found inside 'dvc.yaml' file\n"


@pytest.mark.slow
def test_workers_that_share_no_file_system(finished: Project, copied: Project, tmp_path: Path) -> None:
    copied.run("git", "init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    copied.run("git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    copied.run("git", "push", "--quiet", "origin", "main")
    copied.run("dvc", "remote", "modify", "--local", "storage", "url", str(tmp_path / "remote"))
    # pretrain has an output that the cache does not hold, which no remote brings.
    forget(copied, "pretrain@pocket", "probe@step-0", "probe@step-20", "overlap")
    printed = copied.run(*CLUSTER, "overlap", *LOCAL, "--remote", "storage").stdout
    ran = {line.split()[1] for line in printed.splitlines() if line.startswith("ran ")}
    assert ran == {"pretrain@pocket", "probe@step-0", "probe@step-20", "overlap"}
    assert "run once more" not in printed
    assert_as_after_a_plain_repro(finished, copied)
    assert list((tmp_path / "remote/runs").rglob("*"))


@pytest.mark.slow
def test_a_scheduler_that_is_there_already(finished: Project, copied: Project, tmp_path: Path) -> None:
    forget(copied, "probe@step-0", "probe@step-20")
    scheduler_file = tmp_path / "scheduler.json"
    places = ["--host", "127.0.0.1"]
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(scheduler_file), *places]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(scheduler_file), *places]
    with (tmp_path / "dask").open("wb") as opened:
        started: list[subprocess.Popen[bytes]] = []
        try:
            started.append(copied.start(*dask, "--port", "0", "--no-dashboard", output=opened))
            for _ in range(2):
                folder = ["--local-directory", str(tmp_path / "dask-worker")]
                started.append(copied.start(*worker, *folder, "--nthreads", "1", "--no-dashboard", output=opened))
            wait_for(scheduler_file.exists, "the scheduler")
            address = json.loads(scheduler_file.read_text(encoding="utf-8"))["address"]
            printed = copied.run(*CLUSTER, "probe", "--scheduler", address).stdout
            assert "stages run: 2, restored: 0" in printed
            assert_as_after_a_plain_repro(finished, copied)
        finally:
            for process in reversed(started):
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()


@pytest.mark.slow
def test_nobody_at_the_scheduler(copied: Project) -> None:
    forget(copied, "report")
    done = copied.run(*CLUSTER, "--scheduler", "tcp://127.0.0.1:1", check=False)
    assert done.returncode == 1
    assert "error: --scheduler tcp://127.0.0.1:1: " in done.stdout
    assert "Traceback" not in done.stdout
    assert_nothing_left(copied)
