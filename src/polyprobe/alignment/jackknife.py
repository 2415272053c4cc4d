"""Uncertainty of a mean over pairs of languages."""

from collections.abc import Sequence
from math import sqrt


def standard_error(pairs: Sequence[tuple[str, str]], values: Sequence[float]) -> float | None:
    """Standard error of the mean over pairs, by the jackknife over languages: pairs that share a language depend on
    each other, so a language is left out with all its pairs.

    Returns:
        None for fewer than three languages.
    """
    languages = sorted({language for pair in pairs for language in pair})
    if len(languages) < 3:
        return None
    means = []
    for left_out in languages:
        kept = [value for pair, value in zip(pairs, values, strict=True) if left_out not in pair]
        if not kept:
            return None
        means.append(sum(kept) / len(kept))
    centre = sum(means) / len(means)
    return sqrt((len(means) - 1) / len(means) * sum((mean - centre) ** 2 for mean in means))
