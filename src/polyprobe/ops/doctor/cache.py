"""What the study in force has computed: whole in the cache, whole in the workspace.

DVC takes an object of its cache for whole without reading it, and an output for unchanged while its time and size are.
A bit that flipped on the disk would go from one to the other, to the remote and to colleagues: here contents are read.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.doctor.aside import put_aside
from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, some, warning
from polyprobe.ops.doctor.repository import opened
from polyprobe.ops.remote.study_objects import Item, members, needed

_SAMPLE: Final = 200_000_000
"""Bytes that are read where it is not asked for more."""
_AGAIN: Final = "`rm` them, then `dvc repro` or `make pull`, which make or fetch them again"


@dataclass(frozen=True)
class Piece:
    """A file of an output: in the cache and in the workspace."""

    item: Item
    out: Any
    """DVC's object of the output."""
    path: Path
    """In the workspace; of the listing of a folder, the folder's."""

    @property
    def listing(self) -> bool:
        """Whether it is the cache's list of the files in a folder."""
        return self.item.oid.endswith(".dir")

    def shared(self) -> bool:
        """Whether the workspace's file is a link to the cache's."""
        return self.item.local.exists() and self.path.exists() and self.item.local.samefile(self.path)

    def whole_here(self) -> bool:
        """Whether the workspace's file is as the study computed it."""
        return self.path.is_file() and md5(self.path) == self.item.expected


@dataclass
class Found:
    """What reading told."""

    damaged: list[Piece] = field(default_factory=list)
    """Of the cache."""
    lacking: list[Piece] = field(default_factory=list)
    """Not in the cache, though they should be."""
    silent: list[Piece] = field(default_factory=list)
    """Of the workspace: damaged, and DVC takes them for whole."""
    changed: list[Piece] = field(default_factory=list)
    """Of the workspace: others than dvc.lock says, and DVC knows."""
    missing: list[Piece] = field(default_factory=list)
    """Of the workspace."""
    read: int = 0
    """Bytes."""
    unread: int = 0
    """Objects, for want of time."""
    objects: int = 0


def check(asked: Asked) -> Iterator[Finding]:
    """The cache, then the workspace."""
    with opened() as repository:
        found = look(repository, None if asked.deep else _SAMPLE)
        yield _cache(repository, found)
        yield _workspace(found)


def md5(path: Path) -> str:
    """The MD5 of a file, by which DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def look(repository: Any, most: int | None) -> Found:
    """Reads what the study in force has computed, small files first.

    Args:
        repository: DVC's.
        most: bytes to read at most; None for all.
    """
    found = Found()
    pieces = sorted(_pieces(repository), key=lambda one: (_size(one.item.local), one.item.key, str(one.path)))
    seen: set[str] = set()
    for piece in pieces:
        if piece.item.oid not in seen:
            seen.add(piece.item.oid)
            found.objects += 1
            size = _size(piece.item.local)
            if not piece.item.local.is_file():
                if piece.item.required:
                    found.lacking.append(piece)
            elif most is not None and found.read + size > most:
                found.unread += 1
            else:
                found.read += size
                if md5(piece.item.local) != piece.item.expected:
                    found.damaged.append(piece)
        if not piece.listing:
            _look_here(repository, piece, found, most)
    return found


def _pieces(repository: Any) -> Iterator[Piece]:
    outs = {str(out.def_path): out for stage in repository.index.stages for out in stage.outs}
    told = needed(repository)
    for item in told.files:
        yield Piece(item, outs[item.of], Path(outs[item.of].fs_path))
    for folder in told.folders:
        out = outs[folder.listing.of]
        yield Piece(folder.listing, out, Path(out.fs_path))
        if folder.listing.local.is_file() and md5(folder.listing.local) == folder.listing.expected:
            for item in members(repository, folder, folder.listing.local.read_bytes()):
                yield Piece(item, out, Path(out.fs_path, item.of.removeprefix(f"{folder.listing.of}/")))


def _look_here(repository: Any, piece: Piece, found: Found, most: int | None) -> None:
    """Adds what is wrong with the workspace's file."""
    if not piece.path.is_file():
        found.missing.append(piece)
        return
    size = _size(piece.path)
    if piece.shared() or (most is not None and found.read + size > most):
        return
    found.read += size
    if md5(piece.path) != piece.item.expected:
        (found.silent if _believed(repository, piece) else found.changed).append(piece)


