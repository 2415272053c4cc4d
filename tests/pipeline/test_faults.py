"""Damaged, full, read-only, out of time, used twice: in the end the study is whole again, byte for byte."""

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir, suppress
from pathlib import Path

import pytest

from polyprobe.ops.doctor import CHECKS, examine, fix
from support.damage import contents, cut, differing, flip, forget, locked, object_of, overwrite
from support.tiny_project import Project, stages_run

pytestmark = pytest.mark.pipeline

OUTPUT = "data/parallel.parquet"
FOLDER = "data/embeddings/step-20"
STAGES_OF = {OUTPUT: "convert_unimorph", FOLDER: "extract@step-20"}
Damage = Callable[[Path], None]


@pytest.fixture
def study(small_copy: Project) -> Project:
    """What harm is done to."""
    return small_copy


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Mounts something for the time of the test; skips it where that is not permitted."""
    with ExitStack() as mounted:

        def call(*arguments: str, on: Path) -> None:
            if os.geteuid() != 0 or shutil.which("mount") is None:
                pytest.skip("only root can mount a small or read-only disk")
            done = subprocess.run(["mount", *arguments, str(on)], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
            if "remount" not in " ".join(arguments):
                mounted.callback(subprocess.run, ["umount", str(on)], check=True)

        yield call


def refused(project: Project, *command: str) -> str:
    """Runs a command that must fail, and returns what it said; Python's inner life is not shown."""
    done = project.run(*command, check=False)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


ALL = tuple(name for name in CHECKS if name != "environment")
"""Groups of the doctor's checks, but for the environment, which the copies have in common with the tests."""


def faults(project: Project, *groups: str) -> list[str]:
    """What some of the doctor's groups of checks find wrong."""
    with chdir(project.path):
        return [each.line() for each in examine(groups or ALL) if each.level != "ok"]


def fixed(project: Project, *groups: str) -> str:
    """Lets the doctor fix what it can, which must find no fault of those groups afterwards, and returns what it did."""
    with chdir(project.path):
        did = [f"{finding.subject}: {text}" for finding, text in fix(groups or ALL)]
    assert did
    assert [line for line in faults(project, *groups) if line.startswith("fault")] == []
    return "\n".join(did)


def assert_whole(whole: Project, project: Project) -> None:
    """The study is there as it was, in the workspace and in the cache."""
    assert differing(whole, project) == set()
    assert locked(project) == locked(whole)
    assert "up to date" in project.dvc("status")
    for output in STAGES_OF:
        assert object_of(project, output).read_bytes() == object_of(whole, output).read_bytes()


# Damaged objects of the cache


@pytest.mark.parametrize("damage", [cut, pytest.param(flip, marks=pytest.mark.slow)])
@pytest.mark.parametrize("output", [OUTPUT, pytest.param(FOLDER, marks=pytest.mark.soak)])
def test_a_damaged_object_is_found_before_it_is_used(
    small: Project, study: Project, damage: Damage, output: str
) -> None:
    damage(object_of(study, output))
    (line,) = faults(study, "cache")
    assert line.startswith("fault    cache: 1 objects are damaged")
    assert output in line
    did = fixed(study, "cache")
    assert "moved 1 damaged objects" in did
    # The workspace has what was damaged, so that nothing is computed.
    assert "from the workspace into the cache" in did
    assert study.repro() == set()
    assert_whole(small, study)


@pytest.mark.parametrize("damage", [flip, pytest.param(cut, marks=pytest.mark.slow)])
@pytest.mark.parametrize("output", [OUTPUT, pytest.param(FOLDER, marks=pytest.mark.soak)])
def test_a_damaged_object_without_another_copy_is_computed_again(
    small: Project, study: Project, damage: Damage, output: str
) -> None:
    damage(object_of(study, output))
    path = study.path / output
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    fixed(study, "cache")
    assert study.repro() == {STAGES_OF[output]}
    assert_whole(small, study)


@pytest.mark.parametrize("damage", [flip, pytest.param(cut, marks=pytest.mark.slow)])
def test_a_damaged_object_that_was_checked_out_is_taken_back(small: Project, study: Project, damage: Damage) -> None:
    damage(object_of(study, OUTPUT))
    (study.path / OUTPUT).unlink()
    study.dvc("checkout")
    did = fixed(study, "cache")
    assert "moved 1 damaged objects" in did
    assert "moved 1 damaged files" in did
    assert study.repro() == {STAGES_OF[OUTPUT]}
    assert_whole(small, study)


