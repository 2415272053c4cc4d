"""Processes that outlived the worker that started them: found by a mark in their environment, and killed."""

import os
import time
from contextlib import suppress
from typing import Any, Final

import psutil

PROJECT: Final = "POLYPROBE_CLUSTER_PROJECT"
"""Holds the path of the main workspace that a stage's processes work for."""
STAGE: Final = "POLYPROBE_CLUSTER_STAGE"
"""Holds the stage's address."""


def kill_leftovers(project: str, stage: str | None = None) -> None:
    """Kill the processes on this machine that work for a main workspace, and wait until they are gone.

    Args:
        project: its path.
        stage: only those that run this stage.
    """
    found = []
    for process in psutil.process_iter():
        # Other users' processes do not show their environment.
        with suppress(psutil.Error, OSError):
            marks = process.environ()
            if marks.get(PROJECT) == project and stage in (None, marks.get(STAGE)) and process.pid != os.getpid():
                process.kill()
                found.append(process)
    end = time.monotonic() + 10
    while time.monotonic() < end and any(_runs(process) for process in found):
        time.sleep(0.05)


def _runs(process: Any) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
