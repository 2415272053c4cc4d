"""Scratch folders for work that can be killed and gone on with."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def scratch_root() -> Path:
    """Return the folder of everything half-done: POLYPROBE_SCRATCH, or `.scratch`."""
    return Path(os.environ.get("POLYPROBE_SCRATCH", ".scratch"))


def scratch_folder(name: str, determines: Any) -> Path:
    """Return a folder outside all outputs for the half-done work of one result; make it if it is not there.

    Args:
        name: what is being made, for people who look into the folder.
        determines: everything (as JSON-able data) that determines the result. Another value gives another folder, so
            that work begun under other inputs is never gone on with.
    """
    text = json.dumps(determines, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = scratch_root() / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Yield an empty folder below the scratch root, removed when the block ends.

    Args:
        name: what is put into it, for people who look into the scratch root.
    """
    scratch_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=scratch_root()) as folder:
        yield Path(folder)
