"""`metrics/mapping.json`: what the UniMorph mapping read of each language's treebanks, and what it lost.

A list of objects: language; words (of the text); tokens (syntactic words); skipped_sentences; withheld_sentences, which
come without their text; unmapped {UPOS or Feature=Value: tokens}, what has no tag; unread {tag: tokens}, tags that set
no attribute (disjunctions, tags outside the schema); overruled {tag: tokens}, tags that lost their dimension to another
one of the same token.
"""

from pathlib import Path
from typing import Final

from polyprobe.artefacts._entries import Entry as Entry
from polyprobe.artefacts._entries import read_entries
from polyprobe.running.files import write_json

PATH: Final = Path("metrics/mapping.json")


def write(file: Path, entries: list[Entry]) -> None:
    """Write the entries in their order.

    Args:
        file: where they go.
        entries: one per language.
    """
    write_json(file, entries)


def read(file: Path = PATH) -> list[Entry]:
    """Read the entries."""
    return read_entries(file, "convert_unimorph")
