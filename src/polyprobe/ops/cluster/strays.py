"""Processes that outlived the worker that started them: found by a mark in their environment, and killed."""

import os
import time
from contextlib import suppress
from typing import Final

PROJECT: Final = "POLYPROBE_CLUSTER_PROJECT"
"""Holds the path of the main workspace that a stage's processes work for."""
STAGE: Final = "POLYPROBE_CLUSTER_STAGE"
"""Holds the stage's address."""


def kill_strays(project: str, stage: str | None = None) -> int:
    """Kills the processes on this machine that work for a main workspace, and waits until they are gone.

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
            environment = process.environ()
            if environment.get(PROJECT) == project and (stage is None or environment.get(STAGE) == stage):
                found.append(process)
    found = [process for process in found if process.pid != os.getpid()]
    for process in found:
        with suppress(psutil.Error):
            process.kill()
    end = time.monotonic() + 10
    while time.monotonic() < end and any(process.is_running() and not _zombie(process) for process in found):
        time.sleep(0.05)
    return len(found)


def _zombie(process: object) -> bool:
    import psutil

    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # type: ignore[attr-defined]
    except psutil.Error:
        return True
