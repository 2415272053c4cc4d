"""What the study in force needs of a cache or a remote: its outputs, and the run-cache's entries of its stages.

Cache and remote have the same layout: `files/md5/..` holds contents by their hash, `runs/..` holds, for each run of a
stage, what it read and wrote. With the latter, `dvc repro` restores what it would otherwise run.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyprobe.running.files import new_file


@dataclass(frozen=True)
class Item:
    """One file of a cache or a remote."""

    key: str
    """Its path there, with slashes."""
    of: str = field(compare=False)
    """Whose it is, to be read by people: an output's path, or a stage."""
    local: Path = field(compare=False)
    """Where it lies in the local cache."""
    oid: str = field(default="", compare=False)
    """The object's name in DVC; empty for an entry of the run-cache."""
    expected: str = field(default="", compare=False)
    """What `digest` tells of the right content."""
    size: int | None = field(default=None, compare=False)
    """Its bytes, where dvc.lock or the local cache tells."""
    required: bool = field(default=True, compare=False)
    """Whether the study's outputs need it: what only the run-cache needs is not."""

    def digest(self, blocks: Iterable[bytes]) -> str:
        """What identifies a content: its MD5 or, for an entry of the run-cache, a hash of what its YAML says."""
        if self.oid:
            md5 = hashlib.md5(usedforsecurity=False)
            for block in blocks:
                md5.update(block)
            return md5.hexdigest()
        return _entry_hash(b"".join(blocks))

    def good(self, repository: Any, *, deep: bool = False) -> bool:
        """Whether the local cache has it, whole.

        Args:
            repository: DVC's.
            deep: read it even if its time and size are those of when it was last read.
        """
        if not self.local.is_file():
            return False
        if not self.oid or self.oid.endswith(".dir"):
            return self.digest([self.local.read_bytes()]) == self.expected
        from dvc.fs import localfs
        from dvc_data.hashfile.hash import hash_file

        _, told = hash_file(str(self.local), localfs, "md5", None if deep else repository.state)
        return bool(told.value == self.expected)

    def write(self, content: bytes) -> None:
        """Writes it to the local cache, whole or not at all."""
        with new_file(self.local) as temporary:
            temporary.write_bytes(content)


@dataclass(frozen=True)
class Folder:
    """An output that is a folder."""

    listing: Item
    """The object that lists its files."""
    size: int | None
    """The bytes of its files together, where dvc.lock tells."""


@dataclass
class Needed:
    """What the study in force needs."""

    files: list[Item] = field(default_factory=list)
    """Outputs that are single files."""
    folders: list[Folder] = field(default_factory=list)
    """Outputs that are folders."""
    entries: list[Item] = field(default_factory=list)
    """Of the run-cache."""
    unfinished: list[str] = field(default_factory=list)
    """Stages that dvc.lock does not have: they have not run."""
    finished: list[str] = field(default_factory=list)
    """Stages that it has."""


def needed(repository: Any) -> Needed:
    """What dvc.lock says that the study in force needs."""
    told = Needed()
    for stage in sorted(repository.index.stages, key=lambda stage: str(stage.addressing)):
        outs = [out for out in stage.outs if out.hash_info and out.hash_info.name == "md5"]
        if len(outs) < len(stage.outs):
            told.unfinished.append(str(stage.addressing))
            continue
        told.finished.append(str(stage.addressing))
        remembered = _is_remembered(stage)
        for out in outs:
            if not (out.use_cache or remembered):
                continue
            item = _object(repository, out.hash_info.value, str(out.def_path), out.meta.size, bool(out.use_cache))
            if out.hash_info.isdir:
                told.folders.append(Folder(item, out.meta.size))
            else:
                told.files.append(item)
        if remembered:
            told.entries.append(_entry(repository, stage))
    return told


def members(repository: Any, folder: Folder, listing: bytes) -> list[Item]:
    """The files of a folder.

    Args:
        repository: DVC's.
        folder: an output.
        listing: the content of its listing.
    """
    return [
        _object(repository, each["md5"], f"{folder.listing.of}/{each['relpath']}", None, folder.listing.required)
        for each in json.loads(listing)
    ]


def listing_of(repository: Any, folder: Folder) -> bytes | None:
    """The content of a folder's listing in the local cache; None where it is missing or damaged."""
    if not folder.listing.good(repository):
        return None
    return folder.listing.local.read_bytes()


def distinct(items: Iterable[Item]) -> list[Item]:
    """The items without repetition, in the order given: outputs with the same content share an object."""
    kept: dict[Item, Item] = {}
    for item in items:
        first = kept.setdefault(item, item)
        if item.required and not first.required:
            kept[item] = item
    return list(kept.values())


def remember(repository: Any) -> None:
    """Writes the run-cache's entries that the local cache lacks, as far as dvc.lock and the workspace tell: in a clone
    that pulled the outputs alone, say."""
    for stage in repository.index.stages:
        if not _is_remembered(stage) or _entry(repository, stage).local.exists():
            continue
        if not all(dependency.exists for dependency in stage.deps if dependency.def_path != "params.yaml"):
            continue
        uncached = [out for out in stage.outs if not out.use_cache]
        if all(out.exists and not out.changed_checksum() for out in uncached):
            repository.stage_cache.save(stage)


def _is_remembered(stage: Any) -> bool:
    """Whether DVC's run-cache keeps runs of such a stage: not where an output lies in git alone."""
    if stage.is_callback or stage.always_changed or not (stage.cmd and stage.deps and stage.outs):
        return False
    # As dvc.lock tells them: in a fresh clone there is nothing yet whose hash could be taken.
    known = all(each.protocol == "local" and each.def_path and each.hash_info for each in [*stage.deps, *stage.outs])
    kept = all(
        not out.persist and out.is_in_repo and (out.use_cache or out.is_metric or out.is_plot) for out in stage.outs
    )
    return known and kept


def _object(repository: Any, oid: str, of: str, size: int | None, required: bool) -> Item:
    folder = oid.endswith(".dir")
    return Item(
        key=f"files/md5/{oid[:2]}/{oid[2:]}",
        of=of,
        local=Path(repository.cache.local.oid_to_path(oid)),
        oid=oid,
        expected=oid.removesuffix(".dir"),
        size=None if folder else size,
        required=required,
    )


def _entry(repository: Any, stage: Any) -> Item:
    from dvc.stage.cache import _get_cache_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    key = str(_get_cache_hash(to_single_stage_lockfile(stage), key=True))
    value = str(_get_cache_hash(to_single_stage_lockfile(stage)))
    return Item(
        key=f"runs/{key[:2]}/{key}/{value}",
        of=f"run of {stage.addressing}",
        local=Path(repository.cache.legacy.path, "runs", key[:2], key, value),
        expected=_hash_of(to_single_stage_lockfile(stage)),
        required=False,
    )


def _entry_hash(content: bytes) -> str:
    from dvc.utils.serialize import ParseError, parse_yaml

    try:
        return _hash_of(parse_yaml(content.decode(), "entry"))
    except (ParseError, UnicodeDecodeError):
        return ""


def _hash_of(said: Any) -> str:
    # DVC's own hash leaves sizes out, which may be what is damaged.
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
