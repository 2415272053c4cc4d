"""Half-written files of killed runs, and worktrees whose folder is gone."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from polyprobe.ops.doctor.findings import Finding, ok, warning
from polyprobe.ops.doctor.repository import git
from polyprobe.ops.listing import first_few
from polyprobe.running.scratch import scratch_root

_TEMPORARY: Final = re.compile(r"\..+\.(\d+)\.tmp")
"""As `polyprobe.running.files` names what it has not finished; the number is the process's."""
_OUTPUT_FOLDERS: Final = (Path("data"), Path("metrics"), Path("plots"))
_PRUNABLE: Final = re.compile(r"^worktree (.+)\n(?:.+\n)*prunable", re.MULTILINE)


def check(deep: bool) -> Iterator[Finding]:
    """Look for temporary files, then for worktrees."""
    abandoned = sorted(_abandoned())

    def remove() -> str:
        for path in abandoned:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return f"removed {first_few(abandoned)}"

    if abandoned:
        message = f"half-written by runs that were killed: {first_few(abandoned)}"
        yield warning("left behind", message, "remove them", remove)
    else:
        yield ok("left behind", "nothing half-written")
    yield _worktrees()


def _abandoned() -> Iterator[Path]:
    """Yield what processes that ended had not finished."""
    yield from (path for path in Path().iterdir() if _is_abandoned(path.name))
    for root in (*_OUTPUT_FOLDERS, scratch_root()):
        for parent, folders, files in os.walk(root):
            yield from (Path(parent, name) for name in [*folders, *files] if _is_abandoned(name))
            folders[:] = [name for name in folders if not _is_abandoned(name)]


def _is_abandoned(name: str) -> bool:
    temporary = _TEMPORARY.fullmatch(name)
    return temporary is not None and not psutil.pid_exists(int(temporary[1]))


def _worktrees() -> Finding:
    gone = _PRUNABLE.findall(git("worktree", "list", "--porcelain").stdout)

    def prune() -> str:
        git("worktree", "prune")
        return f"git forgot {first_few(gone)}"

    if gone:
        message = f"git knows folders that are gone: {first_few(gone)}"
        return warning("worktrees", message, "`git worktree prune`", prune)
    return ok("worktrees", "none whose folder is gone")
