"""Mends a remote from the local cache.

DVC's own push does not: it takes an object that is there for whole, and where a folder's listing is there, the folder's
files for there too.
"""

from dataclasses import dataclass

from polyprobe.ops.remote.checking import Checked, check
from polyprobe.ops.remote.failures import RemoteError
from polyprobe.ops.remote.storage import Storage
from polyprobe.ops.remote.study_objects import Item


@dataclass(frozen=True)
class Healed:
    """What became of what was missing or damaged."""

    before: Checked
    uploaded: list[Item]
    removed: list[Item]
    """Damaged, without a whole copy here, and taken away."""
    left: dict[Item, str]
    """Still missing or damaged, and why."""


def heal(storage: Storage, *, deep: bool = False, remove: bool = False) -> Healed:
    """Upload what the remote lacks and replace what is damaged there, from whole copies in the local cache.

    Args:
        storage: the remote.
        deep: find damage at the same size too, by reading everything.
        remove: take away damaged objects of which there is no whole copy here.

    Raises:
        RemoteError: the remote cannot be asked, or not be written to.
    """
    if storage.read_only:
        raise RemoteError(f"remote {storage.title}: is a mirror to read from; heal the remote where its files lie")
    before = check(storage, deep=deep)
    faulty = [*before.missing, *before.damaged]
    whole_here = {item for item in faulty if item.is_whole_here()}
    left = {item: _no_copy(item) for item in faulty if item not in whole_here}
    removed = [item for item in before.damaged if remove and item in left]
    # A file system may refuse to write over what is there.
    for item in before.damaged:
        if item in whole_here or item in removed:
            storage.remove(item)
    left |= _upload(storage, before, [item for item in faulty if item in whole_here])
    uploaded = [item for item in faulty if item not in left]
    md5s = storage.md5s(uploaded)
    left |= {item: "was uploaded, but is not whole there" for item in uploaded if md5s.get(item) != item.expected}
    return Healed(before, [item for item in uploaded if item not in left], removed, left)


def _no_copy(item: Item) -> str:
    return "the local cache's copy is damaged too" if item.local.exists() else "the local cache has no copy"


def _upload(storage: Storage, before: Checked, items: list[Item]) -> dict[Item, str]:
    """Upload items, a folder's listing after its files: DVC takes a listing for the whole folder.

    Returns:
        What was not uploaded, and why.
    """
    files = [item for item in items if not item.is_listing]
    failed = storage.upload(files) if files else {}
    absent = {*before.missing, *before.damaged} - {item for item in files if item not in failed}
    incomplete = {folder.listing for folder, members in before.folders.items() if not absent.isdisjoint(members)}
    listings = [item for item in items if item.is_listing and item not in incomplete]
    failed |= storage.upload(listings) if listings else {}
    return failed | {item: "not all of its files are there" for item in items if item in incomplete}
