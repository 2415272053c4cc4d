"""Killed at any moment, with everything that it started, the study goes on to the same bytes."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from ruamel.yaml import YAML
from tiny_project import Project

from polyprobe.running.run_log import NAME as LOG

pytestmark = pytest.mark.pipeline

STAGES = ("pretrain@pocket", "extract@step-20", "probe@step-20", "finetune_pos@step-20")
KILLS, KILLS_IN_SOAK = 2, 10


def contents(project: Project) -> dict[str, str]:
    """The digest of every output; that of a file which is not there is none."""
    return {
        str(file.relative_to(project.path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for folder in ("data", "metrics", "plots")
        for file in sorted((project.path / folder).rglob("*"))
        if file.is_file()
    }


@dataclass(frozen=True)
class Victim:
    """A copy of the finished study that is brought to where one stage is to be run, and killed there."""

    project: Project
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each stage takes, dvc's own work for it included."""

    def forget(self, stage: str) -> None:
        """Leaves everything but what the stage made: `dvc repro` has to run it, and finds nothing to restore."""
        lock, yaml = self.project.path / "dvc.lock", YAML()
        computed = yaml.load(lock)
        for out in computed["stages"].pop(stage)["outs"]:
            path = self.project.path / out["path"]
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        yaml.dump(computed, lock)
        shutil.rmtree(self.project.path / ".dvc/cache/runs")
        shutil.rmtree(self.project.path / ".scratch", ignore_errors=True)

    def start(self, stage: str) -> subprocess.Popen[bytes]:
        """Starts `dvc repro` and returns when the stage's command is about to be started."""
        output = self.project.path.parent / "output"
        with output.open("wb") as opened:
            process = self.project.start("dvc", "repro", output=opened)
        while f"Running stage '{stage}'" not in output.read_text(encoding="utf-8"):
            assert process.poll() is None, output.read_text(encoding="utf-8")
            time.sleep(0.01)
        return process

    def usual_seconds(self, stage: str) -> float:
        """How long an unbroken run of the stage takes."""
        if stage not in self.seconds:
            self.forget(stage)
            process = self.start(stage)
            started = time.monotonic()
            assert process.wait() == 0
            self.seconds[stage] = time.monotonic() - started
        return self.seconds[stage]

    def kill(self, stage: str, moment: Callable[[], float]) -> None:
        """Kills a run of the stage, `moment` (a share of its usual time) after its begin."""
        usual = self.usual_seconds(stage)
        while True:
            self.forget(stage)
            process = self.start(stage)
            time.sleep(moment() * usual)
            ended = process.poll() is not None
            if not ended:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not ended:
                return

    def go_on(self) -> None:
        """What a user does. A kill while DVC writes its lock leaves an empty file, which it asks to remove."""
        lock = self.project.path / ".dvc/tmp/rwlock"
        if lock.exists() and not lock.read_bytes():
            lock.unlink()
        self.project.dvc("repro")


@pytest.fixture(scope="module")
def victim(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    path = tmp_path_factory.mktemp("victim") / "project"
    shutil.copytree(finished.path, path, symlinks=True)
    yield Victim(Project(path))
    shutil.rmtree(path)


def each_kill() -> list[object]:
    return [
        pytest.param(stage, number, marks=[pytest.mark.soak] if number >= KILLS else [], id=f"{stage}-{number}")
        for stage in STAGES
        for number in range(KILLS + KILLS_IN_SOAK)
    ]


@pytest.mark.parametrize(("stage", "number"), each_kill())
def test_a_killed_study_goes_on_to_the_same_bytes(finished: Project, victim: Victim, stage: str, number: int) -> None:
    generator = random.Random(f"{stage} {number}")
    victim.kill(stage, generator.random)
    victim.go_on()
    expected, found = contents(finished), contents(victim.project)
    assert {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)} == set()
    assert "up to date" in victim.project.dvc("status")
    scratch = [entry.name for entry in (victim.project.path / ".scratch").glob("*")]
    unfinished = [name for name in scratch if name != LOG and "probes" not in name]
    assert unfinished == [], "scratch is removed at the end, but for remembered probes and the log of runs"
