"""Half-written files of killed runs, and worktrees whose folder is gone."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyprobe.ops.doctor import processes
from polyprobe.ops.doctor.findings import Asked, Finding, ok, some, warning
from polyprobe.ops.doctor.repository import git
from polyprobe.running.scratch import scratch_root

_OURS: Final = re.compile(r"\..+\.(\d+)\.tmp")
"""As `polyprobe.running.files` names what it has not finished; the number is the process's."""
_WHERE: Final = ("data", "metrics", "plots")


def check(asked: Asked) -> Iterator[Finding]:
    """Temporary files, then worktrees."""
    left = sorted(_left())

    def remove() -> str:
        for path in left:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return f"removed {some([str(path) for path in left])}"

    if left:
        names = [str(path) for path in left]
        yield warning("left behind", f"half-written by runs that were killed: {some(names)}", "remove them", remove)
    else:
        yield ok("left behind", "nothing half-written")
    yield _worktrees()


def _left() -> Iterator[Path]:
    """What processes that ended had not finished."""

    def ended(name: str) -> bool:
        found = _OURS.fullmatch(name)
        return found is not None and not processes.is_there(int(found[1]))

    yield from (path for path in Path().iterdir() if ended(path.name))
    for folder in (*map(Path, _WHERE), scratch_root()):
        for parent, folders, files in os.walk(folder):
            yield from (Path(parent, name) for name in [*folders, *files] if ended(name))
            folders[:] = [name for name in folders if not ended(name)]


def _worktrees() -> Finding:
    gone = []
    for block in git("worktree", "list", "--porcelain").stdout.split("\n\n"):
        lines = block.splitlines()
        if any(line.split(" ")[0] == "prunable" for line in lines):
            gone.append(lines[0].removeprefix("worktree "))

    def prune() -> str:
        done = git("worktree", "prune")
        if done.returncode != 0:
            raise OSError(done.stderr)
        return f"git forgot {some(gone)}"

    if gone:
        return warning("worktrees", f"git knows folders that are gone: {some(gone)}", "`git worktree prune`", prune)
    return ok("worktrees", "none whose folder is gone")
