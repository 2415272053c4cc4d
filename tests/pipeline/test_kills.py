"""Killed at any moment, with everything that it started, the study goes on to the same bytes."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from support.damage import differing, forget
from support.tiny_project import Project

pytestmark = pytest.mark.pipeline

STAGES = ("pretrain@pocket", "extract@step-20", "probe@step-20", "finetune_pos@step-20")
OFTEN = ("extract@step-20", "finetune_pos@step-20")
"""Killed once each by `make test-slow`."""
KILLS_IN_SOAK = 5
"""Of each stage."""


@dataclass(frozen=True)
class Victim:
    """A copy of the finished study that is brought to where one stage is to be run, and killed there."""

    project: Project
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each stage takes, dvc's own work for it included."""

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
            forget(self.project, stage)
            process = self.start(stage)
            started = time.monotonic()
            assert process.wait() == 0
            self.seconds[stage] = time.monotonic() - started
        return self.seconds[stage]

    def kill(self, stage: str, moment: Callable[[], float]) -> None:
        """Kills a run of the stage, `moment` (a share of its usual time) after its begin."""
        usual = self.usual_seconds(stage)
        while True:
            forget(self.project, stage)
            process = self.start(stage)
            time.sleep(moment() * usual)
            ended = process.poll() is not None
            if not ended:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not ended:
                return

    def go_on(self) -> None:
        """What a user does: where dvc refuses, for it was killed while it wrote a file of its own, asks the doctor."""
        if self.project.run("dvc", "repro", check=False).returncode != 0:
            self.project.run("python", "-m", "polyprobe", "doctor", "--fix")
            self.project.dvc("repro")


@pytest.fixture(scope="module")
def victim(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    path = tmp_path_factory.mktemp("victim") / "project"
    shutil.copytree(finished.path, path, symlinks=True)
    yield Victim(Project(path))
    shutil.rmtree(path)


def each_kill() -> Sequence[object]:
    often = [pytest.param(stage, 0, marks=pytest.mark.slow, id=f"{stage}-0") for stage in OFTEN]
    return often + [
        pytest.param(stage, number, marks=pytest.mark.soak, id=f"{stage}-{number}")
        for stage in STAGES
        for number in range(1, KILLS_IN_SOAK + 1)
    ]


@pytest.mark.parametrize(("stage", "number"), each_kill())
def test_a_killed_study_goes_on_to_the_same_bytes(finished: Project, victim: Victim, stage: str, number: int) -> None:
    generator = random.Random(f"{stage} {number}")
    victim.kill(stage, generator.random)
    victim.go_on()
    assert differing(finished, victim.project) == set()
    assert "up to date" in victim.project.dvc("status")
    assert victim.project.unfinished() == []