@pytest.mark.slow
def test_a_damaged_member_of_a_folder_is_pulled_again(small: Project, study: Project, tmp_path: Path) -> None:
    study.dvc("remote", "modify", "--local", "storage", "url", str(tmp_path / "remote"))
    study.dvc("push", "--run-cache")
    listing = object_of(study, FOLDER).read_text(encoding="utf-8")
    member = re.findall(r'"md5": "([0-9a-f]{32})"', listing)[0]
    flip(study.path / ".dvc/cache/files/md5" / member[:2] / member[2:])
    shutil.rmtree(study.path / FOLDER)
    study.dvc("checkout")
    assert differing(small, study)
    fixed(study, "cache")
    study.dvc("pull")
    assert study.repro() == set()
    assert_whole(small, study)


def test_damaged_entries_of_the_run_cache_are_found(small: Project, study: Project) -> None:
    """Cut off where the rest is still YAML, and where nothing is left."""
    entries = {}
    for file in sorted(file for file in (study.path / ".dvc/cache/runs").rglob("*") if file.is_file()):
        entries[file.read_text(encoding="utf-8").splitlines()[0].split(" make.py ")[1]] = file
    for name, end in {"data/probes/step-0.parquet": "\nouts:", "data/probes/step-20.parquet": "cmd"}.items():
        text = entries[name].read_text(encoding="utf-8")
        overwrite(entries[name], text[: text.index(end)].encode())
    (study.path / "dvc.lock").unlink()
    assert "moved 2 damaged entries" in fixed(study, "run-cache")
    # DVC remembers no run whose output lies in git.
    assert study.repro() == {"probe@step-0", "probe@step-20", "overlap"}
    assert differing(small, study) == set()
    assert locked(study) == locked(small)


# Half-written files


def cuts() -> list[object]:
    """Where dvc.lock is cut off: some of the rests are valid YAML, some are not, one is empty."""
    generator = random.Random(0)
    places = [0.0, *(generator.random() for _ in range(6))]
    return [pytest.param(place, marks=[pytest.mark.soak] if number > 1 else []) for number, place in enumerate(places)]


@pytest.mark.parametrize("place", cuts())
def test_a_half_written_lock_is_recovered(small: Project, study: Project, place: float) -> None:
    lock = study.path / "dvc.lock"
    overwrite(lock, lock.read_bytes()[: int(place * lock.stat().st_size)])
    if study.run("dvc", "repro", check=False).returncode != 0:
        line = faults(study, "pipeline")[0]
        assert line.startswith("fault    dvc.lock: ")
        assert "`git checkout dvc.lock`" in line
        assert "took dvc.lock from commit" in fixed(study, "pipeline")
        assert study.repro() == set()
    assert_whole(small, study)


@pytest.mark.parametrize("content", ["", pytest.param('{"write": {"/a"', marks=pytest.mark.slow)])
def test_a_half_written_lock_of_outputs_is_removed(small: Project, study: Project, content: str) -> None:
    (study.path / ".dvc/tmp/rwlock").write_text(content)
    assert "rwlock" in refused(study, "dvc", "repro")
    assert "removed " in fixed(study, "locks")
    assert study.repro() == set()
    assert_whole(small, study)


@pytest.mark.parametrize("file", ["params.yaml", pytest.param("dvc.yaml", marks=pytest.mark.slow)])
def test_conflict_markers_change_nothing(small: Project, study: Project, file: str) -> None:
    text = (study.path / file).read_text(encoding="utf-8")
    first = text.splitlines()[2]
    conflict = f"<<<<<<< HEAD\n{first}\n=======\n{first} \n>>>>>>> theirs"
    (study.path / file).write_text(text.replace(first, conflict, 1), encoding="utf-8")
    before = contents(study)
    said = refused(study, "dvc", "repro")
    assert file in said
    assert len(said.strip().splitlines()) < 12
    assert faults(study, "pipeline")[0].startswith(f"fault    {file}: line 3 is a conflict marker")
    assert contents(study) == before
    study.run("git", "checkout", file)
    assert study.repro() == set()
    assert_whole(small, study)


# Disks


