"""The parts of a run on several workers."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, fields, replace
from inspect import signature
from pathlib import Path
from typing import Any

import psutil
import pytest

from polyprobe.ops.cluster import worker_folders, workers
from polyprobe.ops.cluster.batch_jobs import job_cluster
from polyprobe.ops.cluster.commands import repro
from polyprobe.ops.cluster.graph import Pipeline, kind
from polyprobe.ops.cluster.leftover_processes import PROJECT, STAGE, kill_leftovers
from polyprobe.ops.cluster.seconds import expected_seconds
from polyprobe.ops.cluster.settings import Settings
from polyprobe.ops.cluster.uncached_outputs import read_outputs, write_outputs
from polyprobe.running.errors import BadInputError
from polyprobe.running.run_log import Run
from polyprobe.study import load_study
from support import ROOT

PATIENCE = 60.0
"""Seconds after which something that is waited for will not come. No claim about speed."""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with the settings of a DVC one, as the current folder."""
    path = tmp_path / "repository"
    (path / ".dvc").mkdir(parents=True)
    (path / ".dvc/config").write_text(
        "[core]\nremote = far\n['remote \"far\"']\nurl = ../../far\n['remote \"server\"']\nurl = https://example.org/x\n",
        encoding="utf-8",
    )
    (path / ".dvc/.gitignore").write_text("/config.local\n", encoding="utf-8")
    (path / ".gitignore").write_text("local-data\nconfig/local.yaml\n.scratch\n", encoding="utf-8")
    (path / "params.yaml").write_text("k: 1\n", encoding="utf-8")
    git(path, "init", "--quiet")
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--message", "start")
    monkeypatch.chdir(path)
    return path


def test_ancestors_are_waited_for_directly_or_not() -> None:
    upstream = {"a": frozenset[str](), "b@1": frozenset({"a"}), "c": frozenset({"b@1"}), "d": frozenset[str]()}
    pipeline = Pipeline(upstream)
    assert pipeline.ancestors("c") == {"a", "b@1"}
    assert pipeline.ancestors("d") == frozenset()
    assert kind("b@1") == "b"
    assert kind("a") == "a"


def test_uncached_outputs_travel_whole(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "plots/overlap/deep").mkdir(parents=True)
    (here / "plots/overlap/pairs.csv").write_bytes(b"a,b\n")
    (here / "plots/overlap/deep/x.csv").write_bytes(b"\0")
    (here / "summary.json").write_bytes(b"{}")
    outputs = ("plots/overlap", "summary.json", "not_there.csv")
    files = read_outputs(here, outputs)
    assert set(files) == {"plots/overlap", "summary.json"}
    (there / "plots/overlap").mkdir(parents=True)
    (there / "plots/overlap/old.csv").touch()
    (there / "plots/kept.csv").touch()
    write_outputs(there, files)
    assert read_outputs(there, outputs) == files, "a folder holds nothing else"
    assert (there / "plots/kept.csv").exists()


