"""`metrics/corpus.json`: what each language offers for each category, and whether it is probed (Appendix A.2).

A list of objects: language, category, probed (bool), reason (why not, else null), words {train, dev, test} (words that
have a value), values {value: {train, dev, test}}.
"""

from pathlib import Path
from typing import Final

from polyprobe.artefacts._entries import Entry as Entry
from polyprobe.artefacts._entries import read_entries
from polyprobe.running.files import write_json

PATH: Final = Path("metrics/corpus.json")


def write(file: Path, entries: list[Entry]) -> None:
    """Write the entries in their order.

    Args:
        file: where they go.
        entries: one per language and category.
    """
    write_json(file, entries)


def read(file: Path = PATH) -> list[Entry]:
    """Read the entries."""
    return read_entries(file, "convert_unimorph")
