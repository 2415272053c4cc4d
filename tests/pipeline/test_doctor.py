"""The doctor names each planted fault with what to do, and fixes what is safe to fix; a healthy study has none."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from polyprobe.ops.doctor import CHECKS, Finding, examine, fix
from polyprobe.running.errors import BadInputError
from support.damage import cut, differing, flip, object_of, overwrite
from support.tiny_project import Project

pytestmark = pytest.mark.pipeline

OUTPUT = "data/probes/step-20.parquet"


def named(group: str) -> list[Finding]:
    """What a group of checks finds wrong here."""
    return [finding for finding in examine([group]) if finding.level != "ok"]


@pytest.mark.slow
def test_a_healthy_study_has_no_fault(finished: Project) -> None:
    done = finished.run("python", "-m", "polyprobe", "doctor")
    lines = done.stdout.splitlines()
    assert len(lines) > len(CHECKS)
    assert [line for line in lines if line.startswith("fault")] == []
    assert lines[-1].endswith("0 fault")
    assert "ok       cache: read" in done.stdout
    assert "ok       study: tiny, as in studies/tiny.yaml" in done.stdout


# Each fault: what was done, how bad it is, whether it is fixed, and what its line says


@dataclass(frozen=True)
class Planted:
    group: str
    """Of checks, that is to find it."""
    plant: Callable[[Project], object]
    level: str
    fixed: bool
    says: tuple[str, ...]
    heal: Callable[[Project], object] = lambda project: None


def empty(name: str) -> Callable[[Project], object]:
    return lambda project: (project.path / name).write_text("")


def write(name: str, text: str) -> Callable[[Project], object]:
    return lambda project: (project.path / name).write_text(text)


def remove(name: str) -> Callable[[Project], object]:
    return lambda project: (project.path / name).unlink()


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def locked_by(pid: Callable[[], int]) -> Callable[[Project], object]:
    def plant(project: Project) -> None:
        holder = {"pid": pid(), "cmd": "dvc repro"}
        said = {"write": {str(project.path / OUTPUT): holder}, "read": {}}
        (project.path / ".dvc/tmp/rwlock").write_text(json.dumps(said))

    return plant


def conflict(name: str) -> Callable[[Project], object]:
    def plant(project: Project) -> None:
        text = (project.path / name).read_text()
        (project.path / name).write_text(text.replace("\n", "\n<<<<<<< HEAD\n", 1))

    return plant


def committed(name: str) -> Callable[[Project], object]:
    return lambda project: project.run("git", "checkout", "--force", "HEAD", "--", name)


def worktree_gone(project: Project) -> None:
    folder = project.path.parent / "worktree"
    project.run("git", "worktree", "add", "--detach", str(folder))
    shutil.rmtree(folder)


def half_written(project: Project) -> None:
    (project.path / f"data/probes/.step-20.parquet.{dead_process()}.tmp").write_text("half")
    (project.path / f"data/embeddings/.step-20.{dead_process()}.tmp/layer-2").mkdir(parents=True)


def first_entry(project: Project) -> Path:
    return min(file for file in (project.path / ".dvc/cache/runs").rglob("*") if file.is_file())


def checked_out_damaged(project: Project) -> None:
    flip(object_of(project, OUTPUT))
    (project.path / OUTPUT).unlink()
    project.dvc("checkout")


def another_ones_data(project: Project) -> None:
    (project.path / OUTPUT).write_bytes(b"edited by hand, of another length")


def restore(name: str) -> Callable[[Project], object]:
    def heal(project: Project) -> None:
        (project.path / name).unlink(missing_ok=True)
        project.dvc("checkout", name)

    return heal


PLANTED = {
    "an empty rwlock": Planted("locks", empty(".dvc/tmp/rwlock"), "fault", True, ("rwlock: ", "is empty", "`rm ")),
    "an rwlock of a dead process": Planted(
        "locks",
        locked_by(dead_process),
        "warning",
        True,
        ("rwlock: processes that ended still lock", OUTPUT, "`rm "),
    ),
    "an rwlock whose process's number another one has": Planted(
        "locks",
        locked_by(lambda: 1),
        "fault",
        True,
        ("rwlock: processes that ended still lock", OUTPUT, "others have their numbers", "`rm "),
    ),
    "git's lock": Planted("locks", empty(".git/index.lock"), "fault", True, ("git: ", "index.lock is left", "`rm ")),
    "an empty dvc.lock": Planted(
        "pipeline",
        empty("dvc.lock"),
        "fault",
        True,
        ("dvc.lock: half-written or damaged: it is empty", "`git checkout dvc.lock`"),
    ),
    "a half-written dvc.lock": Planted(
        "pipeline",
        write("dvc.lock", "schema: '2.0'\nstages:\n  fetch_ud:\n    cm"),
        "fault",
        True,
        ("dvc.lock: half-written or damaged: not what DVC writes", "`git checkout dvc.lock`"),
    ),
    "a dvc.lock with a conflict": Planted(
        "pipeline",
        conflict("dvc.lock"),
        "fault",
        True,
        ("dvc.lock: line 2 is a conflict marker", "`git checkout dvc.lock`"),
    ),
    "a params.yaml with a conflict": Planted(
        "pipeline",
        conflict("params.yaml"),
        "fault",
        False,
        ("params.yaml: line 2 is a conflict marker", "git checkout --ours"),
        committed("params.yaml"),
    ),
    "a dvc.yaml with a conflict": Planted(
        "pipeline",
        conflict("dvc.yaml"),
        "fault",
        False,
        ("dvc.yaml: line 2 is a conflict marker", "git checkout --ours"),
        committed("dvc.yaml"),
    ),
    "an unknown parameter": Planted(
        "pipeline",
        lambda project: project.replace("params.yaml", "overlap:\n  k: 6", "overlap:\n  q: 1\n  k: 6"),
        "fault",
        False,
        ("study: params.yaml: overlap.q: unknown key", "`git checkout params.yaml`"),
        committed("params.yaml"),
    ),
    "a pipeline that dvc does not understand": Planted(
        "pipeline",
        write("dvc.yaml", "stages:\n  overlap:\n    comand: x\n"),
        "fault",
        False,
        ("dvc.yaml: ", "`git checkout dvc.yaml`"),
        committed("dvc.yaml"),
    ),
    "a truncated object": Planted(
        "cache",
        lambda project: cut(object_of(project, OUTPUT)),
        "fault",
        True,
        ("cache: 1 objects are damaged", OUTPUT, "`dvc repro` or `make pull`"),
    ),
    "a flipped list of files": Planted(
        "cache",
        lambda project: flip(object_of(project, "data/embeddings/step-20")),
        "fault",
        True,
        ("cache: 1 objects are damaged", "the list of files of data/embeddings/step-20"),
    ),
    "an object that only the workspace has": Planted(
        "cache",
        lambda project: object_of(project, OUTPUT).unlink(),
        "warning",
        True,
        ("cache: 1 objects are missing", OUTPUT),
    ),
    "a damaged object, checked out": Planted(
        "cache",
        checked_out_damaged,
        "fault",
        True,
        ("outputs: damaged, though `dvc status` takes them for whole", OUTPUT),
        lambda project: project.repro(),
    ),
    "a damaged entry of the run-cache": Planted(
        "run-cache",
        lambda project: cut(first_entry(project)),
        "fault",
        True,
        ("run-cache: 1 entries are damaged", "`rm -r "),
    ),
    "a run that ended while it remembered its first": Planted(
        "run-cache",
        lambda project: (project.path / ".dvc/cache/runs/00/0000").mkdir(parents=True),
        "fault",
        True,
        ("run-cache: 0 entries are damaged, 1 are empty", "`rm -r "),
    ),
    "outputs of another commit": Planted(
        "cache",
        another_ones_data,
        "warning",
        False,
        ("outputs: other than dvc.lock says", OUTPUT, "`dvc checkout`"),
        restore(OUTPUT),
    ),
    "an output that is not here": Planted(
        "cache",
        remove(OUTPUT),
        "warning",
        False,
        ("outputs: 1 files are not here", OUTPUT, "`dvc repro`"),
        restore(OUTPUT),
    ),
    "files of killed runs": Planted("leftovers", half_written, "warning", True, ("left behind: ", ".step-20.parquet.")),
    "a worktree whose folder is gone": Planted(
        "leftovers",
        worktree_gone,
        "warning",
        True,
        ("worktrees: git knows folders that are gone", "`git worktree prune`"),
    ),
    "no page to draw plots in": Planted(
        "repository",
        remove(".dvc/plots/offline.html"),
        "fault",
        True,
        ("plots: .dvc/plots/offline.html is missing", "`polyprobe offline-plots`"),
    ),
    "a remote that is not verified": Planted(
        "remotes",
        lambda project: project.dvc("remote", "modify", "--local", "storage", "verify", "false"),
        "fault",
        True,
        ("remote 'storage': `verify` is not set", "`dvc remote modify --local storage verify true`"),
    ),
    "no remote": Planted(
        "remotes",
        lambda project: project.replace(".dvc/config", "remote = storage", "remote = nowhere"),
        "warning",
        False,
        ("remote: none is set as the default", "`dvc remote add --default"),
        committed(".dvc/config"),
    ),
}  # fmt: skip
SLOW = {"no page to draw plots in"}


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in PLANTED]
)
def test_a_planted_fault_is_named_and_fixed(small_copy: Project, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = PLANTED[fault]
    monkeypatch.chdir(small_copy.path)
    planted.plant(small_copy)
    found = named(planted.group)
    right = [finding for finding in found if all(part in finding.line() for part in planted.says)]
    assert len(right) == 1, [finding.line() for finding in found]
    assert right[0].level == planted.level
    assert right[0].advice
    did = list(fix([planted.group]))
    assert any(finding.subject == right[0].subject for finding, _ in did) == planted.fixed
    assert not any("could not be fixed" in text for _, text in did), did
    planted.heal(small_copy)
    assert named(planted.group) == []


@pytest.mark.slow
def test_many_faults_at_once_are_named_and_fixed_by_the_command(small: Project, small_copy: Project) -> None:
    for fault in ("an empty rwlock", "git's lock", "a damaged entry of the run-cache", "files of killed runs",
                  "a remote that is not verified"):  # fmt: skip
        PLANTED[fault].plant(small_copy)
    flip(object_of(small_copy, OUTPUT))
    lock = small_copy.path / "dvc.lock"
    overwrite(lock, lock.read_bytes()[:100] + b"\n<<<<<<<")
    done = small_copy.run("python", "-m", "polyprobe", "doctor", check=False)
    assert done.returncode == 1
    faults = [line.split(":")[0].removeprefix("fault").strip() for line in done.stdout.splitlines()
              if line.startswith("fault")]  # fmt: skip
    assert set(faults) >= {"rwlock", "git", "dvc.lock", "run-cache", "remote 'storage'"}
    fixed = small_copy.run("python", "-m", "polyprobe", "doctor", "--fix", check=False)
    assert fixed.returncode == 0, fixed.stdout
    assert fixed.stdout.count("fixed ") >= 7
    assert small_copy.repro() == set()
    assert differing(small, small_copy) == set()


REPOSITORY = tuple(name for name in CHECKS if name != "environment")


def test_nothing_is_changed_unless_asked(small_copy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(object_of(small_copy, OUTPUT))
    before = {file: file.read_bytes() for file in sorted(small_copy.path.rglob("*")) if file.is_file()}
    monkeypatch.chdir(small_copy.path)
    assert [finding.level for finding in examine(REPOSITORY) if finding.subject == "cache"] == ["ok", "fault"]
    assert {file: file.read_bytes() for file in sorted(small_copy.path.rglob("*")) if file.is_file()} == before


def test_nothing_is_fixed_while_dvc_is_at_work(small_copy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_copy.path)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "dvc", "repro"])
    try:
        locked_by(lambda: process.pid)(small_copy)
        (found,) = named("locks")
        assert found.line() == f"warning  rwlock: process {process.pid} is at work: dvc repro; wait for it to end"
        (small_copy.path / ".git/index.lock").touch()
        with pytest.raises(BadInputError, match="nothing is fixed while others work here: process "):
            list(fix())
        assert (small_copy.path / ".git/index.lock").exists()
    finally:
        process.kill()
        process.wait()
    assert len(list(fix(["locks"]))) == 2
    assert named("locks") == []


def test_at_least_ten_faults_are_planted() -> None:
    assert sum(planted.level == "fault" for planted in PLANTED.values()) >= 10