@pytest.mark.parametrize("path", ["../out.csv", "/out.csv", "plots/../../out.csv"])
def test_outputs_stay_in_the_repository(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    with pytest.raises(BadInputError, match="leads out of the repository"):
        write_outputs(folder, {path: {"": b"x"}})
    with pytest.raises(BadInputError, match="leads out of the repository"):
        write_outputs(folder, {"plots": {path: b"x"}})
    assert list(tmp_path.rglob("*.csv")) == []


def test_workers_work_at_a_commit(repository: Path) -> None:
    (repository / "metrics").mkdir()
    (repository / "metrics/summary.json").touch()
    (repository / "dvc.lock").touch()
    (repository / "local-data").mkdir()
    assert worker_folders.committed(["metrics/summary.json"]) == git(repository, "rev-parse", "HEAD").strip()
    (repository / "params.yaml").write_text("k: 2\n", encoding="utf-8")
    (repository / "with space.py").touch()
    with pytest.raises(BadInputError, match=r"first: params\.yaml, with space\.py$"):
        worker_folders.committed(["metrics/summary.json"])
    git(repository, "add", "--all")
    with pytest.raises(BadInputError, match=r"first: dvc|first: metrics|first: params"):
        worker_folders.committed(["metrics/summary.json"])


def test_a_worktree_has_what_git_does_not_hold(repository: Path) -> None:
    (repository / "local-data/corpus").mkdir(parents=True)
    (repository / "config").mkdir()
    (repository / "config/local.yaml").write_text("threads: 1\n", encoding="utf-8")
    (repository / ".dvc/config.local").write_text(
        "[core]\nhardlink_lock = true\n['remote \"server\"']\npassword = secret\n", encoding="utf-8"
    )
    settings = worker_folders.worktree_settings(repository / ".dvc/cache")
    commit = worker_folders.committed([])
    worktrees = worker_folders.Worktrees(repository / ".scratch/cluster/worktrees", commit, settings, ())
    path = Path(worktrees.new())
    assert (path / "local-data/corpus").is_dir()
    assert (path / "config/local.yaml").read_text(encoding="utf-8") == "threads: 1\n"
    from dvc.config import Config

    config = Config(str(path / ".dvc"))
    assert Path(config["cache"]["dir"]) == repository / ".dvc/cache"
    assert config["cache"]["type"] == ["reflink", "hardlink", "symlink", "copy"]
    assert config["core"]["hardlink_lock"]
    assert "secret" not in (path / ".dvc/config.local").read_text(encoding="utf-8")
    assert "config.local" not in git(path, "status", "--short")
    assert worktrees.new() != str(path)
    # As another coordinator does with what a killed one has left.
    worker_folders.remove_worktrees()
    assert not path.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_clones_get_no_secrets(repository: Path) -> None:
    (repository / ".dvc/config.local").write_text("['remote \"server\"']\npassword = secret\n", encoding="utf-8")
    source = worker_folders.clone_source("far", "https://example.org/x.git", "c0ffee")
    assert (source.url, source.commit, source.remote) == ("https://example.org/x.git", "c0ffee", "far")
    # `../../far` from the clone would be another folder.
    assert source.settings["remote"] == {"far": {"url": str(repository.parent / "far")}}
    source = worker_folders.clone_source("server", str(repository), "c0ffee")
    assert source.url == str(repository)
    assert "password" not in source.settings.get("remote", {}).get("server", {})
    with pytest.raises(BadInputError, match="no DVC remote 'near', expected one of: far, server"):
        worker_folders.clone_source("near", None, "c0ffee")


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, f"process {pid} is still there"
        time.sleep(0.02)


def test_leftovers_are_killed_by_their_mark(tmp_path: Path) -> None:
    def sleeper(project: str, stage: str) -> "subprocess.Popen[bytes]":
        marks = {**os.environ, PROJECT: project, STAGE: stage}
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], env=marks)

    project = str(tmp_path)
    ours, other_stage, other_project = sleeper(project, "a"), sleeper(project, "b"), sleeper(f"{project}x", "a")
    try:
        kill_leftovers(project, "a")
        assert ours.wait() == -signal.SIGKILL
        assert other_stage.poll() is None
        kill_leftovers(project)
        assert other_stage.wait() == -signal.SIGKILL
        assert other_project.poll() is None
    finally:
        for process in (ours, other_stage, other_project):
            process.kill()
            process.wait()


