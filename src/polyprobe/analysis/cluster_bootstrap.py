"""A bootstrap interval of r that resamples whole checkpoints: the points of one checkpoint are not independent."""

import numpy as np
from jaxtyping import Float

from polyprobe.analysis.coefficients import correlations

COVERAGE = 0.95


def cluster_bootstrap(
    x: Float[np.ndarray, "checkpoint language"],
    y: Float[np.ndarray, "checkpoint language"],
    *,
    resamples: int,
    seed: int,
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of Pearson's r over resampled checkpoints.

    Resamples in which x or y does not vary have no r and are left out.

    Args:
        x: one variable, NaN where there is no such point.
        y: the other variable, at the same places.
        resamples: how many are drawn.
        seed: of the drawing.

    Returns:
        The lower and the upper end; None where fewer than three checkpoints are there to be resampled, or where no
        resample has an r.
    """
    checkpoints = len(x)
    if checkpoints < 3:
        return None
    drawn = np.random.default_rng(seed).integers(checkpoints, size=(resamples, checkpoints))
    found = correlations(x[drawn].reshape(resamples, -1), y[drawn].reshape(resamples, -1))
    found = found[~np.isnan(found)]
    if not len(found):
        return None
    low, high = np.quantile(found, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)
