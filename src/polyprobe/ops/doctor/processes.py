"""Processes of this machine."""

from pathlib import Path

import psutil


def is_there(pid: int) -> bool:
    """Whether there is a process of that number."""
    return bool(psutil.pid_exists(pid))


def wrote(pid: int, file: Path, command: str) -> bool:
    """Whether a process can be the one that last wrote a file: it was there then, and runs `command`."""
    try:
        process = psutil.Process(pid)
        began, line = process.create_time(), " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
    # A moment's grace: the system's tick is coarser than a file's time.
    return bool(began <= file.stat().st_mtime + 1 and command in line)


def at_work(name: str, folder: Path) -> list[int]:
    """The processes whose name begins so and that work in a folder or below it."""
    found = []
    for process in psutil.process_iter(["name"]):
        if str(process.info["name"]).startswith(name):
            try:
                current = Path(process.cwd())
            except (psutil.Error, OSError):
                continue
            if current == folder or folder in current.parents:
                found.append(int(process.pid))
    return sorted(found)
