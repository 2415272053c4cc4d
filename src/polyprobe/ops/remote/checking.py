"""Which objects of the study in force a remote lacks, and which are damaged there."""

from dataclasses import dataclass, field
from typing import Any

from polyprobe.ops.remote.needed import Folder, Item, distinct, listing_of, members, needed
from polyprobe.ops.remote.place import Place


@dataclass
class Study:
    """What the study in force needs, its folders opened as far as their listings can be read."""

    items: list[Item] = field(default_factory=list)
    """Without repetition: single files, the files of folders, then listings, then entries of the run-cache."""
    folders: list[tuple[Folder, list[Item]]] = field(default_factory=list)
    """Each folder with its files, those of the same content too."""
    closed: list[Folder] = field(default_factory=list)
    """Folders whose listing neither the local cache nor the remote has whole."""
    damaged_listings: list[Item] = field(default_factory=list)
    """Listings that were read from the remote and are damaged there."""
    unfinished: list[str] = field(default_factory=list)
    """Stages that have not run."""
    finished: list[str] = field(default_factory=list)
    """Stages that have."""


@dataclass
class Checked:
    """What a look at the remote found."""

    study: Study
    sizes: dict[Item, int | None]
    """Of what is there."""
    missing: list[Item]
    damaged: dict[Item, str]
    """And what is wrong with it."""

    @property
    def faulty(self) -> list[Item]:
        """All that is missing or damaged."""
        return [item for item in self.study.items if item in self.damaged or item not in self.sizes]

    @property
    def bytes_there(self) -> int:
        """Bytes of the study's objects on the remote."""
        return sum(size or 0 for size in self.sizes.values())


def study_of(place: Place) -> Study:
    """What the study in force needs. Listings that the local cache lacks are read from the remote.

    Raises:
        RemoteError: the remote cannot be read.
    """
    repository = place.repository
    need = needed(repository)
    study = Study(unfinished=need.unfinished, finished=need.finished)
    elsewhere = [folder for folder in need.folders if listing_of(repository, folder) is None]
    there = place.sizes([folder.listing for folder in elsewhere])
    for folder in need.folders:
        listing = listing_of(repository, folder)
        if listing is None and folder.listing in there:
            listing = place.read(folder.listing)
            if listing is not None and folder.listing.digest([listing]) != folder.listing.expected:
                study.damaged_listings.append(folder.listing)
                listing = None
        if listing is None:
            study.closed.append(folder)
        else:
            study.folders.append((folder, members(repository, folder, listing)))
    within = [item for _, files in study.folders for item in files]
    study.items = distinct([*need.files, *within, *(folder.listing for folder in need.folders), *need.entries])
    return study


def check(place: Place, *, deep: bool = False) -> Checked:
    """Looks for what is missing or damaged on a remote.

    A size that differs is found always; a content that differs at the same size when `deep`, which reads everything.

    Raises:
        RemoteError: the remote cannot be asked.
    """
    study = study_of(place)
    sizes = place.sizes(study.items)
    damaged = dict.fromkeys(study.damaged_listings, "its content is not what its name says")
    unsure: set[Item] = set()
    for item in study.items:
        size, right = sizes.get(item), expected_size(place.repository, item)
        if size is not None and right is not None and size != right:
            damaged[item] = f"{size:,} bytes instead of {right:,}"
    for folder, files in study.folders:
        told = [sizes.get(item) for item in files]
        known = [size for size in told if size is not None]
        # In a fresh clone nothing tells the size of each file, but dvc.lock that of all together.
        if folder.size is not None and len(known) == len(told) and sum(known) != folder.size:
            unsure |= {item for item in files if item not in damaged}
    read = [item for item in study.items if item in sizes and item not in damaged and (deep or item in unsure)]
    digests = place.digests(read)
    for item in read:
        if item not in digests:
            sizes.pop(item)
        elif digests[item] != item.expected:
            damaged[item] = "its content is not what its name says"
    return Checked(study, sizes, [item for item in study.items if item not in sizes], damaged)


def expected_size(repository: Any, item: Item) -> int | None:
    """An item's bytes as dvc.lock tells, or else a whole copy in the local cache; None where neither does."""
    if item.size is not None:
        return item.size
    # Entries of the run-cache say the same in more than one form.
    if not item.oid or not item.good(repository):
        return None
    return item.local.stat().st_size
