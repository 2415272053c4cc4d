"""The finished tiny study, and copies of it to do things to."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_project import Project, make_project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study, run once from an empty cache and committed. Tests work on copies: see `project`."""
    project = make_project(tmp_path_factory.mktemp("finished") / "project")
    ran = project.repro()
    assert {"fetch_ud", "pretrain@pocket", "probe@step-20", "finetune_xnli@step-0", "report"} <= ran
    project.commit("tiny study")
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of the finished study, cache included, to do things to."""
    path = tmp_path / "project"
    shutil.copytree(finished.path, path, symlinks=True)
    copied = Project(path)
    assert copied.repro() == set()
    yield copied
    shutil.rmtree(path)
