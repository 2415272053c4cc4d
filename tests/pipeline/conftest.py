"""The finished tiny study, a small repository without stages of ours, and copies of them to do things to."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from support.small_repository import make_small_repository
from support.tiny_project import Project, bring_up_to_date, make_project

KEPT = "POLYPROBE_TINY"
"""Names a folder to keep the finished study in between runs of the tests: a minute less each time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process makes the finished study first; meanwhile the others run what does not need it."""
    needing = [item.path for item in items if "finished" in getattr(item, "fixturenames", ())]
    items.sort(key=lambda item: 0 if item.path in needing[:1] else 2 if item.path in needing else 1)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str, testrun_uid: str) -> Project:
    """The tiny study, run once from an empty cache and committed. Tests work on copies: see `project`."""
    if kept := os.environ.get(KEPT):
        home = Path(kept)
    elif worker_id == "master":
        home = tmp_path_factory.mktemp("finished")
    else:
        # Test processes share one: their folders lie beside each other.
        home = tmp_path_factory.getbasetemp().parent / "finished"
    home.mkdir(parents=True, exist_ok=True)
    project, done = Project(home / "project"), home / "done"
    with FileLock(home / "lock"):
        if done.exists():
            if done.read_text() != testrun_uid:
                bring_up_to_date(project.path)
                project.repro()
                project.commit("the working tree as it is now")
        else:
            shutil.rmtree(project.path, ignore_errors=True)
            make_project(project.path)
            ran = project.repro()
            assert {"fetch_ud", "pretrain@pocket", "probe@step-20", "finetune_xnli@step-0", "report"} <= ran
            project.commit("tiny study")
        done.write_text(testrun_uid)
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of the finished study, cache included, to do things to."""
    path = tmp_path / "project"
    shutil.copytree(finished.path, path, symlinks=True)
    yield Project(path)
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A repository whose stages write a few bytes, run and committed. Tests work on copies: see `small_copy`."""
    return make_small_repository(tmp_path_factory.mktemp("small") / "project")


@pytest.fixture
def small_copy(small: Project, tmp_path: Path) -> Project:
    """A copy of the small repository, cache included, to do things to."""
    path = tmp_path / "small"
    shutil.copytree(small.path, path, symlinks=True)
    return Project(path)
