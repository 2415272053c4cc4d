"""The objects that the study in force needs of a cache or a remote: contents of its outputs, each named by its MD5."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Item:
    """One object."""

    oid: str
    """Its name in DVC: its MD5, followed by `.dir` where it lists the files of a folder."""
    of: str = field(compare=False)
    """Path of the output that it is the content of."""
    local: Path = field(compare=False)
    """Where it lies in the local cache."""
    size: int | None = field(default=None, compare=False)
    """Its bytes, where dvc.lock says."""
    required: bool = field(default=True, compare=False)
    """Whether cache and remote are to have it; an output with `cache: false` lies in git."""

    @property
    def key(self) -> str:
        """Its path in a cache or a remote."""
        return f"files/md5/{self.oid[:2]}/{self.oid[2:]}"

    @property
    def expected(self) -> str:
        """The MD5 of its content."""
        return self.oid.removesuffix(".dir")

    @property
    def is_listing(self) -> bool:
        """Whether it lists the files of a folder."""
        return self.oid.endswith(".dir")

    def is_whole_here(self) -> bool:
        """Return whether the local cache has it, whole; it is read."""
        return is_whole(self.local, self.oid)


def is_whole(file: Path, oid: str) -> bool:
    """Return whether a file is there and is, byte for byte, the object of this name."""
    if not file.is_file():
        return False
    with file.open("rb") as opened_file:
        md5 = hashlib.file_digest(opened_file, lambda: hashlib.md5(usedforsecurity=False))
    return md5.hexdigest() == oid.removesuffix(".dir")


@dataclass(frozen=True)
class Folder:
    """An output that is a folder."""

    listing: Item
    """The object that lists its files."""
    size: int | None
    """The bytes of its files together, where dvc.lock says."""


@dataclass
class Needed:
    """What the study in force needs."""

    files: list[Item] = field(default_factory=list)
    """Outputs that are single files."""
    folders: list[Folder] = field(default_factory=list)
    """Outputs that are folders."""
    unfinished: list[str] = field(default_factory=list)
    """Stages that dvc.lock does not have: they have not run."""


def needed(repository: Any) -> Needed:
    """Return what dvc.lock says that the study in force needs.

    Args:
        repository: DVC's.
    """
    found = Needed()
    for stage in sorted(repository.index.stages, key=lambda stage: str(stage.addressing)):
        outs = [out for out in stage.outs if out.hash_info and out.hash_info.name == "md5"]
        if len(outs) < len(stage.outs):
            found.unfinished.append(str(stage.addressing))
            continue
        for out in outs:
            size = None if out.hash_info.isdir else out.meta.size
            item = _object(repository, out.hash_info.value, str(out.def_path), size, bool(out.use_cache))
            if item.is_listing:
                found.folders.append(Folder(item, out.meta.size))
            else:
                found.files.append(item)
    return found


def members(repository: Any, folder: Folder, listing: bytes) -> list[Item]:
    """Return the files of a folder.

    Args:
        repository: DVC's.
        folder: an output.
        listing: the content of its listing.
    """
    return [
        _object(repository, file["md5"], f"{folder.listing.of}/{file['relpath']}", None, folder.listing.required)
        for file in json.loads(listing)
    ]


def listing_of(folder: Folder) -> bytes | None:
    """Return the content of a folder's listing in the local cache; None where it is missing or damaged."""
    return folder.listing.local.read_bytes() if folder.listing.is_whole_here() else None


def _object(repository: Any, oid: str, of: str, size: int | None, required: bool) -> Item:
    return Item(oid, of, Path(repository.cache.local.oid_to_path(oid)), size, required)
