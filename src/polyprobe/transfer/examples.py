"""What every task's data is made of: texts with labelled items, and the same as sub-words."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from polyprobe.languages.withheld import NO_FORM
from polyprobe.running.errors import BadInputError

LOST: Final = -1
"""Position and prediction of an item that truncation cut off; it counts as wrong."""
NO_TARGET: Final = -100
"""What torch's cross-entropy leaves out."""


@dataclass(frozen=True)
class Example:
    """One example: a premise and a hypothesis with one label, or the words of a sentence with a label each."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Encoded:
    """An example as the model sees it."""

    input_ids: list[int]
    labels: list[int]
    """The items' label numbers."""
    positions: list[int]
    """The sub-word whose output classifies each item; LOST where truncation cut it off."""
    token_type_ids: list[int] | None = None
    """The segment of each sub-word; None where the tokenizer names none: all are in the first."""


_NO_LABEL: Final = ("", "_", "-")
"""What stands in a label's place where there is none."""
WITHOUT_LABELS: Final = (
    "XTREME's published test files have no labels, and scores need them: use transfer.source hub or archive"
)


def numbered_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 file with their numbers from 1, split at line feeds only, without a byte-order mark.

    Raises:
        BadInputError: there is no such file, or a line is no UTF-8.
    """
    if not file.is_file():
        raise BadInputError(f"{file}: no such file, expected a task file in XTREME's layout")
    with file.open("rb") as opened:
        for number, line in enumerate(opened, 1):
            content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            try:
                yield number, content.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise BadInputError(f"{file}:{number}: expected UTF-8") from None


def word_form(word: str) -> str:
    """Return the word itself, or `_` where there is nothing in it but spaces."""
    return word if word.strip() else NO_FORM


def checked_label(label: str, labels: Sequence[str], file: Path, number: int) -> str:
    """Check that a label is one of the task's, and return it.

    Args:
        label: what stands in the label's place.
        labels: the task's.
        file: where it stands, for the error's message.
        number: of its line there, from 1.

    Raises:
        BadInputError: it is none of `labels`, or says that there is no label.
    """
    if label.strip() in _NO_LABEL:
        raise BadInputError(f"{file}:{number}: expected a label, found {label!r}; {WITHOUT_LABELS}")
    if label not in labels:
        raise BadInputError(f"{file}:{number}: unknown label {label!r}, expected one of {', '.join(labels)}")
    return label


def not_empty(examples: list[Example], file: Path) -> list[Example]:
    """Check that there are examples, and return them.

    Args:
        examples: all that a file holds.
        file: the file, for the error's message.

    Raises:
        BadInputError: there are none.
    """
    if not examples:
        raise BadInputError(f"{file}: expected at least one example, found none")
    return examples
