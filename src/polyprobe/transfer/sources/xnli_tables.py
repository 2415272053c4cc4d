"""Pairs of XNLI's and MultiNLI's published tables, as XTREME has them (Conneau et al. 2018; Hu et al. 2020)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError
from polyprobe.transfer.examples import numbered_lines

_LABELS: Final = {"contradictory": "contradiction"}
"""Labels that are spelled in another way in MultiNLI."""


def training_pairs(file: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the premise, hypothesis and label of each pair of `multinli.train.<language>.tsv`.

    Raises:
        BadInputError: a line does not have three columns.
    """
    for premise, hypothesis, label in _rows(file, 3):
        yield premise, hypothesis, _LABELS.get(label, label)


def evaluation_pairs(file: Path) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield the language, and premise, hypothesis and label, of each pair of `xnli.dev.tsv` or `xnli.test.tsv`.

    Raises:
        BadInputError: a line has fewer than eight columns.
    """
    for language, label, _, _, _, _, premise, hypothesis in _rows(file, 8):
        yield language, (premise, hypothesis, _LABELS.get(label, label))


def _rows(file: Path, columns: int) -> Iterator[list[str]]:
    """Yield the first columns of each line but the header, without space around them.

    Args:
        file: a table.
        columns: how many of them.

    Raises:
        BadInputError: a line has fewer columns.
    """
    for number, line in numbered_lines(file):
        row = [cell.strip() for cell in line.split("\t")[:columns]]
        if len(row) < columns:
            raise BadInputError(f"{file}:{number}: expected {columns} columns separated by tabs, found {len(row)}")
        if number > 1:
            yield row
