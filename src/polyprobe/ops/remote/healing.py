"""Mends a remote from the local cache.

DVC's own push does not: where a folder's listing is there, it takes the folder's files for there too.
"""

from dataclasses import dataclass, field

from polyprobe.ops.remote.checking import Checked, Study, check
from polyprobe.ops.remote.needed import Item, remember
from polyprobe.ops.remote.place import Place, RemoteError


@dataclass
class Healed:
    """What became of what was missing or damaged."""

    before: Checked
    uploaded: list[Item] = field(default_factory=list)
    bytes_uploaded: int = 0
    removed: list[Item] = field(default_factory=list)
    """Damaged, without a good copy here, and taken away."""
    left: dict[Item, str] = field(default_factory=dict)
    """Still missing or damaged, and why."""


def heal(place: Place, *, deep: bool = False, remove: bool = False) -> Healed:
    """Uploads what the remote lacks and replaces what is damaged there, from whole copies in the local cache.

    Args:
        place: the remote.
        deep: find damage at the same size too, by reading everything.
        remove: take away damaged objects of which there is no whole copy here.

    Raises:
        RemoteError: the remote cannot be asked, or not be written to.
    """
    place_must_be_writable(place)
    remember(place.repository)
    healed = Healed(check(place, deep=deep))
    mendable: list[Item] = []
    for item in healed.before.faulty:
        if item.good(place.repository, deep=True):
            mendable.append(item)
        elif item.local.exists():
            healed.left[item] = "the local cache's copy is damaged too"
        else:
            healed.left[item] = "the local cache has no copy"
    for item in mendable:
        # A file system may refuse to write over what is there.
        if item in healed.before.damaged:
            place.remove(item)
    healed.uploaded, failed = upload_in_order(place, healed.before.study, mendable, set(healed.before.sizes))
    healed.bytes_uploaded = sum(item.local.stat().st_size for item in healed.uploaded)
    healed.left |= failed
    digests = place.digests(healed.uploaded)
    for item in list(healed.uploaded):
        if digests.get(item) != item.expected:
            healed.uploaded.remove(item)
            healed.left[item] = "was uploaded, but is not whole there"
    if remove:
        for item in [item for item in healed.left if item in healed.before.damaged and item not in mendable]:
            place.remove(item)
            healed.removed.append(item)
            healed.left[item] = "removed; there is no whole copy here"
    return healed


def upload_in_order(
    place: Place, study: Study, items: list[Item], there: set[Item]
) -> tuple[list[Item], dict[Item, str]]:
    """Uploads items, a folder's listing after its files: DVC takes a listing for the whole folder.

    Args:
        place: the remote.
        study: what the study in force needs.
        items: to upload; the local cache has them whole.
        there: what is on the remote already.

    Returns:
        What was uploaded; and what was not, and why.
    """
    size = {item: item.local.stat().st_size for item in items}
    listings = [item for item in items if item.oid.endswith(".dir")]
    entries = [item for item in items if not item.oid]
    rest = [item for item in items if item.oid and not item.oid.endswith(".dir")]
    failed = place.upload(rest, sum(size[item] for item in rest)) if rest else {}
    present = there | {item for item in rest if item not in failed}
    whole = {folder.listing for folder, files in study.folders if present.issuperset(files)}
    ready = [item for item in listings if item in whole]
    failed |= dict.fromkeys([item for item in listings if item not in whole], "not all of its files are there")
    last = [*ready, *entries]
    failed |= place.upload(last, sum(size[item] for item in last)) if last else {}
    return [item for item in items if item not in failed], failed


def place_must_be_writable(place: Place) -> None:
    """Refuses a mirror.

    Raises:
        RemoteError: it can be read only.
    """
    if place.read_only:
        raise RemoteError(f"remote {place.name!r} ({place.url}): is a mirror to read from; push to where its files lie")
