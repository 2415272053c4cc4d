"""Every command of README.md and docs/ is run by a test or says what it needs; those of README.md are run here."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support import ROOT, documented
from support.documented import Command, DocumentationError, commands, runs_elsewhere, simple, substituted, table
from support.reader import Reader, another_checkpoint, with_environment
from support.tiny_project import Project

RUN_HERE = "tests/pipeline/test_documented_commands.py"
PAGES = [page for page, file in table().pages.items() if file == RUN_HERE]
"""Whose blocks are run here: README.md, scaling.md, sharing.md, troubleshooting.md."""


def test_every_command_is_run_or_marked() -> None:
    found = [one for page in documented.pages() for one in commands(page)]
    assert documented.uncovered(found, table()) == []


PAGE = """# A page

Look with `dvc metrics show`, or with `python -m nothing.at
all --here`.

```bash
dvc repro    # everything
python -m nothing.at \\
  all --here && dvc status
```

<!-- needs: gpu -->
```bash
python -m heavy
```

<!-- needs: cluster -->
Or `sbatch job.sh`, then `sbatch other.sh`.

Then `sbatch third.sh`.

   ```python
   dvc = "no command"
   ```
"""


def page(folder: Path, text: str) -> list[Command]:
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs/page.md").write_text(text, encoding="utf-8")
    return commands("docs/page.md", folder)


def test_a_new_command_is_told_by_its_file_and_line(tmp_path: Path) -> None:
    found = page(tmp_path, PAGE)
    assert [(one.line, one.text, one.needs) for one in found] == [
        (3, "dvc metrics show", None),
        (3, "python -m nothing.at all --here", None),
        (7, "dvc repro", None),
        (8, "python -m nothing.at all --here && dvc status", None),
        (14, "python -m heavy", "gpu"),
        (18, "sbatch job.sh", "cluster"),
        (18, "sbatch other.sh", "cluster"),
        (20, "sbatch third.sh", None),
    ]
    wrong = documented.uncovered(found, documented.Table({}, [], {}))
    assert [line.split(": ")[0] for line in wrong] == [f"docs/page.md:{line}" for line in (3, 7, 8, 20)]
    assert "`dvc metrics show`" in wrong[0]
    # A test that runs the page's blocks covers them, and what sentences take from them.
    (tmp_path / "test_page.py").write_text("page.md", encoding="utf-8")
    known = documented.Table(
        {"docs/page.md": "test_page.py"}, [documented.Elsewhere("dvc metrics show", here=True)], {}
    )
    wrong = documented.uncovered(found, known, tmp_path)
    assert [line.split(": ")[0] for line in wrong] == ["docs/page.md:20"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (documented.Elsewhere("dvc metrics show"), "expected one of"),
        (documented.Elsewhere("dvc metrics show", needs="money"), "needs 'money'"),
        (documented.Elsewhere("dvc metrics show", run_by="nowhere.py"), "no file nowhere.py"),
        (documented.Elsewhere("dvc metrics show", run_by="Makefile"), "not in Makefile"),
        (documented.Elsewhere("dvc never", advice="no"), "stands on no page"),
    ],
)
def test_an_entry_that_leads_nowhere_is_told(tmp_path: Path, entry: documented.Elsewhere, reason: str) -> None:
    (tmp_path / "Makefile").write_text("repro:\n\tdvc metrics diff\n", encoding="utf-8")
    wrong = documented.uncovered(page(tmp_path, "`dvc metrics show`\n"), documented.Table({}, [entry], {}), tmp_path)
    assert any(reason in line for line in wrong), wrong


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("```\ndvc repro\n```\n", "docs/page.md:1: a block of 'nothing'"),
        ("\n```fish\ndvc repro\n```\n", "docs/page.md:2: a block of 'fish'"),
        ("```bash\ndvc repro\n", "docs/page.md:1: a block that does not end"),
        ("```bash\ndvc repro \\\n```\n", "docs/page.md:2: a command that does not end"),
        ("<!-- needs: luck -->\n", "docs/page.md:1: needs: 'luck'"),
    ],
)
def test_a_page_that_cannot_be_read_is_told(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DocumentationError, match=reason):
        page(tmp_path, text)


def test_placeholders_are_whole_words() -> None:
    assert (
        substituted("use local && dvc --local local", {"use local": "use x", "local": "y"}) == "use x && dvc --local y"
    )


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
