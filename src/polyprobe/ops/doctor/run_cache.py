"""The run-cache: what each run of a stage read and wrote, from which `dvc repro` restores a stage.

An entry is a file `runs/../KEY/VALUE`, VALUE being DVC's hash of what it says. DVC stumbles over one that was cut off
where the rest is still valid YAML, and over a KEY without entries, left by a run that ended before its first was there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyprobe.ops.doctor.findings import QUARANTINE, Finding, fault, ok, quarantine
from polyprobe.ops.doctor.repository import open_repository
from polyprobe.ops.listing import first_few

_SAMPLE: Final = 300
"""Entries that are read unless the check is deep, the newest."""


def check(deep: bool) -> Iterator[Finding]:
    """Look at entries, and for folders without entries."""
    with open_repository() as repository:
        runs = Path(str(repository.cache.legacy.path), "runs")
    entries = sorted((file for file in runs.rglob("*") if file.is_file()), key=lambda file: -file.stat().st_mtime)
    read = entries if deep else entries[:_SAMPLE]
    damaged = sorted(file for file in read if not _is_whole(file))
    empty = sorted(key for key in runs.glob("*/*") if key.is_dir() and not any(key.iterdir()))
    keys = sorted({file.parent for file in damaged}) + empty

    def fix() -> str:
        for file in damaged:
            quarantine(file)
        for key in keys:
            if not any(key.iterdir()):
                key.rmdir()
        return f"moved {len(damaged)} damaged entries to {QUARANTINE}, removed {len(empty)} empty folders"

    if keys:
        message = f"{len(damaged)} entries are damaged, {len(empty)} are empty: `dvc repro` stumbles over them"
        advice = f"`rm -r {first_few(keys)}`; what they remembered is run again where need be"
        yield fault("run-cache", message, advice, fix)
    else:
        unread = f"; {len(entries) - len(read)} older ones not read: --deep does" if len(read) < len(entries) else ""
        yield ok("run-cache", f"{len(read)} entries, all whole{unread}")


def _is_whole(file: Path) -> bool:
    from polyprobe.ops.dvc_internals import ParseError, parse_yaml, run_cache_hash

    try:
        text = file.read_text(encoding="utf-8")
        entry = parse_yaml(text, str(file))
    except (ParseError, UnicodeDecodeError):
        return False
    # The hash leaves sizes out, with one of which a file may end.
    return isinstance(entry, dict) and text.endswith("\n") and run_cache_hash(entry) == file.name
