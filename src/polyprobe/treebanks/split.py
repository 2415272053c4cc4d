"""The lemma split: words of one lemma go into one split, so that a probe cannot learn lemmas by heart."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from polyprobe.artefacts.words import SPLITS
from polyprobe.running.errors import BadInputError

NO_LEMMA: Final = "_"
_SHARES: Final = (0.8, 0.9)
"""Where train and dev end."""
_MOST_TOO_FEW: Final = 10


def lemma_key(lemma: str, form: str) -> str:
    """Return what stands for a word in the split: its lemma, or its lowercased form where it has none.

    Args:
        lemma: as written, `_` where there is none.
        form: as written.
    """
    return form.lower() if lemma == NO_LEMMA else lemma


def split_lemmas(keys: Iterable[str], seed: int, where: str) -> dict[str, str]:
    """Return a split for each lemma: 80, 10 and 10 % of the sorted unique lemmas after a seeded shuffle.

    Args:
        keys: the words' lemmas, in any order and number.
        seed: `words.seed`.
        where: what the lemmas are from, for the error.

    Returns:
        Train, dev or test by lemma.

    Raises:
        BadInputError: there are ten lemmas or fewer.
    """
    lemmas = sorted(set(keys))
    if len(lemmas) <= _MOST_TOO_FEW:
        raise BadInputError(f"{where}: {len(lemmas)} lemmas, expected more than {_MOST_TOO_FEW} to split by")
    order = np.random.default_rng(seed).permutation(len(lemmas))
    ends = [0, *(round(share * len(lemmas)) for share in _SHARES), len(lemmas)]
    return {
        lemmas[index]: split
        for split, start, end in zip(SPLITS, ends, ends[1:], strict=False)
        for index in order[start:end]
    }


def rare_lemmas(keys: Sequence[str], counts: Sequence[int], min_count: int) -> set[str]:
    """Return the lemmas of fewer than `min_count` words (all of a lemma's words are in one split).

    Args:
        keys: lemmas; one may come several times.
        counts: the number of words of each, aligned with `keys`.
        min_count: `words.min_lemma_count`.
    """
    words: Counter[str] = Counter()
    for key, count in zip(keys, counts, strict=True):
        words[key] += int(count)
    return {lemma for lemma, count in words.items() if count < min_count}
