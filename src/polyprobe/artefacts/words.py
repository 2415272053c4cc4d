"""`data/words/<lang>.parquet`: one row per word of a language, punctuation too."""

from typing import Final

import pandas as pd
import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, ParquetTable
from polyprobe.artefacts.dimensions import dimensions

SPLITS: Final = ("train", "dev", "test")
"""The lemma split: a word goes where its lemma goes."""

TABLE: Final = ParquetTable(
    "data/words/{language}.parquet",
    treebank=CATEGORY,
    file=CATEGORY,
    sent_id=pa.string(),
    sentence=pa.int32(),
    position=pa.int16(),
    form=pa.string(),
    space_after=pa.bool_(),
    lemma=pa.string(),
    upos=CATEGORY,
    unimorph=CATEGORY,
    split=CATEGORY,
    **{f"{name}_": CATEGORY for name in dimensions()},
)
"""sentence: 0-based over the language's files in reading order; position: 0-based in the sentence; unimorph: tags in
canonical order joined by `;`, `_` where there are none; then one nullable column per UniMorph dimension."""


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
