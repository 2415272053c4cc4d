"""What failed at a remote, in one line without its secrets. Every library behind a remote has errors of its own."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from polyprobe.running.errors import BadInputError, one_line

_SECRET: Final = re.compile("password|passphrase|secret|token|account_key|connection_string|customer_key")
"""In the name of a setting whose value nobody else may see."""


_EXTRA: Final = ("gs", "s3", "ssh", "webdav", "webdavs")
"""Kinds of remotes that the extra `remotes` is for."""


class RemoteError(BadInputError):
    """A remote cannot be used."""


@contextmanager
def in_one_line(name: str, settings: Mapping[str, Any]) -> Iterator[None]:
    """Turn whatever fails in the block into one line.

    Args:
        name: of the remote.
        settings: DVC's of it.

    Raises:
        RemoteError: something failed.
    """
    try:
        yield
    except BadInputError:
        raise
    except Exception as error:
        url = redacted(str(settings["url"]), settings)
        message = f"remote {name!r} ({url}): {what_failed(error, settings)}"
        if _lacks_a_package(error) and url.partition("://")[0] in _EXTRA:
            message += '; pip install "polyprobe[remotes]"'
        raise RemoteError(message) from None


def _lacks_a_package(error: Exception) -> bool:
    from polyprobe.ops.dvc_internals import RemoteMissingDepsError

    return isinstance(error, ImportError | RemoteMissingDepsError)


def what_failed(error: BaseException, settings: Mapping[str, Any]) -> str:
    """Return what an error and its first cause say, in one line without secrets.

    Args:
        error: of a library behind a remote.
        settings: DVC's of the remote.
    """
    first = error
    while first.__cause__ is not None:
        first = first.__cause__
    both = [f"{type(each).__name__}: {one_line(each)[:300]}" for each in (error, first)]
    return redacted("; ".join(dict.fromkeys(both)), settings)


def is_missing(error: BaseException) -> bool:
    """Return whether an error says that a file is not there, and not that the server could not be asked."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        return False
    # fsspec calls every failure of HTTP a missing file.
    reason = error.__cause__
    if reason is None or not type(reason).__module__.startswith("aiohttp"):
        return True
    return getattr(reason, "status", None) in (404, 410)


@contextmanager
def unless_missing() -> Iterator[None]:
    """End the block at a file that is not there."""
    try:
        yield
    except Exception as error:
        if not is_missing(error):
            raise


def redacted(text: str, settings: Mapping[str, Any]) -> str:
    """Return a text without a remote's secrets, and without a password in a URL."""
    for name, value in settings.items():
        if value and isinstance(value, str) and _SECRET.search(name):
            text = text.replace(value, "***")
    return re.sub(r"(://[^/@:\s]*):[^/@\s]*@", r"\1:***@", text)
