"""What the doctor says of an environment: python, bitsandbytes, disk. (Of a repository: tests/pipeline.)"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polyprobe.ops.doctor import CHECKS, disk, environment, examine
from polyprobe.ops.doctor.findings import fault, ok, warning
from polyprobe.ops.listing import first_few

# What is printed


def test_a_finding_is_one_line_with_what_to_do() -> None:
    assert ok("disk", "9.0 GB are free").line() == "ok       disk: 9.0 GB are free"
    assert warning("cache", "it is old", "pull").line() == "warning  cache: it is old; pull"
    fixable = fault("git", "locked", "`rm x`", lambda: "removed x")
    assert fixable.line() == "fault    git: locked; `rm x` (or let --fix do it)"
    assert first_few(list("abcde")) == "a, b, c and 2 more"
    assert first_few(list("abc")) == "a, b, c"


def test_a_check_that_breaks_keeps_no_other_from_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = list(examine(["repository", "pipeline", "locks", "cache", "remotes"]))
    assert [finding.subject for finding in found if "could not be checked" in finding.message] == [
        "locks", "cache", "remotes"
    ]  # fmt: skip
    assert found[0].level == "fault"
    assert ".dvc, dvc.yaml, params.yaml: not in" in found[0].message


def test_help_needs_no_check(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "polyprobe", "doctor", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(option in done.stdout for option in ("--fix", "--deep"))


def test_outside_a_repository_the_command_fails(tmp_path: Path) -> None:
    # Without a python on PATH, whose packages are looked at for seconds.
    done = subprocess.run(
        [sys.executable, "-m", "polyprobe", "doctor"],
        cwd=tmp_path,
        env=os.environ | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "fault    repository: .dvc, dvc.yaml, params.yaml: not in" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


# The environment


def test_the_python_of_the_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(folder))
    (found,) = environment.check(False)
    assert (found.level, found.message) == ("fault", "there is no `python` on PATH")
    (folder / "python").write_text(f"#!{sys.executable} -IS\nraise SystemExit(1)\n")
    (folder / "python").chmod(0o755)
    python, bitsandbytes = environment.check(False)
    assert python.level == "fault"
    assert python.message == f"{folder}/python does not have polyprobe"
    assert "export PATH=" in python.advice
    assert bitsandbytes.level == "fault"
    assert "`python -m bitsandbytes` says why" in bitsandbytes.advice


@pytest.mark.slow
def test_an_environment_that_stages_run_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert {finding.subject: finding.level for finding in environment.check(False)} == {
        "python of the stages": "ok",
        "bitsandbytes": "ok",
    }


def test_polyprobe_of_another_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC would watch the code here, and run the code there."""
    (tmp_path / "src/polyprobe").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    found = environment._python(sys.executable)
    assert found.level == "fault"
    assert "not from this folder" in found.message


# Disk


def test_too_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(disk, "MINIMUM_BYTES", 1e18)
    (found,) = disk._free_space({"workspace": tmp_path})
    assert found.level == "fault"
    assert found.message.startswith("only ")
    monkeypatch.setattr(disk, "MINIMUM_BYTES", 0.0)
    (found,) = disk._free_space({"workspace": tmp_path})
    assert found.level == "ok"


def test_a_folder_that_cannot_be_written_to() -> None:
    found = disk._writable("workspace", Path("/proc/self"))
    assert found.level == "fault"
    assert found.message.startswith("/proc/self: nothing can be written there: ")


def test_every_check_says_what_it_does() -> None:
    assert all(check.__doc__ and check.__name__ == "check" for check in CHECKS.values())
