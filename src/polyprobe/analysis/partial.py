"""Partial correlation: what is left of a correlation when other quantities are held fixed."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from polyprobe.analysis._samples import correlations


def partial_correlation(
    x: Float[np.ndarray, " point"], y: Float[np.ndarray, " point"], given: Sequence[Float[np.ndarray, " point"]]
) -> float | None:
    """Pearson's r of what linear regressions on `given` leave of `x` and of `y`.

    Args:
        x: one value per point, none missing.
        y: the same points.
        given: what is held fixed; nothing gives Pearson's r.

    Returns:
        None where nothing is left that varies, or where so few points are perfectly correlated whatever they are.
    """
    if len(x) < 3 + len(given):
        return None
    design = np.column_stack([np.ones(len(x)), *given])
    left = []
    for values in (x, y):
        solution = np.linalg.lstsq(design, values, rcond=None)[0]
        rest = values - design @ solution
        # What is left of something that is given is rounding error.
        rest[np.abs(rest) < 1e-9 * np.abs(values).max(initial=0.0)] = 0.0
        left.append(rest[None])
    found = float(correlations(*left)[0])
    return None if np.isnan(found) else found
