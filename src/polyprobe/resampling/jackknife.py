"""Uncertainty of means over pairs: of languages, or of seeds."""

from collections.abc import Hashable, Sequence
from math import sqrt

import numpy as np
from jaxtyping import Float


def standard_error(pairs: Sequence[tuple[Hashable, Hashable]], values: Sequence[float]) -> float | None:
    """Return the standard error of the mean over pairs of one group, by the jackknife.

    Pairs that share a language (or a seed) depend on each other, so it is left out with all its pairs.

    Args:
        pairs: of two languages (or seeds) each.
        values: one per pair.

    Returns:
        None for fewer than three languages, or where no pair is left without one of them.
    """
    languages = list(dict.fromkeys(language for pair in pairs for language in pair))
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


def standard_error_of_two(values: Float[np.ndarray, "one other"]) -> float | None:
    """Return the standard error of the mean over all pairs of two independent groups, by the jackknife within each.

    The groups' variances of means add up.

    Args:
        values: one per pair.

    Returns:
        None where a group has one member only.
    """
    if min(values.shape) < 2:
        return None
    return sqrt(sum(float(values.mean(1 - axis).var(ddof=1)) / values.shape[axis] for axis in (0, 1)))
