"""docs/experiments.md: each command of the page, in its order, on the study `tiny`."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from support.documented import Command, commands, runs_elsewhere, table
from support.reader import Reader, another_checkpoint
from support.tiny_project import Project, stages_run

pytestmark = pytest.mark.pipeline

PAGE = "docs/experiments.md"
AGGREGATES = {"overlap", "correlate", "predictors", "report"}
CHECKPOINTS = ("step-0", "step-20")
TABLES = ("metrics", "plots")
GRID = {"grid-1": (2, "holm"), "grid-2": (2, "none"), "grid-3": (4, "holm"), "grid-4": (4, "none")}


def each(*stages: str) -> set[str]:
    return {f"{stage}@{checkpoint}" for stage in stages for checkpoint in CHECKPOINTS}


def own(key: str) -> set[str]:
    return {f"{stage}@{key}" for stage in ("resolve", "extract", "probe", "finetune_xnli", "finetune_pos")}


RUNS = {
    "k4": AGGREGATES,
    "k3": AGGREGATES,
    "three-k": AGGREGATES,
    "ends": each("extract", "probe") | AGGREGATES,
    "depth": each("extract", "probe") | AGGREGATES,
    "fewer": {"verify_checkpoints"} | AGGREGATES,
    "more": own("mine") | {"verify_checkpoints"} | AGGREGATES,
    "isolated": each("extract", "probe") | AGGREGATES,
    "gaussian": each("probe") | AGGREGATES,
}
"""What each experiment of the page runs."""


def reference(project: Project, name: str) -> str:
    """The git reference of an experiment."""
    return project.run("git", "for-each-ref", "--format=%(refname)", f"refs/exps/**/{name}").stdout.strip()


def at(project: Project, revision: str, file: str) -> str:
    """A file of an experiment, or of another revision."""
    return project.run("git", "show", f"{reference(project, revision) or revision}:{file}").stdout


def tables(project: Project, revision: str) -> str:
    """Every table of an experiment, by the hash of its bytes."""
    return project.run("git", "ls-tree", "-r", reference(project, revision) or revision, "--", *TABLES).stdout


def report_hash(project: Project, revision: str) -> str:
    found = re.search(r"path: data/report\n\s+hash: md5\n\s+md5: (\w+)", at(project, revision, "dvc.lock"))
    assert found
    return found[1]


def shown(printed: str) -> dict[str, dict[str, str]]:
    """The rows of `dvc exp show --csv` by experiment."""
    return {row["Experiment"] or row["rev"]: row for row in csv.DictReader(StringIO(printed))}


def clean(project: Project) -> None:
    assert project.run("git", "status", "--porcelain", "--untracked-files=no").stdout == ""
    assert "up to date" in project.dvc("status")


@pytest.fixture
def reader(finished: Project, tmp_path: Path) -> Reader:
    """Someone with the finished study, a bare git repository and a remote beside it, and a checkpoint of their own."""
    path = tmp_path / "project"
    shutil.copytree(finished.path, path, symlinks=True)
    project = Project(path)
    another_checkpoint(project, tmp_path / "mine", step=500)
    project.run("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(tmp_path / "shared.git"))
    project.run("git", "remote", "add", "origin", "../shared.git")
    return Reader(project, table().placeholders | {"FOLDER": str(tmp_path / "mine"), "URL": "../shared.git"})


@pytest.mark.slow
def test_a_k_runs_the_aggregates_and_going_back_restores(reader: Reader) -> None:
    first, back = [one for one in commands(PAGE) if one.section == "Vary one thing"][:2]
    before = tables(reader.project, "HEAD")
    assert stages_run(reader.types(first)) == RUNS["k4"]
    assert "k: 4" in (reader.project.path / "params.yaml").read_text(encoding="utf-8")
    reader.types(back)
    clean(reader.project)
    assert tables(reader.project, "k4") != before == tables(reader.project, "HEAD")


def varied(reader: Reader, command: Command, printed: str) -> None:
    """The right stages ran, and a run in a folder of its own left the workspace alone."""
    name = command.text.split("--name ")[1].split()[0]
    ran = stages_run(printed)
    if name == "by":
        # Of two languages there is one pair, whose p needs no correction.
        assert ran == {"overlap", "report"}
        assert tables(reader.project, name) == tables(reader.project, "HEAD")
    else:
        assert ran == RUNS[name], name
        assert tables(reader.project, name) != tables(reader.project, "HEAD")
    assert report_hash(reader.project, name) != report_hash(reader.project, "HEAD")
    if "--temp" in command.text:
        clean(reader.project)


def compared(reader: Reader, command: Command, printed: str) -> None:
    head, k4 = (json.loads(at(reader.project, revision, "metrics/summary.json")) for revision in ("HEAD", "k4"))
    assert f"{head['overlap_chance']:.5g}" in printed
    assert f"{k4['overlap_chance']:.5g}" in printed


def drawn(reader: Reader, command: Command, printed: str) -> None:
    page = reader.project.path / "dvc_plots/index.html"
    text = page.read_text(encoding="utf-8")
    assert all(f'"rev": "{revision}"' in text or f'"rev":"{revision}"' in text for revision in ("HEAD", "k3", "k4"))
    assert "https://cdn" not in text
    shutil.rmtree(page.parent)


def finished_grid(reader: Reader, command: Command, printed: str) -> None:
    """A grid gives what each of its experiments gives alone."""
    project = reader.project
    for name, (k, correction) in GRID.items():
        parameters = at(project, name, "params.yaml")
        assert f"k: {k}\n" in parameters
        assert f"correction: {correction}\n" in parameters
    assert tables(project, "grid-3") == tables(project, "k4")
    assert report_hash(project, "grid-3") == report_hash(project, "k4")
    clean(project)


def all_rows(reader: Reader, command: Command, printed: str) -> None:
    assert {"k3", "k4", "gaussian"} <= set(re.findall(r"[\w-]+", printed))


def branched(reader: Reader, command: Command, printed: str) -> None:
    project = reader.project
    assert project.run("git", "diff", "fewer-neurons", reference(project, "k4"), "--", *TABLES, "dvc.lock").stdout == ""


def up_to_date(reader: Reader, command: Command, printed: str) -> None:
    assert "up to date" in reader.project.dvc("status")


def removed(reader: Reader, command: Command, printed: str) -> None:
    assert reference(reader.project, "three-k") == reference(reader.project, "by") == ""
    assert reference(reader.project, "k4") != ""


def listed(reader: Reader, command: Command, printed: str) -> None:
    assert "gaussian" in printed
    assert "isolated" not in printed


def nothing_computed(reader: Reader, command: Command, printed: str) -> None:
    theirs = Project(reader.where)
    assert theirs.path != reader.project.path
    assert stages_run(printed) == set()
    assert "up to date" in printed
    assert "up to date" in theirs.dvc("status")
    assert (theirs.path / "data/report/index.html").stat().st_size > 0
    for name in project_files(reader.project, "gaussian"):
        assert (theirs.path / name).read_text(encoding="utf-8") == at(reader.project, "gaussian", name), name


def project_files(project: Project, revision: str) -> list[str]:
    return [line.split("\t")[1] for line in tables(project, revision).splitlines()]


Check = Callable[[Reader, Command, str], None]
CHECKS: dict[str, Check] = {
    "dvc exp run --name": varied,
    "dvc exp run --temp": varied,
    "dvc metrics diff": compared,
    "dvc plots diff": drawn,
    "dvc queue logs --follow": finished_grid,
    "dvc exp show": all_rows,
    "dvc exp branch": branched,
    "git checkout": up_to_date,
    "dvc exp apply grid-2": up_to_date,
    "dvc exp remove": removed,
    "dvc exp list": listed,
    "dvc repro": nothing_computed,
}
"""What must be true after a command that begins so."""


@pytest.mark.slow
def test_every_command_of_the_page_in_its_order(reader: Reader) -> None:
    known, checked = table(), set()
    page = [one for one in commands(PAGE) if one.block is not None and not runs_elsewhere(one, known)]
    assert len(page) > 30
    started = False
    try:
        for command in page:
            waits = started and command.text == "dvc queue status"
            printed = reader.waits_for(command, "Queued", "Running") if waits else reader.types(command)
            if waits:
                assert printed.count("Success") == len(GRID)
            started |= command.text.startswith("dvc queue start")
            for beginning, check in CHECKS.items():
                if command.text.startswith(beginning):
                    check(reader, command, printed)
                    checked.add(beginning)
    finally:
        if started:
            reader.project.run("dvc", "queue", "stop", "--kill", check=False)
    assert checked == set(CHECKS)


def test_experiments_of_the_page_are_those_that_are_checked() -> None:
    named = {text.split("--name ")[1].split()[0] for one in commands(PAGE) if "--name " in (text := one.text)}
    assert named == set(RUNS) | {"by", "grid"}
