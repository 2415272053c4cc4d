"""Whole-or-nothing writes, seeds, scratch folders, knobs, fan-out."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polyprobe.running import code_version as code_version_module
from polyprobe.running.code_version import code_version
from polyprobe.running.errors import BadInputError
from polyprobe.running.fanout import fan_out
from polyprobe.running.files import new_file, new_folder, write_json
from polyprobe.running.knobs import knobs
from polyprobe.running.scratch import scratch_folder
from polyprobe.running.seeds import derive_seed


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("before")

    def fail_half_way() -> None:
        with new_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder"

    def fill(text: str, fail: bool) -> None:
        with new_folder(path) as temporary:
            (temporary / text).write_text(text)
            if fail:
                raise RuntimeError

    fill("first", fail=False)
    with pytest.raises(RuntimeError):
        fill("second", fail=True)
    assert [entry.name for entry in path.iterdir()] == ["first"]
    fill("third", fail=False)
    assert [entry.name for entry in path.iterdir()] == ["third"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


WRITER = """
import sys, time
from pathlib import Path
from polyprobe.running.files import new_folder
with new_folder(Path(sys.argv[1])) as temporary:
    (temporary / "half").touch()
    print(temporary.name, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_process_left_of_a_folder_is_removed(tmp_path: Path) -> None:
    """That of a process which still writes is left alone."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path / "folder"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        unfinished = process.stdout.readline().strip()
        (tmp_path / ".other.1.tmp").mkdir()
        for killed in (False, True):
            if killed:
                # Not waited for: a process that nobody has asked about yet keeps its number.
                process.kill()
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            with new_folder(tmp_path / "folder") as temporary:
                (temporary / "whole").touch()
            kept = {"folder", ".other.1.tmp"} | ({unfinished} if not killed else set())
            assert {entry.name for entry in tmp_path.iterdir()} == kept


def test_json_holds_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"r": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_code_is_known_by_its_source(tmp_path: Path) -> None:
    package = Path(code_version_module.__file__).parents[1]
    assert code_version("pocket") != code_version("pocket", "running") != code_version("running")
    copy = tmp_path / "polyprobe"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    script = "from polyprobe.running.code_version import code_version; print(code_version('running'))"

    def version() -> str:
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-c", script]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    assert version() == code_version("running")
    with (copy / "running/seeds.py").open("a") as file:
        file.write("CHANGED = True\n")
    assert version() != code_version("running")


def test_seeds_differ_by_every_part() -> None:
    seeds = {derive_seed(seed, *parts) for seed in (0, 1) for parts in (("a",), ("a", 1), ("a1",), ("b", 1))}
    assert len(seeds) == 8
    assert derive_seed(0, "a", 1) == derive_seed(0, "a", 1)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_scratch_is_named_by_what_determines_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYPROBE_SCRATCH", str(tmp_path))
    assert scratch_folder("x", {"a": 1, "b": 2}) == scratch_folder("x", {"b": 2, "a": 1})
    assert scratch_folder("x", {"a": 1}) != scratch_folder("x", {"a": 2})


def test_knobs_come_from_the_file_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKERS", "DEVICE", "BATCH_TOKENS", "THREADS"):
        monkeypatch.delenv(f"POLYPROBE_{name}", raising=False)
    path = tmp_path / "local.yaml"
    path.write_text("workers: 3\ndevice: cpu\n")
    assert (knobs(path).workers, knobs(path).torch_device()) == (3, "cpu")
    monkeypatch.setenv("POLYPROBE_WORKERS", "5")
    assert knobs(path).workers == 5
    path.write_text("wrokers: 3\n")
    with pytest.raises(BadInputError, match="wrokers: unknown knob, expected one of workers"):
        knobs(path)
    path.write_text("threads: many\n")
    with pytest.raises(BadInputError, match="threads: expected int, got 'many'"):
        knobs(path)
    for text, message in (
        ("threads: true\n", "threads: expected int, got True"),
        ("threads: 2.7\n", "threads: expected int, got 2.7"),
        ("threads: [\n", "local.yaml: no valid YAML"),
        ("- threads\n", "expected knobs as `name: value`"),
    ):
        path.write_text(text)
        with pytest.raises(BadInputError, match=message):
            knobs(path)
    path.unlink()
    monkeypatch.setenv("POLYPROBE_WORKERS", "many")
    with pytest.raises(BadInputError, match="POLYPROBE_WORKERS: expected int, got 'many'"):
        knobs(path)


def fail_first_and_write_later(item: tuple[Path, int]) -> None:
    """The first item fails while the second one is at work."""
    folder, number = item
    (folder / f"begun-{number}").touch()
    end = time.monotonic() + 60
    while not (folder / f"begun-{1 - number}").exists() and time.monotonic() < end:
        time.sleep(0.01)
    if number == 0:
        raise BadInputError("wrong")
    time.sleep(0.5)
    (folder / "written").touch()


def test_no_worker_writes_after_another_one_failed(tmp_path: Path) -> None:
    items = [(tmp_path, 0), (tmp_path, 1)]
    with pytest.raises(BadInputError, match="wrong"):
        list(fan_out(fail_first_and_write_later, items, workers=2, description="", tensors=False))
    # What was at work has come to its end: nothing is written from here on.
    assert (tmp_path / "written").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_fan_out_keeps_the_order(workers: int) -> None:
    assert list(fan_out(abs, [-3, 1, -2], workers=workers, description="abs")) == [3, 1, 2]