def _believed(repository: Any, piece: Piece) -> bool:
    """Whether DVC, which remembers what it has hashed by time and size, takes a file for the one of dvc.lock."""
    whole = str(piece.out.hash_info.value)
    for path, oid in ((piece.path, piece.item.expected), (Path(piece.out.fs_path), whole)):
        _, told = repository.state.get(str(path), piece.out.fs)
        if told is not None and told.value == oid:
            return True
    return False


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _cache(repository: Any, found: Found) -> Finding:
    subject = "cache"
    if found.damaged:
        damaged = found.damaged

        def mend() -> str:
            kept = [put_aside(piece.item.local, piece.item.oid) for piece in damaged]
            return f"moved {len(kept)} damaged objects to {kept[0].parent}: {some(_names(damaged))}; now `dvc repro`"

        return fault(
            subject,
            f"{len(damaged)} objects are damaged (truncated, or changed on the disk): {some(_names(damaged))}",
            f"{some([str(piece.item.local) for piece in damaged])}: {_AGAIN}",
            mend,
        )
    mendable = [piece for piece in found.lacking if _can_put_back(piece)]
    if mendable:

        def put_back() -> str:
            for piece in mendable:
                _put_back(repository, piece)
            repository.close()
            return f"copied {len(mendable)} objects from the workspace into the cache: {some(_names(mendable))}"

        return warning(
            subject,
            f"{len(mendable)} objects are missing that the workspace has: {some(_names(mendable))}",
            "`dvc commit` keeps them",
            put_back,
        )
    if found.lacking:
        return warning(
            subject,
            f"{len(found.lacking)} of {found.objects} objects of the study are missing: {some(_names(found.lacking))}",
            "`make pull` fetches them, or `dvc repro` makes them again",
        )
    said = f"read {found.read / 1e6:.1f} MB of {found.objects} objects of the study, all whole"
    return ok(subject, said + (f"; {found.unread} larger ones not read: --deep does" if found.unread else ""))


def _names(pieces: list[Piece]) -> list[str]:
    return [f"the list of files of {piece.item.of}" if piece.listing else piece.item.of for piece in pieces]


def _can_put_back(piece: Piece) -> bool:
    """Whether the workspace has what the cache lacks, byte for byte; a list of files is made anew from its folder."""
    if piece.listing:
        return bool(piece.out.use_cache and piece.path.is_dir() and _computed(piece.out) == piece.item.oid)
    return piece.whole_here()


def _computed(out: Any) -> str:
    """What DVC would call a folder if it looked at its files now."""
    from dvc_data.hashfile.build import build

    _, _, made = build(out.cache, out.fs_path, out.fs, "md5", ignore=out.dvcignore, dry_run=True)
    return str(made.hash_info.value)


def _put_back(repository: Any, piece: Piece) -> None:
    from dvc.fs import localfs

    if piece.listing:
        piece.out.commit()
    elif not piece.item.local.exists():
        repository.cache.local.add(str(piece.path), localfs, piece.item.oid, verify=True)


def _workspace(found: Found) -> Finding:
    subject = "outputs"
    if found.silent:
        silent = found.silent

        def mend() -> str:
            kept = [put_aside(piece.path, piece.item.of.replace("/", "_")) for piece in silent]
            return f"moved {len(kept)} damaged files to {kept[0].parent}: {some(_names(silent))}; now `dvc repro`"

        return fault(
            subject,
            f"damaged, though `dvc status` takes them for whole: {some(_names(silent))}",
            _AGAIN,
            mend,
        )
    if found.changed:
        return warning(
            subject,
            f"other than dvc.lock says: {some(_names(found.changed))} (edited, or of another commit)",
            "`dvc checkout` takes those of dvc.lock, `dvc repro` makes those of the code and parameters here",
        )
    if found.missing:
        return warning(
            subject,
            f"{len(found.missing)} files are not here: {some(_names(found.missing))}",
            "`dvc repro` restores or makes them, `make pull` fetches them",
        )
    return ok(subject, "as dvc.lock says")
