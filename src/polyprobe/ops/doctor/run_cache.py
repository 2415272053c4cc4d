"""The run-cache: what each run of a stage read and wrote, from which `dvc repro` restores a stage.

An entry is a file `runs/../KEY/VALUE`, VALUE being DVC's hash of what it says. DVC stumbles over one that was cut off
where the rest is still valid YAML, and over a KEY without entries, left by a run that ended before its first was there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyprobe.ops.doctor.aside import put_aside
from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, some
from polyprobe.ops.doctor.repository import opened

_SAMPLE: Final = 300
"""Entries that are read where it is not asked for more, the newest."""


def check(asked: Asked) -> Iterator[Finding]:
    """Entries, then folders without entries."""
    with opened() as repository:
        runs = Path(str(repository.cache.legacy.path), "runs")
    files = sorted((file for file in runs.rglob("*") if file.is_file()), key=lambda one: (-one.stat().st_mtime, one))
    read = files if asked.deep else files[:_SAMPLE]
    damaged = sorted(file for file in read if not _is_whole(file))
    empty = sorted(key for key in runs.glob("*/*") if key.is_dir() and not any(key.iterdir()))

    def mend() -> str:
        kept = [put_aside(file) for file in damaged]
        for key in {file.parent for file in damaged} | set(empty):
            if not any(key.iterdir()):
                key.rmdir()
        moved = f"moved {len(kept)} damaged entries to {kept[0].parent}" if kept else "removed empty folders"
        return f"{moved}; what they remembered is run again where need be"

    if damaged or empty:
        problems = [f"{len(damaged)} entries are damaged"] * bool(damaged) + [f"{len(empty)} are empty"] * bool(empty)
        yield fault(
            "run-cache",
            f"{' and '.join(problems)}, over which `dvc repro` stumbles or from which it would restore a stage wrongly",
            f"`rm -r {some([str(file) for file in [*sorted({file.parent for file in damaged}), *empty]])}`; "
            "what they remembered is run again where need be",
            mend,
        )
    else:
        unread = len(files) - len(read)
        more = f"; {unread} older ones not read: --deep does" if unread else ""
        yield ok("run-cache", f"{len(read)} entries, all whole{more}")


def _is_whole(file: Path) -> bool:
    from dvc.stage.cache import _get_cache_hash
    from dvc.utils.serialize import ParseError, parse_yaml

    try:
        text = file.read_text(encoding="utf-8")
        said = parse_yaml(text, str(file))
    except (ParseError, UnicodeDecodeError):
        return False
    # The hash leaves sizes out, with one of which a file may end.
    return isinstance(said, dict) and text.endswith("\n") and _get_cache_hash(said) == file.name
