"""Outputs appear whole or not at all: written under a temporary name beside the target, then renamed over it."""

import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any, Final

from polyprobe.running.errors import BadInputError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def existing(files: Sequence[Path]) -> list[Path]:
    """Return those of the files that are there, in their order; one line on stderr names the others."""
    found = [file for file in files if file.exists()]
    if missing := [str(file) for file in files if file not in found]:
        print(f"warning: left out, no such file: {', '.join(missing)}", file=sys.stderr)
    return found


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, renamed to `path` when the block ends well and removed when it does not.

    Raises:
        BadInputError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with space_for(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary empty folder to fill, which takes the place of `path` when the block ends well.

    What killed processes left of such folders is removed.

    Raises:
        BadInputError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        with _locked(left) as ours:
            if ours:
                shutil.rmtree(left)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    try:
        with _locked(temporary), space_for(path):
            yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock, which the system takes from a process that ends.

    Yields:
        Whether the lock is held: not where another process holds it, or where the file system knows no locks.
    """
    opened = os.open(folder, os.O_RDONLY)
    try:
        ours = False
        with suppress(OSError):
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = True
        yield ours
    finally:
        os.close(opened)


@contextmanager
def space_for(path: Path, left: str = "nothing of it was written") -> Iterator[None]:
    """Turn the error of a full disk into one line that names what was to be written and says what is left of it.

    Args:
        path: what the block writes.
        left: what is left of it, for the message.

    Raises:
        BadInputError: the disk is full.
    """
    try:
        yield
    except Exception as error:
        # safetensors, written in Rust, has an error of its own for whatever the system says, and so has torch.save.
        said = (*(f"(os error {code})" for code in _FULL), "unexpected pos")
        if getattr(error, "errno", None) not in _FULL and not any(part in str(error) for part in said):
            raise
        raise BadInputError(f"{path}: no space left on the disk; {left}") from None


def write_json(path: Path, value: Any) -> None:
    """Write a value as UTF-8 JSON, keys in the order given, with a final newline.

    Args:
        path: the file to write, whole or not at all.
        value: JSON-able data, without NaN and infinities.

    Raises:
        BadInputError: the disk is full.
    """
    with new_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
