"""Every command of README.md and docs/ is run by a test or says what it needs; those of README.md are run here."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support import ROOT, documented
from support.documented import Command, commands, runs_elsewhere, simple, table
from support.reader import Reader, another_checkpoint, with_environment
from support.tiny_project import Project

RUN_HERE = "tests/pipeline/test_documented_commands.py"
PAGES = [page for page, file in table().pages.items() if file == RUN_HERE]
"""Whose blocks are run here: README.md, scaling.md, sharing.md, troubleshooting.md."""


def test_every_command_is_run_or_marked() -> None:
    found = [one for page in documented.pages() for one in commands(page)]
    assert documented.uncovered(found, table()) == []


@pytest.fixture
def reader(finished: Project, tmp_path: Path) -> Iterator[Reader]:
    """Someone with the finished study, what `make install` makes, and another study's file."""
    path = tmp_path / "project"
    shutil.copytree(finished.path, path, symlinks=True)
    project = Project(path)
    with_environment(project)
    (path / "studies/other.yaml").write_text(
        (path / "studies/tiny.yaml").read_text(encoding="utf-8").replace("  k: 6\n", "  k: 5\n"), encoding="utf-8"
    )
    kept = "docs/results/local/metrics/corpus.json"
    (path / kept).parent.mkdir(parents=True)
    shutil.copy(ROOT / kept, path / kept)
    project.commit("what a reader has")
    project.run("git", "clone", "--quiet", "--bare", str(path), str(tmp_path / "shared.git"))
    another_checkpoint(project, tmp_path / "mine", step=500)
    yield Reader(
        project, table().placeholders | {"FOLDER": str(tmp_path / "mine"), "URL": str(tmp_path / "shared.git")}
    )
    shutil.rmtree(path)


def blocks(page: str) -> list[Command]:
    """The commands of a page's blocks, without those that need what is not here."""
    return [one for one in commands(page) if one.block is not None and not one.needs]


@pytest.mark.pipeline
def test_the_short_commands_run(reader: Reader) -> None:
    """One of each kind; `slow` runs all."""
    for command in blocks("README.md"):
        if command.text.startswith(("dvc metrics", "polyprobe study list", "dvc exp show")):
            reader.types(replace(command, text=command.text.replace("HEAD k4", "HEAD")))


@pytest.mark.pipeline
@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run_in_its_order(reader: Reader, page: str) -> None:
    found, known = blocks(page), table()
    assert found
    if found[0].text.startswith("git clone"):
        # A page for someone who has nothing yet; whoever has the study has pushed it.
        reader.project.dvc("push", "--run-cache")
        reader.where = reader.project.path.parent
    for command in found:
        if not runs_elsewhere(command, known):
            reader.types(command)
        elif command.text == "make install" and not (reader.where / ".venv").exists():
            with_environment(Project(reader.where))


@pytest.mark.pipeline
@pytest.mark.slow
def test_what_sentences_name_runs(reader: Reader) -> None:
    inline = {
        part: one for page in documented.pages() for one in commands(page) for part in (one.text, *simple(one.text))
    }
    entries = [entry for entry in table().elsewhere if entry.here]
    assert len(entries) > 10
    for entry in entries:
        reader.types(replace(inline[entry.command], text=entry.by or entry.command))
