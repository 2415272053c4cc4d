"""A remote as DVC sees it, for the few things that are asked of it: sizes, contents, uploads, downloads."""

import socket
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from polyprobe.ops.remote.kinds import KINDS, scheme_of
from polyprobe.ops.remote.needed import Item
from polyprobe.ops.remote.reasons import is_missing, why
from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.progress import progress

_BLOCK: Final = 1 << 20
_SECONDS_TO_CONNECT: Final = 10


class RemoteError(BadInputError):
    """A remote cannot be used: what failed, and what to do."""


def open_repository() -> Any:
    """DVC's view of the repository around the current folder.

    Raises:
        BadInputError: there is none, or one of its files cannot be read.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repository = Repo()
        _ = repository.index.stages
    except DvcException as error:
        raise BadInputError(one_line(error)) from None
    return repository


@dataclass(frozen=True)
class Place:
    """A remote."""

    repository: Any
    name: str

    @classmethod
    def open(cls, repository: Any, name: str | None = None) -> "Place":
        """The remote of that name, or the default one.

        Raises:
            BadInputError: no such remote is set.
        """
        known = repository.config["remote"]
        name = name or repository.config["core"].get("remote")
        if name not in known:
            raise BadInputError(
                f"no remote {name!r} is set, only {', '.join(sorted(known)) or 'none'}; "
                "set one with `python -m polyprobe.ops.remote set URL --name NAME`"
            )
        place = cls(repository, name)
        if place.settings.get("version_aware") or place.settings.get("worktree"):
            raise BadInputError(
                f"remote {name!r}: keeps versions of its own (version_aware), which is not supported here"
            )
        return place

    @property
    def settings(self) -> Mapping[str, Any]:
        """DVC's configuration of it."""
        settings: Mapping[str, Any] = self.repository.config["remote"][self.name]
        return settings

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self.settings["url"])

    @property
    def read_only(self) -> bool:
        """Whether its kind can be read only."""
        return KINDS[scheme_of(self.url)].read_only if scheme_of(self.url) in KINDS else False

    @cached_property
    def remote(self) -> Any:
        """DVC's object of it, connected."""
        with self.failing():
            host = host_of(self.url, self.settings)
            if host is not None and not _by_proxy(*host):
                # Google's library tries a host that does not answer for a minute and more.
                socket.create_connection(host[1:], timeout=_SECONDS_TO_CONNECT).close()
            remote = self.repository.cloud.get_remote(self.name)
            _ = remote.fs.fs
            return remote

    @property
    def fs(self) -> Any:
        """Its file system."""
        return self.remote.fs

    @property
    def jobs(self) -> int:
        """How many objects move at once."""
        return int(self.fs.jobs)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """What fails in the block is a RemoteError."""
        try:
            yield
        except BadInputError:
            raise
        except Exception as error:
            raise RemoteError(f"remote {self.name!r} ({self.url}): {why(error, self.settings)}") from None

    def path(self, item: Item) -> str:
        """Where an item lies."""
        return str(self.fs.join(self.remote.path, *item.key.split("/")))

    def sizes(self, items: Sequence[Item]) -> dict[Item, int | None]:
        """The bytes of each item that is there; None where the server does not tell. Missing ones are left out.

        Raises:
            RemoteError: the remote cannot be asked.
        """
        if not items:
            return {}
        with self.failing():
            if hasattr(self.fs.fs, "invalidate_cache"):
                self.fs.fs.invalidate_cache()
        found: dict[Item, int | None] = {}
        # The first is asked for alone: libraries try a server that does not answer several times over.
        starts = [0, *range(1, len(items), 4 * self.jobs)]
        bar: Any = progress(description="looking", total=len(items), unit="object")
        with bar:
            for start, end in zip(starts, [*starts[1:], len(items)], strict=True):
                asked = items[start:end]
                with self.failing():
                    told = self.fs.info([self.path(item) for item in asked], return_exceptions=True)
                    for item, entry in zip(asked, told, strict=True):
                        if isinstance(entry, BaseException):
                            if not is_missing(entry):
                                raise entry
                        elif entry.get("type") != "directory":
                            size = entry.get("size", entry.get("Size"))
                            found[item] = None if size is None else int(size)
                bar.update(len(asked))
        return found

    def digests(self, items: Sequence[Item]) -> dict[Item, str]:
        """The digest of each item's content by its item, as `Item.digest`; missing ones are left out.

        Raises:
            RemoteError: the remote cannot be read.
        """
        from concurrent.futures import ThreadPoolExecutor

        bar: Any = progress(description="reading", total=len(items), unit="object")
        with bar, ThreadPoolExecutor(max(1, min(self.jobs, 8))) as pool:

            def digest(item: Item) -> str | None:
                try:
                    told = item.digest(self._blocks(item))
                except Exception as error:
                    if is_missing(error):
                        return None
                    raise
                finally:
                    bar.update()
                return told

            with self.failing():
                told = list(pool.map(digest, items))
        return {item: each for item, each in zip(items, told, strict=True) if each is not None}

    def read(self, item: Item) -> bytes | None:
        """An item's content, or None where it is missing.

        Raises:
            RemoteError: the remote cannot be read.
        """
        with self.failing():
            try:
                return b"".join(self._blocks(item))
            except Exception as error:
                if is_missing(error):
                    return None
                raise

    def _blocks(self, item: Item) -> Iterator[bytes]:
        with self.fs.open(self.path(item), "rb") as file:
            while block := file.read(_BLOCK):
                yield block

    def upload(self, items: Sequence[Item], bytes_in_all: int) -> dict[Item, str]:
        """Puts items of the local cache there, over what lies there.

        Returns:
            Why, for each that failed.
        """
        from dvc.fs import localfs
        from dvc_objects.fs import generic

        failed: dict[Item, str] = {}
        with moved(f"pushing to {self.name}", bytes_in_all) as bar, self.failing():
            objects = [item for item in items if item.oid]
            if objects:
                by_oid = {item.oid: item for item in objects}

                def object_failed(oid: str, error: BaseException) -> None:
                    failed[by_oid[oid]] = why(error, self.settings)

                self.remote.odb.add(
                    [str(item.local) for item in objects],
                    localfs,
                    [item.oid for item in objects],
                    callback=bar,
                    check_exists=False,
                    on_error=object_failed,
                    verify=False,
                    batch_size=self.jobs,
                )
            others = [item for item in items if not item.oid]
            if others:
                by_path = {self.path(item): item for item in others}
                for parent in sorted({self.fs.parent(path) for path in by_path}):
                    self.fs.makedirs(parent, exist_ok=True)

                def other_failed(_from: str, path: str, error: BaseException) -> None:
                    failed[by_path[path]] = why(error, self.settings)

                generic.copy(
                    localfs,
                    [str(item.local) for item in others],
                    self.fs,
                    list(by_path),
                    callback=bar,
                    batch_size=self.jobs,
                    on_error=other_failed,
                )
        return failed

    def download(self, items: Sequence[Item], bytes_in_all: int) -> dict[Item, str]:
        """Gets items into the local cache, over what lies there; a damaged one does not stay.

        Returns:
            Why, for each that failed.
        """
        failed: dict[Item, str] = {}
        with moved(f"pulling from {self.name}", bytes_in_all) as bar, self.failing():
            objects = [item for item in items if item.oid]
            if objects:
                by_oid = {item.oid: item for item in objects}

                def object_failed(oid: str, error: BaseException) -> None:
                    failed[by_oid[oid]] = "missing there" if is_missing(error) else why(error, self.settings)

                cache = self.repository.cache.local
                for item in objects:
                    # DVC takes an object of mode 0444 for a good one without looking.
                    item.local.unlink(missing_ok=True)
                cache.add(
                    [self.path(item) for item in objects],
                    self.fs,
                    [item.oid for item in objects],
                    callback=bar,
                    check_exists=False,
                    on_error=object_failed,
                    verify=True,
                    batch_size=self.jobs,
                )
                for item in objects:
                    if item not in failed and not item.local.exists():
                        failed[item] = "damaged there: its content is not what its name says"
            for item in items:
                if not item.oid:
                    content = self.read(item)
                    if content is None:
                        failed[item] = "missing there"
                    elif item.digest([content]) != item.expected:
                        failed[item] = "damaged there: its content is not what its name says"
                    else:
                        item.write(content)
        return failed

    def remove(self, item: Item) -> None:
        """Takes an item away.

        Raises:
            RemoteError: that is not permitted, or the remote cannot be reached.
        """
        with self.failing():
            try:
                self.fs.remove(self.path(item))
            except Exception as error:
                if not is_missing(error):
                    raise


