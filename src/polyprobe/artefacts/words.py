"""`data/words/<lang>.parquet`: one row per word of a language, punctuation too."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, read_table, write_tables
from polyprobe.artefacts.dimensions import dimensions

FOLDER: Final = Path("data/words")

SPLITS: Final = ("train", "dev", "test")
"""The lemma split: a word goes where its lemma goes."""

SCHEMA: Final = pa.schema(
    [
        pa.field("treebank", CATEGORY, nullable=False),
        pa.field("file", CATEGORY, nullable=False),
        pa.field("sent_id", pa.string(), nullable=False),
        pa.field("sentence", pa.int32(), nullable=False),
        pa.field("position", pa.int16(), nullable=False),
        pa.field("form", pa.string(), nullable=False),
        pa.field("space_after", pa.bool_(), nullable=False),
        pa.field("lemma", pa.string(), nullable=False),
        pa.field("upos", CATEGORY, nullable=False),
        pa.field("unimorph", CATEGORY, nullable=False),
        pa.field("split", CATEGORY, nullable=False),
        *(pa.field(name, CATEGORY) for name in dimensions()),
    ]
)
"""sentence: 0-based over the language's files in reading order; position: 0-based in the sentence; unimorph: tags in
canonical order joined by `;`, `_` where there are none; then one nullable column per UniMorph dimension."""


def path(language: str, root: Path = Path()) -> Path:
    """Return where a language's words lie.

    Args:
        language: the language.
        root: the study's folder.
    """
    return root / FOLDER / f"{language}.parquet"


def write(file: Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write one language's words, given in frames one after the other; each becomes a row group.

    Args:
        file: where they go.
        frames: the words, with the columns of `SCHEMA`.
    """
    write_tables(file, frames, SCHEMA)


def read(file: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read one language's words, or some columns of them.

    Args:
        file: where they lie.
        columns: those wanted; None for all of them.
    """
    return read_table(file, SCHEMA, columns)


def label_counts(labels: pd.Series, splits: pd.Series) -> pd.DataFrame:
    """Return how many words have each value.

    Args:
        labels: each word's value, missing where it has none.
        splits: each word's split.

    Returns:
        One row per value that occurs, sorted; one column per split.
    """
    labelled = pd.DataFrame({"label": labels.reset_index(drop=True), "split": splits.reset_index(drop=True)}).dropna()
    counts = labelled.groupby(["label", "split"], observed=True).size().unstack("split", fill_value=0)
    counts.index, counts.columns = counts.index.astype("str"), counts.columns.astype("str")
    return counts.reindex(columns=list(SPLITS), fill_value=0).sort_index()


def surviving_values(labels: pd.Series, splits: pd.Series, min_count: int) -> list[str]:
    """Return the values, sorted, that have at least `min_count` words in each of train, dev and test (fidelity row 12).

    A category is probed where two values survive.

    Args:
        labels: each word's value, missing where it has none.
        splits: each word's split.
        min_count: `words.min_label_count`.
    """
    counts = label_counts(labels, splits)
    return [str(value) for value in counts.index[(counts >= min_count).all(axis=1)]]
