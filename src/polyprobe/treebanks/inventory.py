"""What a language offers for each category: the entries of `metrics/corpus.json` (Appendix A.2)."""

from typing import Any

import pandas as pd

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.words import SPLITS, label_counts, surviving_values


def inventory(language: str, words: pd.DataFrame, min_label_count: int) -> list[dict[str, Any]]:
    """Return one entry for each dimension that some word of the language has a value in.

    Args:
        language: ISO code.
        words: its words, a row each, with the split and one column per dimension.
        min_label_count: words that a value needs in each split.

    Returns:
        Entries in the order of the dimensions: language, category, whether it is probed, the reason where it is not,
        and words per split, of the category and of each of its values.
    """
    return [
        _entry(language, dimension, words[dimension], words["split"], min_label_count)
        for dimension in dimensions()
        if words[dimension].notna().any()
    ]


def _entry(language: str, dimension: str, labels: pd.Series, splits: pd.Series, minimum: int) -> dict[str, Any]:
    counts = label_counts(labels, splits)
    survivors = surviving_values(labels, splits, minimum)
    return {
        "language": language,
        "category": dimension,
        "probed": len(survivors) >= 2,
        "reason": None if len(survivors) >= 2 else _reason(survivors, minimum),
        "words": _by_split(counts.sum()),
        "values": {str(value): _by_split(row) for value, row in counts.iterrows()},
    }


def _reason(survivors: list[str], minimum: int) -> str:
    which = f"only {survivors[0]} has" if survivors else "no value has"
    return f"{which} {minimum} words in each of train, dev and test; two values are needed"


def _by_split(row: pd.Series) -> dict[str, int]:
    return {split: int(row[split]) for split in SPLITS}