def test_a_stages_processes_end_with_the_worker(tmp_path: Path) -> None:
    program = """
import subprocess, sys, time
from polyprobe.ops.cluster.stage_process import _live_no_longer_than_the_worker
_live_no_longer_than_the_worker()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
print(child.pid, flush=True)
time.sleep(1000)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert psutil.pid_exists(child)
    # What the system does with a pipe whose writer is killed.
    process.stdin.close()
    assert process.wait() == -signal.SIGKILL
    wait_until_gone(child)
    process.stdout.close()


def test_local_workers_with_and_without_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("POLYPROBE_THREADS", "2")
    monkeypatch.setenv("POLYPROBE_WORKERS", "8")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with workers.local(3, 2, tmp_path) as crew:
        crew.client.wait_for_workers(3)
        living = {worker.name: worker for worker in crew.living().values()}
        assert {name: worker.gpu for name, worker in living.items()} == {"0": True, "1": True, "2": False}
        assert all(worker.address.startswith("tls://127.0.0.1:") for worker in living.values()), "for our own keys only"
    visible = [crew.environments[name]["CUDA_VISIBLE_DEVICES"] for name in ("0", "1", "2")]
    assert visible == ["3", "5", ""]
    for environment in crew.environments.values():
        # As for a plain `dvc repro`, whatever Dask sets for its workers.
        assert environment["OMP_NUM_THREADS"] == "7"
        assert environment["MKL_NUM_THREADS"] is None
        assert environment["POLYPROBE_THREADS"] == "2"
        assert environment["POLYPROBE_WORKERS"] == "2"
    with pytest.raises(BadInputError, match="CUDA_VISIBLE_DEVICES names 3,5"), workers.local(3, 3, tmp_path):
        pass


JOBS = Settings(
    cluster="slurm",
    cores=6,
    memory="32GB",
    walltime="11:00:00",
    queue="long",
    account="lab",
    job_option=("--nice=5",),
    gpu_job_option=("--gres=gpu:1",),
    prologue=("module load cuda",),
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("slurm", ["#SBATCH -p long", "#SBATCH -A lab", "#SBATCH --cpus-per-task=6", "#SBATCH -t 11:00:00"]),
        ("sge", ["#$ -q long", "#$ -P lab", "#$ -l h_rt=11:00:00"]),
        ("pbs", ["#PBS -q long", "#PBS -A lab", "#PBS -l walltime=11:00:00"]),
    ],
)
def test_a_jobs_script_asks_for_what_was_asked_for(tmp_path: Path, kind: str, expected: list[str]) -> None:
    prefix = expected[0].split()[0]
    for gpu in (False, True):
        with job_cluster(replace(JOBS, cluster=kind), tmp_path / "jobs", gpu=gpu) as cluster:
            script = cluster.job_script()
            for key in (tmp_path / "jobs").glob(".dask-jobqueue.worker.*"):
                assert key.stat().st_mode & 0o077 == 0
        lines = script.splitlines()
        assert set(expected) | {f"{prefix} --nice=5", "module load cuda"} <= set(lines)
        assert (f"{prefix} --gres=gpu:1" in lines) is gpu
        assert ("--resources GPU=1" in lines[-1]) is gpu
        assert f"{sys.executable} -m distributed.cli.dask_worker tls://" in lines[-1]
        assert "--nthreads 6 " in lines[-1]
        assert "--nworkers" not in lines[-1], "a worker runs one stage at a time: one for each job"
        assert "--tls-cert" in lines[-1]
    assert (tmp_path / "jobs").stat().st_mode & 0o077 == 0


def test_what_jobs_ask_for_is_checked(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="--cluster slurm: You must specify how much cores and memory"):
        job_cluster(Settings("slurm", memory="1GB"), tmp_path, gpu=False)
    with pytest.raises(BadInputError, match="--cluster sge: You must specify how much cores and memory"):
        job_cluster(Settings("sge", cores=1), tmp_path, gpu=False)
    with pytest.raises(BadInputError, match="--cluster pbs: Could not interpret 'XB' as a byte unit"):
        job_cluster(Settings("pbs", cores=1, memory="1XB"), tmp_path, gpu=False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "expected either --cluster, to start workers, or --scheduler"),
        ({"cluster": "local", "scheduler": "tcp://x:1"}, "expected either --cluster, to start workers, or --scheduler"),
        ({"cluster": "local", "workers": 0}, "expected at least 1 worker"),
        ({"cluster": "local", "gpu_workers": 3}, "expected 0 to 2"),
        ({"cluster": "slurm", "gpu_workers": 1}, "--gpu-job-option"),
        ({"cluster": "local", "carry": ("../x",)}, r"--carry \.\./x: expected a path in this workspace"),
        ({"cluster": "local", "carry": ("no/such/file",)}, "--carry no/such/file: expected a path in this workspace"),
    ],
)
def test_contradictions_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        Settings(**given)


@pytest.mark.parametrize("name", ["dask_jobqueue", "distributed"])
def test_a_package_that_is_not_installed_names_the_extra(name: str) -> None:
    script = f"import sys; sys.modules['{name}'] = None; from polyprobe.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, "cluster", "repro", "--cluster", "local"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = f'error: {name} is not installed, which several workers need: pip install "polyprobe[cluster]"\n'
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_settings_are_the_commands_options() -> None:
    """The command hands its options on by their names."""
    names = {field.name for field in fields(Settings)}
    assert names | {"stages", "context"} == signature(repro).parameters.keys()
    assert Settings("slurm", gpu_workers=1, gpu_job_option=("--gres=gpu:1",)).workers == 2


def test_measured_seconds_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    study = load_study(ROOT / "studies/tiny.yaml")
    monkeypatch.setenv("POLYPROBE_SCRATCH", str(tmp_path))
    stages = ["extract@step-0", "finetune_xnli@step-0", "overlap", "probe@step-0", "probe@step-20"]
    before = expected_seconds(study, stages, gpu=True)
    assert list(before) == stages
    assert before["overlap"] == 1.0, "the cost model says nothing of it"
    on_cores = expected_seconds(study, stages, gpu=False)
    assert on_cores["finetune_xnli@step-0"] > 50 * before["finetune_xnli@step-0"] > 0
    assert on_cores["probe@step-20"] == before["probe@step-20"]
    known = Run(
        study="tiny", parameters="p", stage="probe", arguments=("step-0",), outcome="finished", seconds=100.0,
        finished="2026-01-01T00:00:00+00:00", commit=None, changed=None, python="3", torch=None, platform="p",
        processor="p", cores=1, gpu=None, memory=1,
    )  # fmt: skip
    runs = [
        known,
        # Found its probes done already, failed, or of another study: says nothing of a whole run.
        replace(known, seconds=1.0),
        replace(known, seconds=900.0, outcome="failed"),
        replace(known, seconds=900.0, study="pocket"),
        replace(known, stage="overlap", arguments=(), seconds=33.0),
    ]
    (tmp_path / "runs.jsonl").write_text("".join(json.dumps(asdict(run)) + "\n" for run in runs), encoding="utf-8")
    after = expected_seconds(study, stages, gpu=True)
    assert (after["probe@step-0"], after["probe@step-20"], after["overlap"]) == (100.0, 100.0, 33.0)
    assert after["extract@step-0"] == before["extract@step-0"]
