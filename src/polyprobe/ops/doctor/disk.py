"""Room on the disks that a study writes to, and leave to write there."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, warning
from polyprobe.ops.doctor.repository import opened
from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.scratch import scratch_root

FLOOR: Final = 200e6
"""Free bytes below which no study is begun."""
_FILES: Final = 2000
"""Free inodes below which no study is begun."""
_GB: Final = 1e9


def check(asked: Asked) -> Iterator[Finding]:
    """Each folder that is written to, then what the study needs."""
    folders = _folders()
    for name, folder in folders.items():
        yield _writable(name, folder)
    yield from _room(folders)


def _folders() -> dict[str, Path]:
    """Where a study writes, the nearest folder that is there."""
    with opened() as repository:
        cache = Path(str(repository.cache.local.path))
    wanted = {
        "workspace": Path(),
        "cache": cache,
        "scratch folder": scratch_root(),
        "temporary folder": Path(tempfile.gettempdir()),
    }
    return {name: _nearest(folder) for name, folder in wanted.items()}


def _nearest(folder: Path) -> Path:
    folder = folder.resolve()
    return next(one for one in (folder, *folder.parents) if one.exists())


def _writable(name: str, folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 65536)
            file.flush()
    except OSError as error:
        advice = {
            errno.ENOSPC: "free some space there",
            errno.EDQUOT: "free some of your quota there",
            errno.EROFS: "mount it for writing, or work on a copy elsewhere",
            errno.EACCES: "its owner has to give you the right to write",
        }.get(error.errno or 0, "see what it is, and try again")
        return fault(name, f"{folder}: nothing can be written there: {error.strerror or one_line(error)}", advice)
    return ok(name, f"{folder} can be written to")


def _room(folders: dict[str, Path]) -> Iterator[Finding]:
    """Free space per file system."""
    needed, told = _needed()
    by_device: dict[int, list[str]] = {}
    for name, folder in folders.items():
        by_device.setdefault(folder.stat().st_dev, []).append(name)
    for names in by_device.values():
        folder = folders[names[0]]
        free = shutil.disk_usage(folder).free
        inodes = os.statvfs(folder)
        said = f"{free / _GB:.1f} GB are free for {', '.join(names)} ({folder})"
        wanted = needed if {"workspace", "cache"} & set(names) else 0.0
        if free < FLOOR:
            yield fault("disk", f"only {said}", f"free at least {FLOOR / _GB:.1f} GB")
        elif inodes.f_files and inodes.f_favail < _FILES:
            yield fault("disk", f"only {inodes.f_favail} more files may be made in {folder}", "remove some")
        elif free < wanted:
            yield warning("disk", f"{said}, but {told}", "free some, or move the cache: `dvc cache dir --local`")
        else:
            yield ok("disk", said + (f"; {told}" if wanted else ""))


def _needed() -> tuple[float, str]:
    """Bytes that the study in force may still need, and how that was reckoned."""
    from polyprobe.ops.cost import costs
    from polyprobe.study import load_study

    try:
        study = load_study()
        whole = sum(cost.disk for cost in costs(study).values())
    except BadInputError:
        return 0.0, "what the study needs is not known"
    there = sum(file.stat().st_size for file in Path("data").rglob("*") if file.is_file())
    left = max(0.0, 2.0 * whole - there)
    return left, f"the study may need {left / _GB:.1f} GB more (`polyprobe cost`, and again in the cache)"
