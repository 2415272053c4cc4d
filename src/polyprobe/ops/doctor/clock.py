"""The clock, against the last commit and the files here."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from polyprobe.ops.doctor.findings import Asked, Finding, ok, some, warning
from polyprobe.ops.doctor.repository import git

_GRACE: Final = 300.0
"""Seconds that clocks of machines may differ."""


def check(asked: Asked) -> Iterator[Finding]:
    """Nothing here should be from the future."""
    now = time.time()
    committed = git("log", "-1", "--format=%ct").stdout.strip()
    late = []
    if committed.isdigit() and float(committed) > now + _GRACE:
        late.append(f"the last commit ({_told(float(committed))})")
    for file in sorted([*Path().glob("*.yaml"), *Path().glob("*.lock"), *Path("src").rglob("*.py"), *_outputs()]):
        if file.lstat().st_mtime > now + _GRACE:
            late.append(str(file))
    if late:
        yield warning(
            "clock",
            f"it says {_told(now)}, and these are from the future: {some(late)}",
            "set the clock, or `touch` the files; results do not depend on it, times in the run log do",
        )
    else:
        yield ok("clock", f"{_told(now)}, nothing here is from the future")


def _outputs() -> Iterator[Path]:
    for name in ("data", "metrics", "plots"):
        yield from (path for path in Path(name).rglob("*") if path.is_file())


def _told(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
