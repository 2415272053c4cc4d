"""Locks of DVC and git that killed processes left behind."""

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil

from polyprobe.ops.doctor.findings import Finding, fault, ok, warning
from polyprobe.ops.doctor.repository import git, open_repository
from polyprobe.ops.listing import first_few

WAIT: Final = "wait for it to end"
"""The advice where a process is at work here."""
_DVC_LOCKS: Final = ("lock", "rwlock.lock")
"""In DVC's temporary folder; the system releases them when the process ends."""


def check(deep: bool) -> Iterator[Finding]:
    """Look at DVC's locks, then at git's."""
    with open_repository() as repository:
        folder = Path(str(repository.tmp_dir))
    yield _output_locks(folder / "rwlock")
    held = [name for name in _DVC_LOCKS if _is_held(folder / name)]
    if held:
        yield warning("dvc", f"another one is at work here ({', '.join(held)} is held)", WAIT)
    else:
        yield ok("dvc", "no other one is at work here")
    yield _git_index()


def _output_locks(file: Path) -> Finding:
    """Check which process reads or writes which output: a plain file says so, which outlives a killed process."""
    from voluptuous import Invalid

    from polyprobe.ops.dvc_internals import RWLOCK_SCHEMA

    subject = "rwlock"
    if not file.exists():
        return ok(subject, "no output is locked")
    try:
        holders = _holders(RWLOCK_SCHEMA(json.loads(file.read_text(encoding="utf-8"))))
    except (ValueError, Invalid):
        if _is_held(file.with_name("rwlock.lock")):
            return warning(subject, f"a dvc is writing {file}", WAIT)
        state = "cannot be read" if file.read_bytes().strip() else "is empty"
        return _removable(subject, file, f"{file} {state}: dvc was killed while it wrote it")
    if not holders:
        return ok(subject, "no output is locked")
    at_work = {pid: command for _, pid, command in holders if _may_have_written(pid, file)}
    if at_work:
        pid, command = min(at_work.items())
        return warning(subject, f"process {pid} is at work: {command}", WAIT)
    message = f"processes that ended still lock {first_few(sorted({path for path, _, _ in holders}))}"
    if any(psutil.pid_exists(pid) for _, pid, _ in holders):
        # DVC goes by the number alone.
        return _removable(subject, file, f"{message}, and others have their numbers, so that DVC refuses")
    return warning(subject, message, f"the next dvc releases them; or `rm {file}`", lambda: _remove(file))


def _holders(locks: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Return each locked path with the number and the command of a process that locks it."""
    holders = [*locks["write"].items()]
    holders += [(path, reader) for path, readers in locks["read"].items() for reader in readers]
    return [(path, holder["pid"], holder["cmd"]) for path, holder in holders]


def _may_have_written(pid: int, file: Path) -> bool:
    """Return whether a process is a dvc that was there when a file was last written."""
    try:
        process = psutil.Process(pid)
        # A moment's grace: the system's tick is coarser than a file's time.
        return process.create_time() <= file.stat().st_mtime + 1 and "dvc" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _is_held(file: Path) -> bool:
    """Return whether a process holds the system's lock of a file."""
    if not file.exists():
        return False
    with file.open("rb") as opened_file:
        try:
            fcntl.flock(opened_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            # Any other error says that the file system has no such locks.
            return isinstance(error, BlockingIOError)
    return False


def _git_index() -> Finding:
    file = Path(git("rev-parse", "--git-path", "index.lock").stdout.strip())
    if not file.is_file():
        return ok("git", "its index is not locked")
    for process in psutil.process_iter(["name", "cwd"]):
        name, folder = process.info["name"], process.info["cwd"]
        if name and name.startswith("git") and folder and Path(folder).is_relative_to(Path.cwd()):
            return warning("git", f"process {process.pid} is at work here and locks the index", WAIT)
    return _removable("git", file, f"{file} is left, and no git is at work here")


def _removable(subject: str, file: Path, message: str) -> Finding:
    return fault(subject, message, f"`rm {file}`", lambda: _remove(file))


def _remove(file: Path) -> str:
    file.unlink()
    return f"removed {file}"
