"""Room on the disks that a study writes to, and permission to write there."""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyprobe.ops.doctor.findings import Finding, fault, ok
from polyprobe.ops.doctor.repository import open_repository
from polyprobe.running.errors import one_line
from polyprobe.running.scratch import scratch_root

MINIMUM_BYTES: Final = 200e6
"""Free bytes below which no study is begun."""
_GB: Final = 1e9
_ADVICE: Final = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EROFS: "mount it for writing, or work on a copy elsewhere",
    errno.EACCES: "its owner has to give you the right to write",
}


def check(deep: bool) -> Iterator[Finding]:
    """Try each folder that is written to, then look at the room on its disk."""
    with open_repository() as repository:
        cache = Path(str(repository.cache.local.path))
    folders = {
        "workspace": Path.cwd(),
        "cache": _nearest(cache),
        "scratch folder": _nearest(scratch_root()),
        "temporary folder": Path(tempfile.gettempdir()),
    }
    for name, folder in folders.items():
        yield _writable(name, folder)
    yield from _free_space(folders)


def _nearest(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    folder = folder.resolve()
    return next(each for each in (folder, *folder.parents) if each.exists())


def _writable(name: str, folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 65536)
            file.flush()
    except OSError as error:
        message = f"{folder}: nothing can be written there: {error.strerror or one_line(error)}"
        return fault(name, message, _ADVICE.get(error.errno or 0, "see what it is, and try again"))
    return ok(name, f"{folder} can be written to")


def _free_space(folders: dict[str, Path]) -> Iterator[Finding]:
    """Yield a finding per file system."""
    names_by_device: dict[int, list[str]] = {}
    for name, folder in folders.items():
        names_by_device.setdefault(folder.stat().st_dev, []).append(name)
    for names in names_by_device.values():
        folder = folders[names[0]]
        free = shutil.disk_usage(folder).free
        message = f"{free / _GB:.1f} GB are free for {', '.join(names)} ({folder})"
        if free < MINIMUM_BYTES:
            yield fault("disk", f"only {message}", f"free at least {MINIMUM_BYTES / _GB:.1f} GB")
        else:
            yield ok("disk", f"{message}; `polyprobe cost` says what the study needs")
