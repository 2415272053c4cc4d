"""What the study in force has computed: whole in the cache, whole in the workspace.

DVC takes an object of its cache for whole without reading it, and an output for unchanged while its time and size are.
A bit that flipped on the disk would go from one to the other, to the remote and to colleagues: here contents are read.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.doctor.findings import QUARANTINE, Finding, fault, ok, quarantine, warning
from polyprobe.ops.doctor.repository import open_repository
from polyprobe.ops.listing import first_few
from polyprobe.ops.remote.study_objects import is_whole

_SAMPLE: Final = 200e6
"""Bytes that are read unless the check is deep."""
_RESTORE: Final = "`rm` them, then `dvc repro` or `make pull`, which make or fetch them again"


@dataclass(frozen=True)
class OutputFile:
    """A file of an output, or the list of the files of an output that is a folder."""

    out: Any
    """DVC's object of the output."""
    oid: str
    """DVC's name of the content: its MD5; for a list of files, `.dir` follows."""
    relative: str = ""
    """The file's path within an output that is a folder."""

    @property
    def is_listing(self) -> bool:
        """Whether it is the cache's list of the files in a folder."""
        return self.oid.endswith(".dir")

    @property
    def cached(self) -> Path:
        """Where the cache has it."""
        return Path(self.out.cache.oid_to_path(self.oid))

    @property
    def path(self) -> Path:
        """Where the workspace has it; of a list of files, the folder."""
        return Path(self.out.fs_path, self.relative)

    def __str__(self) -> str:
        name = str(Path(str(self.out.def_path), self.relative))
        return f"the list of files of {name}" if self.is_listing else name


@dataclass
class Inspection:
    """What reading the study's files has found."""

    limit: float
    """Bytes that are read at most."""
    bytes_read: int = 0
    objects: set[str] = field(default_factory=set)
    """Of the cache, by name, that the study has."""
    unread: int = 0
    """How many of them were too large to be read within the limit."""
    damaged_objects: list[OutputFile] = field(default_factory=list)
    missing_objects: list[OutputFile] = field(default_factory=list)
    undetected: list[OutputFile] = field(default_factory=list)
    """Damaged in the workspace, and DVC takes them for whole."""
    changed: list[OutputFile] = field(default_factory=list)
    """Others in the workspace than dvc.lock says, and DVC knows."""
    missing_files: list[OutputFile] = field(default_factory=list)
    """Of the workspace."""

    def inspect_object(self, file: OutputFile) -> None:
        """Read a file's object in the cache."""
        is_there = file.cached.is_file()
        if file.oid in self.objects or not (is_there or file.out.use_cache):
            return
        self.objects.add(file.oid)
        if not is_there:
            self.missing_objects.append(file)
        elif not self._may_read(file.cached):
            self.unread += 1
        elif not is_whole(file.cached, file.oid):
            self.damaged_objects.append(file)

    def inspect_workspace(self, file: OutputFile, state: Any) -> None:
        """Read a file in the workspace, unless it is a link to its object.

        Args:
            file: of an output.
            state: what DVC remembers of the files that it has hashed.
        """
        if not file.path.is_file():
            self.missing_files.append(file)
        elif file.cached.exists() and file.cached.samefile(file.path):
            return
        elif self._may_read(file.path) and not is_whole(file.path, file.oid):
            (self.undetected if _is_trusted(file, state) else self.changed).append(file)

    def _may_read(self, path: Path) -> bool:
        """Return whether a file is within the limit, of which its bytes are taken."""
        size = path.stat().st_size
        if self.bytes_read + size > self.limit:
            return False
        self.bytes_read += size
        return True


def check(deep: bool) -> Iterator[Finding]:
    """Read what the study in force has computed in the cache and in the workspace, small files first."""
    inspection = Inspection(math.inf if deep else _SAMPLE)
    with open_repository() as repository:
        for file in sorted(_output_files(repository), key=lambda file: (_size(file.cached), file.oid, str(file))):
            inspection.inspect_object(file)
            if not file.is_listing:
                inspection.inspect_workspace(file, repository.state)
        yield _cache(inspection)
        yield _workspace(inspection)