def room_of(folder: Path) -> int:
    """The bytes that a folder takes on a disk of pages."""
    return sum(-(-path.lstat().st_size // 4096) * 4096 + 4096 for path in folder.rglob("*"))


def fill(folder: Path, leave: int = 0) -> Path:
    """Fills a disk but for some bytes."""
    ballast = folder / "ballast"
    # What Python holds back would fail a second time when the file is closed.
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    os.truncate(ballast, max(0, ballast.stat().st_size - leave))
    return ballast


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "leave"),
    [
        ("convert_unimorph", 0),
        ("extract@step-20", 40_000),
        *(pytest.param("extract@step-20", leave, marks=pytest.mark.soak) for leave in (0, 200_000)),
    ],
)
def test_a_full_disk_loses_nothing(
    finished: Project, mount: Callable[..., None], stage: str, leave: int, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", f"size={room_of(finished.path) + 8_000_000}", "tmpfs", on=disk)
    project = Project(disk / "project")
    shutil.copytree(finished.path, project.path, symlinks=True)
    forget(project, stage)
    ballast = fill(disk, leave)
    said = refused(project, "dvc", "repro")
    assert re.search("no space left", said, re.IGNORECASE), said
    assert "fault    disk: only 0.0 GB are free" in (told := "\n".join(faults(project, "disk")))
    assert "free at least" in told
    ballast.unlink()
    if project.run("dvc", "repro", check=False).returncode != 0:
        fixed(project)
        project.dvc("repro")
    assert_whole(finished, project)


@pytest.mark.slow
@pytest.mark.parametrize("leave", [0, pytest.param(100_000, marks=pytest.mark.soak)])
def test_a_full_cache_loses_nothing(
    finished: Project, project: Project, mount: Callable[..., None], leave: int, tmp_path: Path
) -> None:
    cache, kept = project.path / ".dvc/cache", tmp_path / "cache"
    cache.rename(kept)
    cache.mkdir()
    mount("-t", "tmpfs", "-o", f"size={room_of(kept) + 4_000_000}", "tmpfs", on=cache)
    shutil.copytree(kept, cache, dirs_exist_ok=True)
    forget(project, "extract@step-20")
    # Objects that the stage would find again are taken away with it.
    listing = object_of(finished, FOLDER)
    for oid in [*re.findall(r'"md5": "([0-9a-f]{32})"', listing.read_text(encoding="utf-8"))]:
        (cache / "files/md5" / oid[:2] / oid[2:]).unlink()
    ballast = fill(cache, leave)
    project.run("dvc", "repro", check=False)
    ballast.unlink()
    if project.run("dvc", "repro", check=False).returncode != 0:
        fixed(project)
        project.dvc("repro")
    assert_whole(finished, project)
    assert faults(project, "cache", "run-cache") == []


def test_a_read_only_workspace_is_refused_in_one_line(
    small: Project, study: Project, mount: Callable[..., None]
) -> None:
    before = contents(study)
    mount("--bind", str(study.path), on=study.path)
    mount("-o", "remount,ro,bind", on=study.path)
    said = refused(study, "dvc", "repro")
    assert "Read-only file system" in said
    (line,) = [line for line in faults(study, "disk") if line.startswith("fault    workspace: ")]
    assert f"{study.path}: nothing can be written there: Read-only file system; mount it for writing" in line
    subprocess.run(["mount", "-o", "remount,rw,bind", str(study.path)], check=True)
    assert contents(study) == before
    assert study.repro() == set()
    assert_whole(small, study)


# Clocks


def test_files_from_the_future_and_the_past_are_no_others(small: Project, study: Project) -> None:
    generator = random.Random(0)
    for folder in ("data", "metrics", ".dvc"):
        for file in sorted((study.path / folder).rglob("*")):
            if file.is_file():
                moment = time.time() + generator.choice([-1, 1]) * generator.randrange(10**8)
                os.utime(file, (moment, moment))
    assert study.repro() == set()
    assert_whole(small, study)


@pytest.mark.slow
def test_a_clock_that_goes_back_changes_no_byte(finished: Project, project: Project) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed: no clock can be set back")
    forget(project, "extract@step-20")
    said = project.run("faketime", "-f", "-400d", "dvc", "repro").stdout
    assert stages_run(said) == {"extract@step-20"}
    project.run("faketime", "-f", "-800d", "dvc", "repro", "--force", "--single-item", "overlap")
    assert project.repro() == set()
    assert_whole(finished, project)


# Two at once


@pytest.mark.parametrize("option", [None, pytest.param("--wait-for-lock", marks=pytest.mark.slow)])
@pytest.mark.parametrize("later", [0.0, pytest.param(1.5, marks=pytest.mark.soak)])
def test_two_at_once_do_no_harm(
    small: Project, study: Project, option: str | None, later: float, tmp_path: Path
) -> None:
    forget(study, "convert_unimorph")
    command = ["dvc", *([option] if option else []), "repro"]
    outputs = [tmp_path / "first", tmp_path / "second"]
    running = []
    for place, output in enumerate(outputs):
        time.sleep(later * place)
        with output.open("wb") as opened:
            running.append(study.start(*command, output=opened))
    codes = [process.wait() for process in running]
    assert 0 in codes
    for code, output in zip(codes, outputs, strict=True):
        said = output.read_text(encoding="utf-8")
        assert "Traceback" not in said
        assert code == 0 or "is busy" in said or "Unable to acquire lock" in said, said
    assert study.repro() == set()
    assert_whole(small, study)
