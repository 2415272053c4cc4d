"""Which objects of the study in force a remote lacks, and which are damaged there."""

import hashlib
from dataclasses import dataclass

from polyprobe.ops.remote.storage import Storage
from polyprobe.ops.remote.study_objects import Folder, Item, listing_of, members, needed


@dataclass(frozen=True)
class Checked:
    """What a look at the remote found."""

    items: list[Item]
    """What the study needs, without repetition: single files, the files of folders, then their listings."""
    folders: dict[Folder, list[Item]]
    """The files of each folder whose listing can be read."""
    unread: list[Folder]
    """Folders whose listing neither the local cache nor the remote has whole."""
    unfinished: list[str]
    """Stages that have not run."""
    missing: list[Item]
    damaged: list[Item]
    bytes: int
    """Of what is there."""


def check(storage: Storage, *, deep: bool = False) -> Checked:
    """Look for what is missing or damaged on a remote.

    Args:
        storage: the remote.
        deep: find a content that differs at the same size too, by reading everything.

    Raises:
        RemoteError: the remote cannot be asked.
    """
    study = needed(storage.repository)
    contents = {folder: _files(storage, folder) for folder in study.folders if folder.listing.required}
    folders = {folder: files for folder, files in contents.items() if files is not None}
    single = [item for item in study.files if item.required]
    within = [item for files in folders.values() for item in files]
    # Outputs with the same content share an object.
    items = list(dict.fromkeys([*single, *within, *(folder.listing for folder in contents)]))
    sizes = storage.sizes(items)
    doubtful = _of_other_sizes(folders, sizes)
    read = [item for item in sizes if deep or item.is_listing or item in doubtful]
    md5s = storage.md5s(read)
    return Checked(
        items=items,
        folders=folders,
        unread=[folder for folder, files in contents.items() if files is None],
        unfinished=study.unfinished,
        missing=[item for item in items if item not in sizes],
        damaged=[item for item in read if md5s.get(item) != item.expected],
        bytes=sum(size or 0 for size in sizes.values()),
    )


def _files(storage: Storage, folder: Folder) -> list[Item] | None:
    """Return the files of a folder; a listing that the local cache lacks is read from the remote."""
    listing = listing_of(folder)
    if listing is None:
        listing = storage.read(folder.listing)
        if listing is None or hashlib.md5(listing, usedforsecurity=False).hexdigest() != folder.listing.expected:
            return None
    return members(storage.repository, folder, listing)


def _of_other_sizes(folders: dict[Folder, list[Item]], sizes: dict[Item, int | None]) -> set[Item]:
    """Return the items whose size is not that of dvc.lock or of the local cache; only their content decides."""
    found = {item for item, size in sizes.items() if size is not None and size != _size_here(item, size)}
    for folder, files in folders.items():
        there = [size for item in files if (size := sizes.get(item)) is not None]
        # In a fresh clone nothing says the size of each file, but dvc.lock that of all together.
        if folder.size is not None and len(there) == len(files) and sum(there) != folder.size:
            found.update(files)
    return found


def _size_here(item: Item, otherwise: int) -> int:
    if item.size is not None:
        return item.size
    return item.local.stat().st_size if item.local.is_file() else otherwise
