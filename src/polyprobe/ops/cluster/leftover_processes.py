"""Processes that outlived the worker that started them: found by a mark in their environment, and killed."""

import os
import time
from contextlib import suppress
from typing import Any, Final

PROJECT: Final = "POLYPROBE_CLUSTER_PROJECT"
"""Holds the path of the main workspace that a stage's processes work for."""
STAGE: Final = "POLYPROBE_CLUSTER_STAGE"
"""Holds the stage's address."""
_SECONDS: Final = 10


def kill_leftovers(project: str, stage: str | None = None) -> int:
    """Kill the processes on this machine that work for a main workspace, and wait until they are gone.

    Args:
        project: its path.
        stage: only those that run this stage.

    Returns:
        How many there were.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        # Other users' processes do not show their environment.
        with suppress(psutil.Error, OSError):
            marks = process.environ()
            if marks.get(PROJECT) == project and stage in (None, marks.get(STAGE)) and process.pid != os.getpid():
                process.kill()
                found.append(process)
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and any(_runs(process) for process in found):
        time.sleep(0.05)
    return len(found)


def _runs(process: Any) -> bool:
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