@contextmanager
def moved(description: str, bytes_in_all: int) -> Iterator[Any]:
    """A bar of bytes, as a callback that DVC's file systems take."""
    from dvc.fs import Callback

    bar: Any = progress(description=description, total=bytes_in_all, unit="B", unit_scale=True)
    with bar:
        add: Callable[[int], object] = bar.update

        class File(Callback):  # type: ignore[misc]
            """The bytes of one file."""

            value: int

            def relative_update(self, inc: int = 1) -> None:
                self.absolute_update(self.value + inc)

            def absolute_update(self, value: int) -> None:
                add(value - self.value)
                self.value = value

        class Files(Callback):  # type: ignore[misc]
            """All files: each is counted by its own."""

            def branched(self, path_1: str, path_2: str, **_: Any) -> Callback:
                return File()

        yield Files()


def host_of(url: str, settings: Mapping[str, Any]) -> tuple[str, str, int] | None:
    """Scheme, host and port that a remote over HTTP is asked at; None for other kinds, and where others choose it."""
    scheme = scheme_of(url)
    if scheme in ("s3", "gs"):
        default = "https://storage.googleapis.com" if scheme == "gs" else ""
        url = str(settings.get("endpointurl") or default)
    parts = urlsplit(url.replace("webdav", "http", 1) if url.startswith("webdav") else url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _by_proxy(scheme: str, host: str, port: int) -> bool:
    return scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(f"{host}:{port}")
