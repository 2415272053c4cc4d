"""The parts of a run on several workers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from polyprobe.ops.cluster import workers, workplaces
from polyprobe.ops.cluster.files import read_files, write_files
from polyprobe.ops.cluster.graph import Pipeline, kind
from polyprobe.ops.cluster.strays import PROJECT, STAGE, kill_strays
from polyprobe.running.errors import BadInputError

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
    files = read_files(here, outputs)
    assert set(files) == {"plots/overlap", "summary.json"}
    (there / "plots/overlap").mkdir(parents=True)
    (there / "plots/overlap/old.csv").touch()
    (there / "plots/kept.csv").touch()
    write_files(there, files)
    assert read_files(there, outputs) == files, "a folder holds nothing else"
    assert (there / "plots/kept.csv").exists()


@pytest.mark.parametrize("path", ["../out.csv", "/out.csv", "plots/../../out.csv"])
def test_outputs_stay_in_the_repository(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    with pytest.raises(BadInputError, match="leads out of the repository"):
        write_files(folder, {path: {"": b"x"}})
    with pytest.raises(BadInputError, match="leads out of the repository"):
        write_files(folder, {"plots": {path: b"x"}})
    assert list(tmp_path.rglob("*.csv")) == []


def test_workers_work_at_a_commit(repository: Path) -> None:
    (repository / "metrics").mkdir()
    (repository / "metrics/summary.json").touch()
    (repository / "dvc.lock").touch()
    (repository / "local-data").mkdir()
    assert workplaces.committed(["metrics/summary.json"]) == git(repository, "rev-parse", "HEAD").strip()
    (repository / "params.yaml").write_text("k: 2\n", encoding="utf-8")
    (repository / "with space.py").touch()
    with pytest.raises(BadInputError, match=r"first: params\.yaml, with space\.py$"):
        workplaces.committed(["metrics/summary.json"])
    git(repository, "add", "--all")
    with pytest.raises(BadInputError, match=r"first: dvc|first: metrics|first: params"):
        workplaces.committed(["metrics/summary.json"])


def test_a_worktree_has_what_git_does_not_hold(repository: Path) -> None:
    (repository / "local-data/corpus").mkdir(parents=True)
    (repository / "config").mkdir()
    (repository / "config/local.yaml").write_text("threads: 1\n", encoding="utf-8")
    (repository / ".dvc/config.local").write_text("['remote \"server\"']\npassword = secret\n", encoding="utf-8")
    settings = workplaces.settings_of_worktrees(repository / ".dvc/cache")
    commit = workplaces.committed([])
    worktrees = workplaces.Worktrees(repository / ".scratch/cluster/worktrees", commit, settings, ())
    path = worktrees.new()
    assert (path / "local-data/corpus").is_dir()
    assert (path / "config/local.yaml").read_text(encoding="utf-8") == "threads: 1\n"
    from dvc.config import Config

    config = Config(str(path / ".dvc"))
    assert Path(config["cache"]["dir"]) == repository / ".dvc/cache"
    # `../../far` from the worktree would be another folder.
    assert Path(config["remote"]["far"]["url"]) == repository.parent / "far"
    assert config["remote"]["server"]["password"] == "secret"
    assert (path / ".dvc/config.local").stat().st_mode & 0o077 == 0, "it may hold secrets"
    assert "config.local" not in git(path, "status", "--short")
    assert worktrees.new() != path
    # Another coordinator finds what a killed one has left.
    workplaces.Worktrees(repository / "elsewhere", commit, settings, ())
    assert not path.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_clones_get_no_secrets(repository: Path) -> None:
    (repository / ".dvc/config.local").write_text("['remote \"server\"']\npassword = secret\n", encoding="utf-8")
    name, settings = workplaces.settings_of_clones(None)
    assert name == "far"
    assert settings["remote"] == {"far": {"url": str(repository.parent / "far")}}
    name, settings = workplaces.settings_of_clones("server")
    assert name == "server"
    assert "secret" not in repr(settings)
    with pytest.raises(BadInputError, match="no DVC remote 'near', expected one of: far, server"):
        workplaces.settings_of_clones("near")


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, f"process {pid} is still there"
        time.sleep(0.02)


def test_strays_are_killed_by_their_mark(tmp_path: Path) -> None:
    def sleeper(project: str, stage: str) -> "subprocess.Popen[bytes]":
        marks = {**os.environ, PROJECT: project, STAGE: stage}
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], env=marks)

    project = str(tmp_path)
    ours, other_stage, other_project = sleeper(project, "a"), sleeper(project, "b"), sleeper(f"{project}x", "a")
    try:
        assert kill_strays(project, "a") == 1
        assert ours.wait() == -signal.SIGKILL
        assert other_stage.poll() is None
        assert kill_strays(project) == 1
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


JOBS = workers.Jobs(
    cores=6,
    memory="32GB",
    walltime="11:00:00",
    queue="long",
    account="lab",
    directives=("--nice=5",),
    gpu_directives=("--gres=gpu:1",),
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
        with workers.job_cluster(kind, JOBS, tmp_path / "jobs", gpu=gpu) as cluster:
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
    with pytest.raises(BadInputError, match="--cluster slurm: expected --cores of a job"):
        workers.job_cluster("slurm", workers.Jobs(memory="1GB"), tmp_path, gpu=False)
    with pytest.raises(BadInputError, match="--cluster sge: expected --memory of a job"):
        workers.job_cluster("sge", workers.Jobs(cores=1), tmp_path, gpu=False)
    with pytest.raises(BadInputError, match="expected at least 1 worker"):
        workers.check_counts(0, 0, "local", ())
    with pytest.raises(BadInputError, match="expected 0 to 2"):
        workers.check_counts(2, 3, "local", ())
    with pytest.raises(BadInputError, match="--gpu-job-option"):
        workers.check_counts(2, 1, "slurm", ())
    workers.check_counts(2, 1, "slurm", ("--gres=gpu:1",))
