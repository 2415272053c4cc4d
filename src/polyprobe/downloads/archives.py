"""Archives: only what is asked for, and nothing outside its folder."""

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

Member = tuple[str, Callable[[], IO[bytes]]]
"""A file's name in the archive, and what opens it."""


def extract(archive: Path, target: Path, wanted: Callable[[str], str | None]) -> list[Path]:
    """Writes files of a tar or zip archive below a folder.

    Args:
        archive: a zip, or a tar of any compression.
        target: the folder.
        wanted: from a member's name in the archive to the path below `target` that it gets; None for one not wanted.

    Raises:
        BadInputError: the archive is no archive, is cut off or damaged, or has a member that leads out of the folder.
    """
    written = []
    with _readable(archive):
        for name, opened in _members(archive):
            place = wanted(name)
            if place is None:
                continue
            file = target / _inside(archive, place)
            with opened() as source, new_file(file) as temporary, temporary.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            written.append(file)
    return written


def check_archive(archive: Path) -> None:
    """Reads an archive to its end.

    Raises:
        BadInputError: as for `extract`.
    """
    with _readable(archive):
        for _, opened in _members(archive):
            with opened() as source:
                while source.read(1 << 20):
                    pass


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Makes what the libraries raise over a damaged archive, or one that they cannot read, one clear line."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise BadInputError(f"{archive}: no whole archive: {error}") from None


def _members(archive: Path) -> Iterator[Member]:
    """The plain files of an archive, in its order. Links are checked and left out."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                # zipfile cleans names when it extracts; what the archive says is what is judged here.
                _inside(archive, entry.orig_filename)
                is_link = entry.external_attr >> 28 == 0xA
                if is_link:
                    _inside(archive, str(PurePosixPath(entry.filename).parent / zipped.read(entry).decode("utf-8")))
                elif not entry.is_dir():
                    yield entry.filename, lambda entry=entry: zipped.open(entry)  # type: ignore[misc]
        return
    with tarfile.open(archive, "r:*") as tarred:
        for member in tarred:
            _inside(archive, member.name)
            if member.issym():
                _inside(archive, str(PurePosixPath(member.name).parent / member.linkname))
            elif member.islnk():
                _inside(archive, member.linkname)
            elif member.isfile():
                yield member.name, lambda member=member: tarred.extractfile(member)  # type: ignore[misc]


def _inside(archive: Path, name: str) -> str:
    """The name itself, normalised.

    Raises:
        BadInputError: it is absolute or leads out of the folder.
    """
    parts: list[str] = []
    for part in name.replace("\\", "/").split("/"):
        if part == "..":
            if not parts:
                break
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    else:
        if not name.startswith(("/", "\\")) and not (parts and parts[0].endswith(":")):
            return "/".join(parts)
    raise BadInputError(f"{archive}: refused: its member {name!r} leads out of the archive's folder")
