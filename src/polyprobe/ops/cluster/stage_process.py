"""One stage in one folder, in a process group of its own that lives no longer than the worker that started it.

Started by `polyprobe.ops.cluster.worker` as `python -m polyprobe.ops.cluster.stage_process STAGE ...` with a pipe as
standard input, which nothing is written to: it ends when the worker does, however that ends.
"""

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from polyprobe.ops.cluster.assignments import LOST


def main(
    stage: str,
    inputs: Annotated[list[str] | None, typer.Argument()] = None,
    remote: str | None = None,
    stage_lock: Path | None = None,
) -> None:
    """Bring a stage up to date, and exit with what came of it."""
    _live_no_longer_than_the_worker()
    if stage_lock:
        _hold(stage_lock)
    sys.exit(bring_up_to_date(stage, inputs or [], remote))


def bring_up_to_date(stage: str, inputs: Sequence[str], remote: str | None) -> int:
    """Run or restore a stage of the repository in the current folder, whose dvc.lock holds what is upstream.

    Args:
        stage: its address.
        inputs: the stages whose outputs are to be there first.
        remote: the DVC remote to bring them from, where the cache is not shared; the stage's own are sent there.

    Returns:
        0; `LOST` where outputs cannot be brought or sent; else what `dvc repro` exits with.
    """
    if inputs:
        bring = ["pull", "--remote", remote] if remote else ["checkout"]
        # What is missing is run again where it is the stage's own; else the stage says what it misses.
        if _dvc(*bring, "--force", "--allow-missing", *inputs) != 0:
            return LOST
    code = _dvc("repro", "--single-item", *(["--pull"] if remote else []), stage)
    if code == 0 and remote and _dvc("push", "--remote", remote, "--run-cache", stage) != 0:
        return LOST
    return code


def _dvc(*arguments: str) -> int:
    from polyprobe.ops.dvc_internals import run_command as dvc

    print("$ dvc", *arguments, flush=True)
    code = int(dvc(list(arguments)) or 0)
    sys.stdout.flush()
    return code


def _live_no_longer_than_the_worker() -> None:
    worker = os.dup(0)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)

    def watch() -> None:
        while os.read(worker, 1):
            pass
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(LOST)

    threading.Thread(target=watch, daemon=True).start()


def _hold(lock: Path) -> None:
    """Wait for a process on a machine that the coordinator has lost and that may still run the stage."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    opened = os.open(lock, os.O_RDWR | os.O_CREAT)
    # A file system without locks: nothing to wait for.
    with suppress(OSError):
        fcntl.flock(opened, fcntl.LOCK_EX)


if __name__ == "__main__":
    typer.run(main)
