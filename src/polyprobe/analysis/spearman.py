"""Spearman's ρ: the correlation of ranks, which a single drop point cannot carry."""

import numpy as np
from jaxtyping import Float


def spearman(x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"]) -> float:
    """Spearman's ρ over all points that both have (NaN: no such point); at least three, and both vary."""
    from scipy.stats import spearmanr

    present = ~(np.isnan(x) | np.isnan(y))
    return float(spearmanr(x[present], y[present]).statistic)
