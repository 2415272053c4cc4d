"""What the doctor says of an environment: packages, GPU, compiler, disk, hub. (Of a repository: tests/pipeline.)"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_hub import serving_models
from test_checkpoints_hub import HubStudy

from polyprobe.ops.doctor import GROUPS, Asked, Finding, compiler, devices, disk, examine, packages
from polyprobe.ops.doctor.findings import fault, ok, some, warning


def one(findings: Iterator[Finding], subject: str) -> Finding:
    return next(finding for finding in findings if finding.subject == subject)


# What is printed


def test_a_finding_is_one_line_with_what_to_do() -> None:
    assert ok("disk", "9.0 GB are free").line() == "ok       disk: 9.0 GB are free"
    assert warning("clock", "it is late", "set it").line() == "warning  clock: it is late; set it"
    mended = fault("git", "locked", "`rm x`", lambda: "removed x")
    assert mended.line() == "fault    git: locked; `rm x` (or let --fix do it)"
    assert some(list("abcde")) == "a, b, c and 2 more"
    assert some(list("abc")) == "a, b, c"


def test_a_check_that_breaks_keeps_no_other_from_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = list(examine(Asked(), ["repository", "files", "locks", "cache", "plots", "remotes"]))
    assert [finding.subject for finding in found if "could not be checked" in finding.says] == [
        "locks", "cache", "remotes"
    ]  # fmt: skip
    assert found[0].level == "fault"
    assert ".dvc, dvc.yaml, params.yaml: not in" in found[0].says


def test_help_needs_no_check(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "polyprobe.ops.doctor", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(option in done.stdout for option in ("--fix", "--network", "--deep"))


def test_outside_a_repository_the_command_fails(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "polyprobe.ops.doctor"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "fault    repository: .dvc, dvc.yaml, params.yaml: not in" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


# Packages


def test_packages_of_other_versions_and_missing_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy

    monkeypatch.chdir(tmp_path)
    Path("requirements-torch.txt").write_text("torch==0.1\n")
    Path("requirements.lock").write_text(
        "# made by a tool\n"
        f"numpy=={numpy.__version__} \\\n    --hash=sha256:00\n    # via polyprobe\n"
        "no-such-package==1.0 \\\n    --hash=sha256:00\n"
        "no-such-system==1.0 ; sys_platform == 'beos' \\\n    --hash=sha256:00\n"
    )
    found = [finding for finding in packages.check(Asked()) if finding.subject == "packages"]
    assert [finding.level for finding in found] == ["warning", "warning"]
    assert found[0].says.startswith("of another version: torch ")
    assert found[0].says.endswith(" (locked: 0.1)")
    assert found[1].says == "not installed, needed by tests only: no-such-package"
    monkeypatch.setattr(packages, "_needed", lambda: {"no-such-package"})
    (missing,) = [finding for finding in packages.check(Asked()) if finding.level == "fault"]
    assert missing.line() == "fault    packages: not installed: no-such-package; `make install`"


def test_what_polyprobe_needs_is_known() -> None:
    needed = packages._needed()
    assert {"torch", "numpy", "dvc", "dvc-data", "dvc-objects"} <= needed
    assert not {"pytest", "ruff", "mypy"} & needed


def test_the_python_of_the_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    git = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    found = one(packages.check(Asked()), "python of the stages")
    assert (found.level, found.says) == ("fault", "there is no `python` on PATH")
    (folder / "python").write_text(f"#!{sys.executable} -IS\nraise SystemExit(1)\n")
    (folder / "python").chmod(0o755)
    found = one(packages.check(Asked()), "python of the stages")
    assert found.level == "fault"
    assert found.says == f"{folder}/python does not have polyprobe"
    assert "export PATH=" in found.advice
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{git}")
    assert one(packages.check(Asked()), "python of the stages").level == "ok"


def test_polyprobe_of_another_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC would watch the code here, and run the code there."""
    (tmp_path / "src/polyprobe").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    found = one(packages.check(Asked()), "python of the stages")
    assert found.level == "fault"
    assert "not from this folder" in found.says


# Devices


@pytest.mark.parametrize(
    ("version", "cuda", "driver", "level", "says"),
    [
        ("2.13.0+cpu", None, False, "ok", "none here"),
        ("2.13.0+cpu", None, True, "warning", "is a build for the CPU"),
        ("2.13.0", "13.0", True, "fault", "finds no GPU by CUDA 13.0"),
    ],
)
def test_a_gpu_that_torch_does_not_see(version: str, cuda: str | None, driver: bool, level: str, says: str) -> None:
    (found,) = devices._gpu(False, version, cuda, driver)
    assert found.level == level
    assert says in found.says


