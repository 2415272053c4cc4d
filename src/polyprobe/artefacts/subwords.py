"""`metrics/subwords/<ckpt>.json`: how a checkpoint's tokenizer cuts the treebanks' words.

A list of objects per language, of the sentences that hold an embedded word: language; sentences; words (embedded);
subwords (of the whole sentences); shared_subwords (those that two words share); split_sentences (longer than the
model's limit, run in overlapping parts).
"""

from pathlib import Path
from typing import Final

from polyprobe.artefacts._entries import Entry as Entry
from polyprobe.artefacts._entries import read_entries
from polyprobe.running.files import write_json

FOLDER: Final = Path("metrics/subwords")


def path(checkpoint: str, root: Path = Path()) -> Path:
    """Return where one checkpoint's counts lie.

    Args:
        checkpoint: its key in params.yaml.
        root: the study's folder.
    """
    return root / FOLDER / f"{checkpoint}.json"


def write(file: Path, entries: list[Entry]) -> None:
    """Write the entries in their order.

    Args:
        file: where they go.
        entries: one per language.
    """
    write_json(file, entries)


def read(file: Path) -> list[Entry]:
    """Read the entries."""
    return read_entries(file, "extract")
