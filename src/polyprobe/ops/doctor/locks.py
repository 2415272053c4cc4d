"""Locks of DVC and git that killed processes left behind."""

import fcntl
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyprobe.ops.doctor import processes
from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, some, warning
from polyprobe.ops.doctor.repository import git, opened
from polyprobe.running.files import new_file

WAIT: Final = "wait for it to end"
"""The advice where a process is at work here."""
_HELD: Final = ("lock", "rwlock.lock")
"""DVC's own locks in its temporary folder; the system lets go of them with the process."""


def check(asked: Asked) -> Iterator[Finding]:
    """DVC's locks, then git's."""
    with opened() as repository:
        folder, claims = Path(str(repository.tmp_dir)), repository.config["core"].get("hardlink_lock")
    yield _read_write(folder / "rwlock")
    if claims:
        yield from _claims(folder)
    else:
        held = [name for name in _HELD if _is_held(folder / name)]
        if held:
            yield warning("dvc", f"another one is at work here ({', '.join(held)} is held)", WAIT)
        else:
            yield ok("dvc", "no other one is at work here")
    yield _git()


def _read_write(file: Path) -> Finding:
    """Which process reads or writes which output: a plain file, so that it outlives a killed process."""
    subject = "rwlock"
    if not file.exists():
        return ok(subject, "no output is locked")

    def remove() -> str:
        file.unlink()
        return f"removed {file}"

    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        entries = [said.get(mode, {}) for mode in ("read", "write")]
        holders = [(path, int(one["pid"]), str(one["cmd"])) for entry in entries for path, told in entry.items()
                   for one in (told if isinstance(told, list) else [told])]  # fmt: skip
    except (ValueError, AttributeError, TypeError, KeyError):
        if _is_held(file.with_name("rwlock.lock")):
            return warning(subject, f"a dvc is writing {file}", WAIT)
        what = "is empty" if not file.read_bytes().strip() else "cannot be read"
        return fault(subject, f"{file} {what}: dvc was killed while it wrote it", f"`rm {file}`", remove)
    alive = {pid: command for _, pid, command in holders if processes.wrote(pid, file, "dvc")}
    dead = sorted({path for path, pid, _ in holders if pid not in alive})
    if alive:
        pid, command = min(alive.items())
        return warning(subject, f"process {pid} is at work: {command}", WAIT)
    if dead:

        def release() -> str:
            with new_file(file) as temporary:
                temporary.write_text("{}", encoding="utf-8")
            return f"released {some(dead)}"

        if any(processes.is_there(pid) for _, pid, _ in holders):
            # DVC goes by the number alone.
            says = f"processes that ended still lock {some(dead)}, and others have their numbers, so that DVC refuses"
            return fault(subject, says, f"`rm {file}`", release)
        says = f"processes that ended still lock {some(dead)}"
        return warning(subject, says, f"the next dvc releases them; or `rm {file}`", release)
    return ok(subject, "no output is locked")


def _is_held(file: Path) -> bool:
    if not file.exists():
        return False
    with file.open("rb") as opened_file:
        try:
            fcntl.flock(opened_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def _claims(folder: Path) -> Iterator[Finding]:
    """Locks where core.hardlink_lock is set, for file systems that know no others: files that say who holds them."""
    for name in _HELD:
        file = folder / name
        parts = file.read_text(encoding="utf-8", errors="replace").strip().split("|") if file.exists() else []
        if len(parts) < 3 or not parts[2].isdigit():
            continue
        host, pid = parts[1], int(parts[2])
        if host != socket.gethostname():
            yield warning("dvc", f"process {pid} on {host} holds {file}", f"if it no longer runs there, `rm {file}`")
        elif processes.is_there(pid):
            yield warning("dvc", f"process {pid} holds {file}", WAIT)
        else:

            def remove(file: Path = file) -> str:
                file.unlink()
                return f"removed {file}"

            yield fault("dvc", f"{file} is held by process {pid}, which ended", f"`rm {file}`", remove)


def _git() -> Finding:
    told = git("rev-parse", "--git-path", "index.lock")
    file = Path(told.stdout.strip())
    if told.returncode != 0 or not file.exists():
        return ok("git", "its index is not locked")
    if working := processes.at_work("git", Path.cwd()):
        return warning("git", f"process {working[0]} is at work here and locks the index", WAIT)

    def remove() -> str:
        file.unlink()
        return f"removed {file}"

    return fault("git", f"{file} is left, and no git is at work here", f"`rm {file}`", remove)
