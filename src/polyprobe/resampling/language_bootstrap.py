"""An interval for a mean over pairs of languages: languages are drawn again, with all their pairs."""

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np

RESAMPLES: Final = 2000
LEVEL: Final = 0.95


def language_bootstrap(
    pairs: Sequence[tuple[Hashable, Hashable]], values: Sequence[float]
) -> tuple[float, float] | None:
    """Return the bootstrap's interval over languages, by percentiles.

    A resample draws as many languages as there are, with replacement; a pair counts as often as its two languages
    were drawn together, and a language drawn twice makes no pair with itself. With few languages the interval is too
    narrow: it tells languages' luck from nothing, not these languages from all of the world's.

    Args:
        pairs: of two different languages each.
        values: one per pair.

    Returns:
        The lower and the upper end of the 95 % interval; None for fewer than three languages.
    """
    languages = list(dict.fromkeys(language for pair in pairs for language in pair))
    count = len(languages)
    if count < 3:
        return None
    position = {language: number for number, language in enumerate(languages)}
    present, table = np.zeros((count, count)), np.zeros((count, count))
    for (one, other), value in zip(pairs, values, strict=True):
        present[position[one], position[other]] = 1
        table[position[one], position[other]] = value
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)
    weights, sums = (np.einsum("ra,ab,rb->r", drawn, matrix, drawn, optimize=True) for matrix in (present, table))
    means = sums[weights > 0] / weights[weights > 0]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
