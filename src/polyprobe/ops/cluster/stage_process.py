"""One stage in one folder, in a process group of its own that lives no longer than the worker that started it.

Started by `polyprobe.ops.cluster.worker` as `python -m polyprobe.ops.cluster.stage_process STAGE ...` with a pipe as
standard input, which nothing is written to: it ends when the worker does, however that ends.
"""

import argparse
import fcntl
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from polyprobe.ops.cluster.orders import LOST


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage")
    parser.add_argument("--with", dest="needed", nargs="*", default=[], help="stages whose outputs are to be there")
    parser.add_argument("--remote", help="bring outputs from there, and the stage's own there")
    parser.add_argument("--stage-lock", type=Path, help="hold this file locked")
    arguments = parser.parse_args()
    _live_no_longer_than_the_worker()
    if arguments.stage_lock:
        _hold(arguments.stage_lock)
    sys.exit(bring_up_to_date(arguments.stage, arguments.needed, arguments.remote))


def bring_up_to_date(stage: str, needed: Sequence[str], remote: str | None) -> int:
    """Runs or restores a stage of the repository in the current folder, whose dvc.lock holds what is upstream.

    Args:
        stage: its address.
        needed: the stages whose outputs are to be there first.
        remote: the DVC remote to bring them from, where the cache is not shared; the stage's own are sent there.

    Returns:
        0; `LOST` where outputs cannot be brought or sent; else what `dvc repro` exits with.
    """
    if needed:
        bring = ["pull", "--remote", remote, "--force"] if remote else ["checkout", "--force"]
        # What is missing is run again where it is the stage's own; else the stage says what it misses.
        if _dvc(*bring, "--allow-missing", *needed) != 0:
            return LOST
    code = _dvc("repro", "--single-item", *(["--pull"] if remote else []), stage)
    if code == 0 and remote and _dvc("push", "--remote", remote, "--run-cache", stage) != 0:
        return LOST
    return code


def _dvc(*arguments: str) -> int:
    from dvc.cli import main as dvc

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
    """Waits for a process on a machine that the coordinator has lost and that may still run the stage."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    opened = os.open(lock, os.O_RDWR | os.O_CREAT)
    # A file system without locks: nothing to wait for.
    with suppress(OSError):
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waits for {lock}: another machine still runs this stage", flush=True)
            fcntl.flock(opened, fcntl.LOCK_EX)


if __name__ == "__main__":
    main()
