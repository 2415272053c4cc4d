"""The log of runs: what a line says, that lines never mix, and that no stage fails for it."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

from polyprobe.running import run_log
from polyprobe.running.errors import BadInputError
from polyprobe.running.run_log import Run, last_runs, logged, read_runs, working_tree
from polyprobe.stage import parameters_digest, run_keyed_stage
from polyprobe.study import load_study
from support import ROOT

RUN = Run(
    study="pocket", parameters="p", stage="probe", arguments=("step-0",), outcome="finished", seconds=1.5,
    finished="2030-01-02T03:04:05+00:00", commit="c" * 40, changed=False, python="3.11.7", torch=None,
    platform="Linux", processor="a processor", cores=2, gpu=None, memory=2**20,
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POLYPROBE_SCRATCH", raising=False)
    return tmp_path


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_a_run_is_read_back_as_it_was() -> None:
    with logged("pocket", "p", "probe", ["step-0"]):
        pass
    with pytest.raises(ZeroDivisionError), logged("pocket", "p", "overlap", []):
        raise ZeroDivisionError
    first, second = read_runs()
    assert (first.study, first.parameters) == ("pocket", "p")
    assert (first.key, first.outcome) == (("probe", ("step-0",)), "finished")
    assert (second.key, second.outcome) == (("overlap", ()), "failed")
    assert first.python == sys.version.split()[0]
    assert first.seconds >= 0
    assert first.cores >= 1
    assert first.memory > 2**20
    assert first.finished.endswith("+00:00")
    assert (first.commit, first.changed) == (None, None)
    assert run_log.path() == Path(".scratch/runs.jsonl")


def test_a_failed_run_is_logged_whatever_ended_it() -> None:
    for error in (BadInputError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), logged("pocket", "p", "probe", []):
            raise error
    assert [run.outcome for run in read_runs()] == ["failed"] * 3


def test_the_commit_and_whether_the_code_differs_from_it(folder: Path) -> None:
    git("init", "--quiet")
    (folder / "metrics").mkdir()
    for name in ("code.py", "metrics/summary.json", "dvc.lock"):
        (folder / name).write_text("before")
    assert working_tree() == (None, None)
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    commit = git("rev-parse", "HEAD")
    assert working_tree() == (commit, False)
    for name in ("metrics/summary.json", "dvc.lock"):
        (folder / name).write_text("what a run wrote")
    assert working_tree() == (commit, False)
    (folder / "code.py").write_text("after")
    assert working_tree() == (commit, True)
    git("commit", "--quiet", "--all", "--message", "two")
    (folder / "new.py").touch()
    assert working_tree() == (git("rev-parse", "HEAD"), True)


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert working_tree() == (None, None)


def test_a_log_that_cannot_be_written_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("POLYPROBE_SCRATCH", str(folder / "file"))
    with logged("pocket", "p", "probe", []):
        done = True
    assert done
    assert read_runs(folder / "none") == []


WRITER = """
import sys
from polyprobe.running.run_log import logged
for number in range(40):
    with logged("pocket", "p", sys.argv[1], [str(number), sys.argv[1] * 5000]):
        pass
"""


def test_lines_of_processes_that_write_at_once_do_not_mix(folder: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in ("a", "b", "c")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = (folder / ".scratch/runs.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(read_runs()) == 120
    for name in ("a", "b", "c"):
        of_writer = [run.arguments for run in read_runs() if run.stage == name]
        assert of_writer == [(str(number), name * 5000) for number in range(40)]


def test_a_line_that_is_cut_off_or_no_run_is_left_out(folder: Path) -> None:
    line = json.dumps(asdict(RUN))
    wrong = json.dumps(asdict(RUN) | {"seconds": "many"})
    (folder / "log").write_text("\n".join([line, line[:50], "", "[]", wrong, "\udcff", line]), errors="surrogateescape")
    assert read_runs(folder / "log") == [RUN, RUN]


@pytest.mark.parametrize("outcomes", list(product(("finished", "failed"), repeat=3)))
def test_the_last_finished_run_counts_or_else_the_last_failed(outcomes: tuple[str, ...]) -> None:
    runs = [replace(RUN, outcome=outcome, seconds=float(place)) for place, outcome in enumerate(outcomes)]  # type: ignore[arg-type]
    finished = [run for run in runs if run.outcome == "finished"]
    expected = finished[-1] if finished else runs[-1]
    others = [replace(RUN, study="other"), replace(RUN, stage="overlap", arguments=())]
    assert last_runs([*runs, *others], "pocket") == {RUN.key: expected, ("overlap", ()): others[1]}


def test_torch_and_the_gpu_are_named_only_where_a_stage_used_them(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(is_initialized=lambda: False, current_device=lambda: 1, get_device_name="GPU {}".format)
    for used, expected in ((None, (None, None)), (False, ("9.9", None)), (True, ("9.9", "GPU 1"))):
        monkeypatch.delitem(sys.modules, "torch", raising=False)
        if used is not None:
            cuda.is_initialized = lambda used=used: used
            monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(__version__="9.9", cuda=cuda))
        with logged("pocket", "p", "probe", []):
            pass
        run = read_runs()[-1]
        assert (run.torch, run.gpu) == expected


LARGE = """
import subprocess, sys
ballast = b"x" * 2**28
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""
SMALL = """
from polyprobe.running.run_log import logged
with logged("pocket", "p", "small", []):
    pass
ballast = b"x" * 2**28
with logged("pocket", "p", "large", []):
    pass
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process its own peak")
def test_the_memory_of_the_process_that_starts_a_stage_is_not_counted() -> None:
    subprocess.run([sys.executable, "-c", LARGE, SMALL], check=True)
    small, large = read_runs()
    assert small.memory < 2**28 < large.memory


def test_a_stage_is_logged_under_its_name_and_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "studies/tiny.yaml", "params.yaml")
    monkeypatch.setattr(sys, "argv", ["somewhere/stages/probe.py", "step-20"])
    run_keyed_stage(lambda study, key: None, section="checkpoints")
    [run] = read_runs()
    assert (run.study, run.key, run.outcome) == ("tiny", ("probe", ("step-20",)), "finished")
    assert run.parameters == parameters_digest(load_study())


def test_a_stage_that_fails_says_so_as_before(folder: Path) -> None:
    command = [sys.executable, "-m", "polyprobe.stages.overlap"]
    for written, outcomes in ((False, []), (True, ["failed"])):
        if written:
            shutil.copy(ROOT / "studies/tiny.yaml", "params.yaml")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert [run.outcome for run in read_runs()] == outcomes


def test_the_digest_is_of_the_values_and_not_of_how_they_are_written(folder: Path) -> None:
    text = (ROOT / "studies/tiny.yaml").read_text(encoding="utf-8")
    digests = []
    for name, written in (
        ("same", text),
        ("commented", f"# once more\n{text}"),
        ("otherwise", text.replace("  entropy_scale: 1.0\n", "  entropy_scale: 1\n")),
        ("other", text.replace("  alpha: 0.05\n", "  alpha: 0.01\n")),
    ):
        assert name == "same" or written != text
        Path(name).write_text(written, encoding="utf-8")
        digests.append(parameters_digest(load_study(Path(name))))
    assert digests[0] == digests[1] == digests[2] != digests[3]
