"""The main workspace's own `dvc` commands around a run on several workers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

from filelock import FileLock, Timeout

from polyprobe.ops.cluster.leftover_processes import kill_leftovers
from polyprobe.ops.cluster.records import LOCK, Records
from polyprobe.ops.cluster.worker_folders import remove_worktrees
from polyprobe.running.errors import BadInputError
from polyprobe.running.scratch import scratch_root


@contextmanager
def only_one() -> Iterator[None]:
    """Let only one coordinator at a time work in the current folder's repository, and remove its worktrees at the end.

    Raises:
        BadInputError: there is another.
    """
    folder = scratch_root() / "cluster"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            # What an earlier one has left that was killed; its workers' processes would go on writing.
            kill_leftovers(str(Path.cwd()))
            remove_worktrees()
            try:
                yield
            finally:
                remove_worktrees()
    except Timeout as error:
        raise BadInputError(f"{error.lock_file}: another `cluster repro` is at work in this repository") from None


def bring_here(records: Records, stages: Sequence[str], log: Path, remote: str | None) -> None:
    """Put the outputs of finished stages into the main workspace, those that are to be had.

    Args:
        records: of the main workspace.
        stages: those that finished.
        log: what dvc prints goes there.
        remote: the DVC remote that has the outputs, where the cache has not.

    Raises:
        BadInputError: the remote does not answer, or the disk is full.
    """
    if not stages:
        return
    bring = ["pull", "--remote", remote] if remote else ["checkout"]
    dvc([*bring, "--force", "--allow-missing", *sorted(stages)], log)
    if records.autostage:
        paths = (path for stage in sorted(stages) for path in records.uncached[stage] if Path(path).exists())
        # What git ignores is left out, which is no error.
        command = ["git", "add", "--", str(LOCK), *paths]
        subprocess.run(command, check=False, capture_output=True, stdin=DEVNULL)


def send(records: Records, up_to_date: frozenset[str], log: Path, remote: str) -> None:
    """Send what the main workspace has of the pipeline to a remote, for workers that share no cache with it.

    Args:
        records: of the main workspace.
        up_to_date: the stages that are.
        log: what dvc prints goes there.
        remote: the DVC remote.

    Raises:
        BadInputError: the remote does not take it.
    """
    if up_to_date:
        dvc(["push", "--remote", remote, "--run-cache", *sorted(up_to_date)], log)
    if others := sorted(records.entries(records.pipeline.upstream).keys() - up_to_date):
        # They may turn out to be as they were; if the cache has lost one of them, it is run again.
        with suppress(BadInputError):
            dvc(["push", "--remote", remote, *others], log)


def dvc(arguments: Sequence[str], log: Path) -> str:
    """Run dvc in the main workspace and return what it printed.

    Raises:
        BadInputError: it failed.
    """
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
    done = subprocess.run(command, env=environment, text=True, check=False, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ dvc {' '.join(arguments)}\n{done.stdout}")
    if done.returncode != 0:
        raise BadInputError(f"dvc {arguments[0]} failed here; {log}:\n{done.stdout.strip()}")
    return done.stdout