def _output_files(repository: Any) -> Iterator[OutputFile]:
    """Yield what dvc.lock has of the outputs; of a folder whose list of files is lost, only that list."""
    for out in repository.index.outs:
        if not out.hash_info:
            continue
        whole = OutputFile(out, str(out.hash_info.value))
        yield whole
        if whole.is_listing and is_whole(whole.cached, whole.oid):
            for member in json.loads(whole.cached.read_bytes()):
                yield OutputFile(out, member["md5"], member["relpath"])


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _is_trusted(file: OutputFile, state: Any) -> bool:
    """Return whether DVC, which remembers what it has hashed by time and size, takes a file for the one of dvc.lock."""
    hashes = [(file.path, file.oid), (Path(file.out.fs_path), file.out.hash_info.value)]
    remembered = [(state.get(str(path), file.out.fs)[1], oid) for path, oid in hashes]
    return any(hash_info is not None and hash_info.value == oid for hash_info, oid in remembered)


def _cache(inspection: Inspection) -> Finding:
    damaged, missing, count = inspection.damaged_objects, inspection.missing_objects, len(inspection.objects)
    if damaged:
        paths = first_few([file.cached for file in damaged])
        message = f"{len(damaged)} objects are damaged (truncated, or changed on the disk): {_names(damaged)}"
        return fault("cache", message, f"{paths}: {_RESTORE}", lambda: _quarantine_objects(damaged))
    restorable = [file for file in missing if _copy_in_workspace(file)]
    if restorable:
        message = f"{len(restorable)} objects are missing that the workspace has: {_names(restorable)}"
        return warning("cache", message, "`dvc commit` keeps them", lambda: _copy_to_cache(restorable))
    if missing:
        message = f"{len(missing)} of {count} objects of the study are missing: {_names(missing)}"
        return warning("cache", message, "`make pull` fetches them, or `dvc repro` makes them again")
    unread = f"; {inspection.unread} larger ones not read: --deep does" if inspection.unread else ""
    message = f"read {inspection.bytes_read / 1e6:.1f} MB of {count} objects of the study, all whole"
    return ok("cache", message + unread)


def _workspace(inspection: Inspection) -> Finding:
    damaged, changed, missing = inspection.undetected, inspection.changed, inspection.missing_files
    if damaged:
        message = f"damaged, though `dvc status` takes them for whole: {_names(damaged)}"
        return fault("outputs", message, _RESTORE, lambda: _quarantine_outputs(damaged))
    if changed:
        message = f"other than dvc.lock says: {_names(changed)} (edited, or of another commit)"
        advice = "`dvc checkout` takes those of dvc.lock, `dvc repro` makes those of the code and parameters here"
        return warning("outputs", message, advice)
    if missing:
        message = f"{len(missing)} files are not here: {_names(missing)}"
        return warning("outputs", message, "`dvc repro` restores or makes them, `make pull` fetches them")
    return ok("outputs", "as dvc.lock says")


def _names(files: list[OutputFile]) -> str:
    return first_few([str(file) for file in files])


def _quarantine_objects(files: list[OutputFile]) -> str:
    for file in files:
        quarantine(file.cached, file.oid)
    return f"moved {len(files)} damaged objects to {QUARANTINE}: {_names(files)}; now `dvc repro`"


def _quarantine_outputs(files: list[OutputFile]) -> str:
    for file in files:
        quarantine(file.path, str(file).replace("/", "_"))
    return f"moved {len(files)} damaged files to {QUARANTINE}: {_names(files)}; now `dvc repro`"


def _copy_in_workspace(file: OutputFile) -> tuple[str, Any] | None:
    """Return a path and DVC's file system that have, byte for byte, an object that the cache lacks.

    A list of files is made anew from its folder. None where the workspace has others.
    """
    from polyprobe.ops.dvc_internals import build

    if not file.is_listing:
        return (str(file.path), file.out.fs) if is_whole(file.path, file.oid) else None
    if not file.path.is_dir():
        return None
    out = file.out
    _, _, listing = build(out.cache, out.fs_path, out.fs, "md5", ignore=out.dvcignore, dry_run=True)
    return (listing.path, listing.fs) if listing.oid == file.oid else None


def _copy_to_cache(files: list[OutputFile]) -> str:
    with open_repository() as repository:
        for file in files:
            if source := _copy_in_workspace(file):
                repository.cache.local.add(*source, file.oid, verify=True)
    return f"copied {len(files)} objects from the workspace into the cache: {_names(files)}"
