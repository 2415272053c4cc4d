"""A remote as DVC sees it, for the few things that are asked of it: sizes, contents, uploads."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from polyprobe.ops.remote.failures import in_one_line, is_missing, redacted, unless_missing, what_failed
from polyprobe.ops.remote.study_objects import Item
from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.progress import progress

_READERS: Final = 8
"""Objects that are read at once."""


def open_repository() -> Any:
    """Return DVC's view of the repository around the current folder.

    Raises:
        BadInputError: there is none, or one of its files cannot be read.
    """
    from polyprobe.ops.dvc_internals import DvcException, Repo

    try:
        repository = Repo()
        _ = repository.index.stages
    except DvcException as error:
        raise BadInputError(one_line(error)) from None
    return repository


@dataclass(frozen=True)
class Storage:
    """A remote."""

    repository: Any
    """DVC's, as is the next."""
    remote: Any

    @classmethod
    def open(cls, repository: Any, name: str | None = None) -> "Storage":
        """Return the remote of that name, or the default one.

        Raises:
            BadInputError: no such remote is set, or its settings are wrong.
        """
        # It writes a traceback beside the error that it raises.
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
        known = repository.config["remote"]
        name = name or repository.config["core"].get("remote")
        if name not in known:
            what = f"remote {name!r}" if name else "default remote"
            raise BadInputError(f"no {what} is set, only: {', '.join(sorted(known)) or 'none'}; see docs/sharing.md")
        with in_one_line(name, known[name]):
            remote = repository.cloud.get_remote(name)
        if remote.worktree or remote.fs.version_aware:
            raise BadInputError(f"remote {name!r}: keeps versions of its own (version_aware), which is not supported")
        return cls(repository, remote)

    @property
    def settings(self) -> Mapping[str, Any]:
        """DVC's configuration of it."""
        settings: Mapping[str, Any] = self.repository.config["remote"][self.remote.name]
        return settings

    @property
    def title(self) -> str:
        """Its name and where it is."""
        return redacted(f"{self.remote.name} ({self.settings['url']})", self.settings)

    @property
    def read_only(self) -> bool:
        """Whether it is a mirror over HTTP."""
        return self.remote.fs.protocol in ("http", "https")

    def sizes(self, items: Sequence[Item]) -> dict[Item, int | None]:
        """Return the bytes of each item that is there; None where the server does not say.

        Raises:
            RemoteError: the remote cannot be asked.
        """
        found: dict[Item, int | None] = {}
        with self._in_one_line():
            filesystem = self.remote.fs
            # One round after another: a server that does not answer is tried several times over for each object.
            starts = range(0, len(items), filesystem.jobs)
            for start in progress(starts, description="asking", unit="round"):
                asked = items[start : start + filesystem.jobs]
                answers = filesystem.info([self._path(item) for item in asked], return_exceptions=True)
                for item, answer in zip(asked, answers, strict=True):
                    if not isinstance(answer, BaseException):
                        found[item] = answer.get("size")
                    elif not is_missing(answer):
                        raise answer
        return found

    def md5s(self, items: Sequence[Item]) -> dict[Item, str]:
        """Return the MD5 of each item's content there; missing ones are left out.

        Raises:
            RemoteError: the remote cannot be read.
        """
        from concurrent.futures import ThreadPoolExecutor

        from polyprobe.ops.dvc_internals import file_md5

        def md5(item: Item) -> str | None:
            with unless_missing():
                return str(file_md5(self._path(item), self.remote.fs))
            return None

        with self._in_one_line(), ThreadPoolExecutor(_READERS) as pool:
            read = pool.map(md5, items)
            contents = list(progress(read, description="reading", total=len(items), unit="object"))
        return {item: content for item, content in zip(items, contents, strict=True) if content is not None}

    def read(self, item: Item) -> bytes | None:
        """Return an item's content, or None where it is missing.

        Raises:
            RemoteError: the remote cannot be read.
        """
        with self._in_one_line(), unless_missing(), self.remote.fs.open(self._path(item), "rb") as file:
            return bytes(file.read())
        return None

    def upload(self, items: Sequence[Item]) -> dict[Item, str]:
        """Put items of the local cache there.

        Returns:
            What failed, for each that is not there now.

        Raises:
            RemoteError: the remote cannot be written to.
        """
        from polyprobe.ops.dvc_internals import TqdmCallback, localfs

        failed: dict[Item, str] = {}
        by_oid = {item.oid: item for item in items}

        def note(oid: str, error: BaseException) -> None:
            failed[by_oid[oid]] = what_failed(error, self.settings)

        with self._in_one_line(), TqdmCallback(desc="uploading", unit="object") as callback:
            self.remote.odb.add(
                [str(item.local) for item in items],
                localfs,
                list(by_oid),
                callback=callback,
                check_exists=False,
                on_error=note,
                verify=False,
                batch_size=self.remote.fs.jobs,
            )
        return failed

    def remove(self, item: Item) -> None:
        """Take an item away.

        Raises:
            RemoteError: that is not permitted, or the remote cannot be reached.
        """
        with self._in_one_line(), unless_missing():
            self.remote.fs.remove(self._path(item))

    def _path(self, item: Item) -> str:
        return str(self.remote.odb.oid_to_path(item.oid))

    def _in_one_line(self) -> AbstractContextManager[None]:
        return in_one_line(self.remote.name, self.settings)
