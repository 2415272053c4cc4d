"""p-values adjusted for testing many pairs of languages at once."""

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float


def holm(p: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """Holm (1979): bounds the chance of any false finding, whatever the dependence of the tests."""
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _in_place(np.minimum(adjusted, 1), order)


def benjamini_yekutieli(p: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """Benjamini and Yekutieli (2001): bounds the share of false findings, whatever the dependence of the tests."""
    order = np.argsort(p, kind="stable")
    ranks = np.arange(1, len(p) + 1)
    scaled = p[order] * len(p) * (1 / ranks).sum() / ranks
    return _in_place(np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1), order)


def unadjusted(p: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """As they are."""
    return p.copy()


def _in_place(values: Float[np.ndarray, " test"], order: np.ndarray) -> Float[np.ndarray, " test"]:
    placed = np.empty_like(values)
    placed[order] = values
    return placed


CORRECTIONS: Final[dict[str, Callable[[Float[np.ndarray, " test"]], Float[np.ndarray, " test"]]]] = {
    "holm": holm,
    "benjamini_yekutieli": benjamini_yekutieli,
    "none": unadjusted,
}
"""By the names of `overlap.correction`."""
