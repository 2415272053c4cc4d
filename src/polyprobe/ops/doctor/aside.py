"""Where damaged files are put, so that nothing is lost by mending."""

import shutil
from pathlib import Path
from typing import Final

DAMAGED: Final = Path(".dvc/tmp/damaged")
"""Git and DVC ignore it."""


def put_aside(path: Path, name: str | None = None) -> Path:
    """Moves a file out of the way and returns where it lies now.

    Args:
        path: the file.
        name: what to call it there; its own name where there is none.
    """
    DAMAGED.mkdir(parents=True, exist_ok=True)
    name = name or path.name
    taken = DAMAGED / name
    number = 1
    while taken.exists():
        taken, number = DAMAGED / f"{name}.{number}", number + 1
    shutil.move(path, taken)
    return taken
