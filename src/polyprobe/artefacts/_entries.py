"""Small tables as JSON: a list of objects."""

import json
from pathlib import Path
from typing import Any

from polyprobe.running.errors import BadInputError

Entry = dict[str, Any]


def read_entries(file: Path, stage: str) -> list[Entry]:
    """Read the entries of a file.

    Args:
        file: the file.
        stage: the stage that writes it, for errors.

    Raises:
        BadInputError: there is no such file.
    """
    if not file.exists():
        raise BadInputError(f"{file}: no such file; has {stage} been run?")
    entries: list[Entry] = json.loads(file.read_text(encoding="utf-8"))
    return entries
