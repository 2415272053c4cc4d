"""Tries a remote with one object: written, read back, compared, removed. A mirror is only read."""

import hashlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from polyprobe.ops.remote.needed import Item, needed
from polyprobe.ops.remote.place import Place, RemoteError

BYTES: Final = 65_536


@dataclass(frozen=True)
class Tried:
    """How it went."""

    seconds: float
    said: str
    """What was done, in a few words."""


def try_remote(place: Place) -> Tried:
    """Writes, reads back, compares and removes one object; of a mirror, reads one of the study in force.

    Raises:
        RemoteError: one of these failed: which, why, and what to do.
    """
    start = time.monotonic()
    said = _read_one(place) if place.read_only else _write_and_read(place)
    return Tried(time.monotonic() - start, said)


def _write_and_read(place: Place) -> str:
    content = os.urandom(BYTES)
    # Named as DVC names objects, so that rights are tried where DVC will need them.
    oid = hashlib.md5(content, usedforsecurity=False).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder, oid)
        local.write_bytes(content)
        trial = Item(f"files/md5/{oid[:2]}/{oid[2:]}", "a trial object", local, oid, oid, BYTES)
        where = f"remote {place.name!r} ({place.url})"
        if failed := place.upload([trial], BYTES):
            raise RemoteError(f"{where}: an object could not be written: {failed[trial]}")
        try:
            back = place.read(trial)
        except RemoteError as error:
            raise RemoteError(f"{error} [an object was written, but not read back]") from None
        finally:
            removed = _removed(place, trial)
        if back != content:
            told = "nothing" if back is None else f"{len(back):,} bytes"
            raise RemoteError(f"{where}: wrote an object of {BYTES:,} bytes, read back {told} that are not the same")
    if not removed:
        return f"wrote and read back one object of {BYTES:,} bytes; it may not be removed, which `heal` would need"
    return f"wrote, read back and removed one object of {BYTES:,} bytes"


def _removed(place: Place, trial: Item) -> bool:
    try:
        place.remove(trial)
    except RemoteError:
        return False
    return True


def _read_one(place: Place) -> str:
    need = needed(place.repository)
    sized = [item for item in need.files if item.size is not None]
    objects = sorted(sized, key=lambda item: item.size or 0) or [folder.listing for folder in need.folders]
    if not objects:
        raise RemoteError(f"remote {place.name!r} ({place.url}): the study in force has no outputs to try it with")
    found = place.sizes(objects)
    if not found:
        raise RemoteError(
            f"remote {place.name!r} ({place.url}): answers, but has nothing of the study in force; check the path of "
            "the URL, and that the study was pushed to where the mirror's files lie"
        )
    chosen = next(item for item in objects if item in found)
    if place.digests([chosen]).get(chosen) != chosen.expected:
        raise RemoteError(
            f"remote {place.name!r} ({place.url}): what lies at {chosen.key} is not what its name says; "
            "check the path, and whether a proxy or a page for errors answers instead"
        )
    return "read one object, and will be read only"
