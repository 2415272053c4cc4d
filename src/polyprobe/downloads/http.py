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
    """Return the file at a URL, downloaded unless it is on the disk from before.

    Args:
        url: an address of http or https.
        sha256: the file's SHA-256 where the study states it; where it is None, the one in `downloads.lock` is enforced,
            or recorded there at the first use.
        check: called with a file whose digest is stated nowhere, before its digest is recorded; raises BadInputError
            where the file is not good.

    Returns:
        The file's path in the scratch folder, under the name that the URL ends with.

    Raises:
        BadInputError: the file cannot be had, or it is not the expected one; nothing of it is kept then, except what
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
        lock.record({url: pooch.file_hash(file)})
    return file


def read_url(url: str) -> bytes:
    """Read what is at a URL at this moment: for small answers that may change, such as a listing.

    GitHub's API is shown the token in GITHUB_TOKEN: without one it answers sixty times an hour.

    Raises:
        BadInputError: the answer cannot be had.
    """
    asked = _mirrored(url)
    token = os.environ.get("GITHUB_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token and urlsplit(url).netloc == "api.github.com" else {}
    return _persistently(asked, lambda: _get(asked, headers))


def _resuming(part: Path) -> Callable[[str, str, Any], None]:
    """Return a downloader for pooch that fills `part` and moves it to where pooch wants the file.

    The downloader raises BadInputError where the file cannot be had; `part` is kept where it was cut off.
    """

    def fetch(url: str, output: str, _: Any) -> None:
        asked = _mirrored(url)
        _persistently(asked, lambda: _continue(asked, part))
        part.replace(output)
        _validator(part).unlink(missing_ok=True)

    return fetch


def _persistently(url: str, attempt: Callable[[], Result]) -> Result:
    """Return the result of the first attempt that succeeds; the waits between attempts grow.

    Args:
        url: the address that the error names.
        attempt: called up to `_ATTEMPTS` times; raises `_TryAgainError` where a further attempt may succeed.

    Raises:
        BadInputError: no attempt succeeds.
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
    """What went wrong in one attempt, where another may succeed.

    Args:
        message: one line.
        wait: seconds that the server asks to wait; None where it does not say.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


@contextmanager
def _response(url: str, headers: dict[str, str]) -> Iterator[Any]:
    """Yield the server's answer, whose body is to be read while the context lasts.

    Args:
        url: the address asked.
        headers: the request's headers by name.

    Raises:
        _TryAgainError: the connection fails, also while the body is read, or the status is one of `_TRY_AGAIN`.
        BadInputError: the server answers with another error than 416 (a range that it cannot satisfy).
    """
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
    """Append what is missing of a file, or write it anew where the server cannot tell that it is still the same.

    Args:
        url: the address asked.
        part: what has come of the file so far; it need not exist.

    Raises:
        _TryAgainError: the connection fails, the body is cut off, or `part` is not the beginning of the file.
        BadInputError: the server answers with an error that another attempt will not mend, or the disk is full.
    """
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
    """Return how many bytes have come, and the server's mark of the file that they are part of.

    Returns:
        Bytes and mark; 0 and "" where nothing has come, or no mark vouches for the same bytes.
    """
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
    """Return the first line of an error's innermost cause: the outer ones quote whole connection pools."""
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _innermost(reason)
    return (str(error).splitlines() or [type(error).__name__])[0]
