"""Archives: only what is asked for, and nothing outside its folder."""

import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import IO, Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

_DAMAGE: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,
    # An encrypted zip; a link's target in no UTF-8.
    RuntimeError,
    UnicodeDecodeError,
)
"""What the libraries raise over an archive that they cannot read."""

Member = tuple[str, Callable[[], IO[bytes]]]
"""A file's name in the archive, and what opens it."""


def extract(archive: Path, target: Path, wanted: Callable[[str], str | None]) -> list[Path]:
    """Write the wanted files of a tar or zip archive below a folder.

    Args:
        archive: a zip file, or a tar file of any compression.
        target: the folder, which need not exist.
        wanted: maps a member's name in the archive to the path that it gets below `target`; None for one not wanted.

    Returns:
        The files written, in the archive's order.

    Raises:
        BadInputError: the file is no archive, is cut off or damaged, or has a member that leads out of the folder.
    """
    written = []
    with _readable(archive):
        for name, opened in _members(archive):
            target_name = wanted(name)
            if target_name is None:
                continue
            file = target / _inside(archive, target_name)
            with opened() as source, new_file(file) as temporary, temporary.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            written.append(file)
    return written


def check_archive(archive: Path) -> None:
    """Check that every file of an archive can be read, and that no member leads out of its folder.

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
    """Turn what the libraries raise over an archive that they cannot read, or that is damaged, into one clear line.

    Raises:
        BadInputError: in place of the library's error.
    """
    try:
        yield
    except _DAMAGE as error:
        raise BadInputError(f"{archive}: no whole archive: {error}") from None


def _members(archive: Path) -> Iterator[Member]:
    """Yield the plain files of an archive in its order; links are checked and left out.

    Raises:
        BadInputError: a member, or what a link points at, leads out of the archive's folder.
    """
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
        # tarfile stops at the archive's own end; the checksum of the compressed stream stands behind it.
        while tarred.fileobj is not None and tarred.fileobj.read(1 << 20):
            pass


def _inside(archive: Path, name: str) -> str:
    """Return a member's name, normalised: parts joined by `/`, none of them `..`.

    Args:
        archive: the file that the error names.
        name: the member's path as the archive gives it.

    Raises:
        BadInputError: the name is absolute or leads out of the archive's folder.
    """
    path = normpath(name.replace("\\", "/"))
    first = path.split("/")[0]
    if first in ("", "..") or first.endswith(":"):
        raise BadInputError(f"{archive}: refused: its member {name!r} leads out of the archive's folder")
    return path
