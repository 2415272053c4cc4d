"""`downloads.lock`: the SHA-256 of everything downloaded, under version control beside dvc.lock.

One line per download, `digest  name`, as `sha256sum` writes them. A name is a URL, `hub:[datasets/]REPOSITORY@REVISION`
(its digest is the commit), the same with `/FILE`, or `github:REPOSITORY@TAG` (its digest is the tree). A name that is
there must keep its digest; one that is not is recorded at its first use.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from filelock import FileLock

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file
from polyprobe.running.scratch import scratch_root

PATH: Final = Path("downloads.lock")
_LINE: Final = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})  (\S+)")
_HEADER: Final = "# What was downloaded: SHA-256 (or commit) and name. Remove a line to accept new contents.\n"


def recorded(name: str) -> str | None:
    """Return the digest recorded for a download; None where there is none.

    Raises:
        BadInputError: a line of `downloads.lock` is malformed.
    """
    return _read().get(name)


def record(digests: Mapping[str, str]) -> None:
    """Add the digests of downloads to `downloads.lock`, whose lines are sorted by name: all of them or none.

    Args:
        digests: by the download's name, a URL or one of the forms that the module states: its SHA-256 (64 hexadecimal
            digits), or its commit or tree (40).

    Raises:
        BadInputError: a line of the file is malformed, or another digest is recorded for one of the names.
    """
    scratch_root().mkdir(parents=True, exist_ok=True)
    with FileLock(scratch_root() / f"{PATH.name}.guard"):
        table = _read()
        for name, digest in digests.items():
            if table.setdefault(name, digest) != digest:
                raise BadInputError(f"{PATH}: {name}: {table[name]} is recorded, another process found {digest}")
        lines = [f"{table[key]}  {key}\n" for key in sorted(table)]
        with new_file(PATH) as temporary:
            temporary.write_text(_HEADER + "".join(lines), encoding="utf-8")


def _read() -> dict[str, str]:
    table: dict[str, str] = {}
    if not PATH.exists():
        return table
    for number, line in enumerate(PATH.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        if not (found := _LINE.fullmatch(line)):
            raise BadInputError(f"{PATH}:{number}: expected a digest, two spaces and a name")
        table[found[2]] = found[1]
    return table