def test_a_device_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYPROBE_DEVICE", "cuda:99")
    found = one(devices.check(Asked()), "device")
    assert found.level == "fault"
    assert "cuda:99" in found.says


def test_the_native_library_of_bitsandbytes(tmp_path: Path) -> None:
    for name in ("cpu", "cuda118", "cuda126", "cuda128", "cuda130", "cuda132", "rocm72"):
        (tmp_path / f"libbitsandbytes_{name}.so").touch()
    chosen = {
        cuda: library.name.removeprefix("libbitsandbytes_").removesuffix(".so") if library else None
        for cuda in (None, "11.8", "12.0", "12.7", "12.9", "13.1", "14.0")
        for library in [devices.native_library(tmp_path, cuda)]
    }
    assert chosen == {
        None: "cpu", "11.8": "cuda118", "12.0": "cuda126", "12.7": "cuda126", "12.9": "cuda128", "13.1": "cuda130",
        "14.0": None,
    }  # fmt: skip


def test_the_installed_bitsandbytes_has_one_for_the_cpu() -> None:
    assert devices._bitsandbytes(None).level == "ok"
    missing = devices._bitsandbytes("99.0")
    assert missing.level == "fault"
    assert "no native library for CUDA 99.0" in missing.says


def test_a_machine_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    (found,) = compiler.check(Asked())
    assert found.level == "warning"
    assert found.says.startswith("none of c++, g++ and clang++ is there")
    assert "apt-get install g++" in found.advice


# Disk


def test_too_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(disk, "FLOOR", 1e18)
    (found,) = disk._room({"workspace": tmp_path})
    assert found.level == "fault"
    assert found.says.startswith("only ")
    monkeypatch.setattr(disk, "FLOOR", 0.0)
    (found,) = disk._room({"workspace": tmp_path})
    assert found.level == "ok"


def test_a_folder_that_cannot_be_written_to() -> None:
    found = disk._writable("workspace", Path("/proc/self"))
    assert found.level == "fault"
    assert found.says.startswith("/proc/self: nothing can be written there: ")


# Hub

ASK = """
from polyprobe.ops.doctor import Asked, examine
for finding in examine(Asked(network={network}), ["hub"]):
    print(finding.line())
"""


@pytest.fixture
def study(tmp_path: Path) -> Iterator[HubStudy]:
    folder = tmp_path / "model"
    folder.mkdir()
    with serving_models() as models:
        models.add("a/b", "main", folder)
        yield HubStudy(tmp_path, models)


def asked(study: HubStudy, *, network: bool = True, **environment: str) -> str:
    """In a process of its own: the hub's settings are read when its library is imported."""
    settings = {"HF_ENDPOINT": study.models.url, "HF_HOME": str(study.path / "home"), "NO_PROXY": "127.0.0.1"}
    inherited = {name: value for name, value in os.environ.items() if name not in ("HF_TOKEN", "HF_HUB_OFFLINE")}
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(network=network)], cwd=study.path, env=inherited | settings | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_hub_is_asked_for_what_the_study_needs(study: HubStudy) -> None:
    study.write({"one": {"revision": "main"}})
    assert asked(study) == f"ok       hub: a/b: {study.models.url} has it, with revision main"
    assert asked(study, network=False).startswith("ok       hub: the study takes a/b from http://127.0.0.1:")
    offline = asked(study, HF_HUB_OFFLINE="1")
    assert offline.startswith("warning  hub: ")
    assert "HF_HUB_OFFLINE is set" in offline
    away = asked(study, HF_ENDPOINT="http://127.0.0.1:9")
    assert away.startswith("fault    hub: a/b: http://127.0.0.1:9 cannot be asked")
    assert "HF_ENDPOINT names a mirror" in away


def test_what_the_hub_does_not_give(study: HubStudy) -> None:
    study.write({"one": {"revision": "gone"}})
    assert "it has no revision 'gone'; correct the revision in params.yaml" in asked(study)
    study.write({"one": {"revision": "main", "repository": "a/none"}})
    assert "there is none such, or it is private" in asked(study)
    study.models.gated.add("a/b")
    study.write({"one": {"revision": "main"}})
    assert "it is gated; accept its terms" in asked(study)


def test_every_group_has_a_check_that_says_what_it_does() -> None:
    assert all(check.__doc__ and check.__name__ == "check" for check in GROUPS.values())
