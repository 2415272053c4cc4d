"""Which words' hidden states are kept: a capped sample per lemma split in which no label starves."""

import numpy as np
import pandas as pd
from jaxtyping import Int64
from numpy.typing import NDArray

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.running.seeds import derive_seed


def select_words(
    words: pd.DataFrame, max_words: dict[str, int] | None, min_label_count: int, *, seed: int, language: str
) -> Int64[np.ndarray, " word"]:
    """Return the rows of the words that are embedded: those with an attribute, at most `max_words` of each split.

    The sentences are put into a seeded random order, their words with them, so that a small sample needs few sentences
    to go through the model. Within a split, first come, for every value of every dimension, its first
    `min_label_count` words in that order (all of them, even where together they exceed the cap), then the other words
    in that order until the cap is reached. No category of the study enters, so that a change of categories touches no
    model.

    Args:
        words: the columns sentence, split and one per UniMorph dimension, in the table's order.
        max_words: the cap per split; None for every word with an attribute.
        min_label_count: words that each label keeps, where there are as many.
        seed: `extract.seed`.
        language: the words' language, so that languages draw independently.

    Returns:
        Ascending, numbered from 0.
    """
    names = [name for name in dimensions() if words[name].notna().any()]
    labelled = words[names].notna().any(axis=1).to_numpy()
    if max_words is None:
        return np.flatnonzero(labelled)
    sentences, splits = words["sentence"].to_numpy(), words["split"].to_numpy(dtype=object)
    generator = np.random.default_rng(derive_seed(seed, "extract", language))
    position = generator.permutation(sentences.max() + 1 if len(sentences) else 0)
    kept: list[NDArray[np.int64]] = []
    for split, cap in max_words.items():
        rows = np.flatnonzero(labelled & (splits == split))
        order = rows[np.argsort(position[sentences[rows]], kind="stable")]
        required = np.zeros(len(order), dtype=bool)
        for name in names:
            labels = words[name].iloc[order]
            rank = labels.groupby(labels.to_numpy(dtype=object)).cumcount().to_numpy()
            required |= labels.notna().to_numpy() & (rank < min_label_count)
        free = max(0, cap - int(required.sum()))
        kept += [order[required], order[~required][:free]]
    return np.sort(np.concatenate(kept))
