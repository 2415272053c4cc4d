"""Downloads over HTTP: resumed, tried again, checked, kept.

Proxies come from the usual environment variables (HTTPS_PROXY), a mirror from the knob `mirror`: the base URL under
which `https://HOST/PATH` is found as `HOST/PATH`.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from tqdm import tqdm

from polyprobe.downloads import lock
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import space_for
from polyprobe.running.knobs import knobs
from polyprobe.running.progress import progress
from polyprobe.running.scratch import scratch_root

_ATTEMPTS: Final = 6
_FIRST_WAIT: Final = 1.0
"""Seconds before the second attempt; doubled before each further one."""
_LONGEST_WAIT: Final = 60.0
_TIMEOUT: Final = (10.0, 60.0)
"""Seconds to connect, and between two pieces of data."""
_PIECE: Final = 1 << 16
_TRY_AGAIN: Final = (408, 425, 429, 500, 502, 503, 504)
_PARTIAL: Final = 206
_NOT_SATISFIABLE: Final = 416

Result = TypeVar("Result")


def download(url: str, sha256: str | None = None, check: Callable[[Path], None] | None = None) -> Path:
    """The file at a URL, from the disk where it was downloaded before.

    Args:
        url: http or https.
        sha256: its SHA-256 where the study states it; else the one in `downloads.lock` is enforced, and recorded there
            if this is the first use.
        check: called with a file whose digest nothing states, before the digest is recorded; raises BadInputError.

    Raises:
        BadInputError: the file cannot be had, or it is not the expected one; nothing is kept of it then, except what
            has come of a download that was cut off.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    expected = sha256 or lock.recorded(url)
    folder = scratch_root() / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:16]
    name = Path(unquote(urlsplit(url).path)).name or "download"
    try:
        file = Path(
            pooch.retrieve(
                url,
                known_hash=f"sha256:{expected}" if expected else None,
                fname=name,
                path=folder,
                downloader=_resuming(folder / f".{name}.part"),
            )
        )
    except ValueError:
        stated = "the study" if sha256 else str(lock.PATH)
        raise BadInputError(f"{url}: what came is not what {stated} expects: its SHA-256 is not {expected}") from None
    if expected is None:
        try:
            if check:
                check(file)
        except BadInputError:
            file.unlink()
            raise
        lock.record(url, pooch.file_hash(str(file)))
    return file


def read_url(url: str) -> bytes:
    """What is at a URL now: for small answers that may change, such as a listing.

    GitHub's API is shown the token of GITHUB_TOKEN: without one it answers sixty times an hour.

    Raises:
        BadInputError: it cannot be had.
    """
    asked = _mirrored(url)
    token = os.environ.get("GITHUB_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token and urlsplit(url).netloc == "api.github.com" else {}
    return _persistently(asked, lambda: _get(asked, headers))


def _resuming(part: Path) -> Callable[[str, str, Any], None]:
    """A downloader for pooch, which fills `part` and moves it to where pooch wants the file."""

    def fetch(url: str, output: str, _: Any) -> None:
        asked = _mirrored(url)
        _persistently(asked, lambda: _continue(asked, part))
        part.replace(output)
        _validator(part).unlink(missing_ok=True)

    return fetch


def _persistently(url: str, attempt: Callable[[], Result]) -> Result:
    """The first attempt that succeeds; the waits between them grow.

    Raises:
        BadInputError: none does.
    """
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except _TryAgainError as error:
            problem = error
        if number + 1 < _ATTEMPTS:
            time.sleep(min(problem.wait or _FIRST_WAIT * 2**number, _LONGEST_WAIT))
    raise BadInputError(f"{url}: {problem}; gave up after {_ATTEMPTS} attempts")


def _mirrored(url: str) -> str:
    mirror = knobs().mirror
    if not mirror:
        return url
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}{query}"


class _TryAgainError(Exception):
    """What went wrong this time.

    Args:
        message: one line.
        wait: seconds that the server asks for.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


@contextmanager
def _response(url: str, headers: dict[str, str]) -> Iterator[Any]:
    """The server's answer, its body to be read while the context lasts."""
    import requests

    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if response.status_code in _TRY_AGAIN:
                raise _TryAgainError(f"HTTP {response.status_code}", _retry_after(response.headers))
            if not response.ok and response.status_code != _NOT_SATISFIABLE:
                raise BadInputError(f"{url}: HTTP {response.status_code} {response.reason}")
            yield response
    except requests.exceptions.RequestException as error:
        raise _TryAgainError(f"{type(error).__name__}: {_innermost(error)}") from None


def _get(url: str, headers: dict[str, str]) -> bytes:
    with _response(url, headers) as response:
        content: bytes = response.content
        return content


def _continue(url: str, part: Path) -> None:
    """Appends what is missing of a file, or all of it where the server cannot tell that it is still the same."""
    start, validator = _state(part)
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    with _response(url, headers) as response:
        if response.status_code == _NOT_SATISFIABLE:
            _forget(part)
            raise _TryAgainError("what had come before is not the beginning of the file")
        if response.status_code != _PARTIAL:
            start = 0
        _validator(part).write_text(response.headers.get("ETag") or response.headers.get("Last-Modified") or "")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        bar: tqdm[bytes] = progress(description=part.name[1:-5], total=total, unit="B", unit_scale=True)
        with space_for(part, "what has come is kept"), part.open("ab" if start else "wb") as opened, bar:
            bar.update(start)
            for piece in response.iter_content(_PIECE):
                opened.write(piece)
                bar.update(len(piece))
        if total is not None and part.stat().st_size != total:
            raise _TryAgainError(f"cut off after {part.stat().st_size} of {total} bytes")


def _state(part: Path) -> tuple[int, str]:
    """How much has come, and the server's mark of what it is a part of; nothing where there is no such mark."""
    validator = _validator(part).read_text() if _validator(part).exists() else ""
    # A weak mark does not vouch for the same bytes.
    if not validator or validator.startswith("W/") or not part.exists():
        return 0, ""
    return part.stat().st_size, validator


def _validator(part: Path) -> Path:
    return part.with_name(f"{part.name}.validator")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator(part).unlink(missing_ok=True)


def _retry_after(headers: Any) -> float | None:
    value = headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _innermost(error: BaseException) -> str:
    """The last cause's first line: the outer ones quote whole connection pools."""
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _innermost(reason)
    return (str(error).splitlines() or [type(error).__name__])[0]
