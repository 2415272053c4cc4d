"""`metrics/corpus.json`: what each language offers for each category, and whether it is probed (Appendix A.2).

A list of objects: language, category, probed (bool), reason (why not, else null), words {train, dev, test} (words that
have a value), values {value: {train, dev, test}}.
"""

import json
from pathlib import Path
from typing import Any, Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import write_json

PATH: Final = Path("metrics/corpus.json")

Entry = dict[str, Any]


def write(file: Path, entries: list[Entry]) -> None:
    """Writes the entries in their order."""
    write_json(file, entries)


def read(file: Path = PATH) -> list[Entry]:
    """Reads the entries."""
    if not file.exists():
        raise BadInputError(f"{file}: no such file; has convert_unimorph been run?")
    entries: list[Entry] = json.loads(file.read_text(encoding="utf-8"))
    return entries
