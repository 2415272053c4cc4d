"""Partial correlation: what is left of a correlation when other quantities are held fixed."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

NOTHING_LEFT = 1e-9
"""Below this share of a quantity's size, what the given quantities leave of it is rounding error."""


def partial_correlation(
    x: Float[np.ndarray, " point"], y: Float[np.ndarray, " point"], given: Sequence[Float[np.ndarray, " point"]]
) -> float | None:
    """Return Pearson's r of what linear regressions on `given` leave of `x` and of `y`.

    Args:
        x: one value per point, none missing.
        y: the same points.
        given: what is held fixed; nothing gives Pearson's r.

    Returns:
        None where nothing is left that varies, or where so few points are perfectly correlated whatever they are.
    """
    if len(x) < 3 + len(given):
        return None
    found = float(partial_correlations(x, y, given, np.ones((1, len(x)), dtype=np.int64))[0])
    return None if np.isnan(found) else found


def partial_correlations(
    x: Float[np.ndarray, " point"],
    y: Float[np.ndarray, " point"],
    given: Sequence[Float[np.ndarray, " point"]],
    counts: Int[np.ndarray, "sample point"],
) -> Float[np.ndarray, " sample"]:
    """Return the partial correlation in each of many samples.

    Args:
        x: one value per point, none missing.
        y: the same points.
        given: what is held fixed.
        counts: how often a point is in a sample.

    Returns:
        NaN where nothing is left that varies, or where a sample has so few different points that they are perfectly
        correlated whatever they are.
    """
    weights = np.sqrt(counts)
    design = np.stack([np.ones(len(x)), *(_standardised(values) for values in given)], axis=1)
    basis, sizes, _ = np.linalg.svd(weights[:, :, None] * design, full_matrices=False)
    kept = sizes > sizes[:, :1] * max(design.shape) * np.finfo(float).eps
    basis = basis * kept[:, None, :]
    left = []
    for values in (x, y):
        # Exact zeros tell what is left of something that is given from what varies.
        rest = weights * values
        rest = rest - np.einsum("spc,sc->sp", basis, np.einsum("spc,sp->sc", basis, rest))
        rest[np.abs(rest) < NOTHING_LEFT * np.abs(values).max(initial=0.0)] = 0.0
        left.append(rest)
    (product, *squares) = (
        np.einsum("sp,sp->s", one, other) for one, other in ((left[0], left[1]), (left[0],) * 2, (left[1],) * 2)
    )
    free = (counts > 0).sum(axis=1) - kept.sum(axis=1)
    spread = np.sqrt(squares[0] * squares[1])
    known = (spread > 0) & (free >= 2)
    found: Float[np.ndarray, sample] = np.full(len(counts), np.nan)
    found[known] = (product[known] / spread[known]).clip(-1.0, 1.0)
    return found


def _standardised(values: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    centred = values - values.mean()
    size = np.abs(centred).max(initial=0.0)
    return centred / size if size > NOTHING_LEFT * np.abs(values).max(initial=0.0) else np.zeros_like(values)
