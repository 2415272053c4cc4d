"""Pearson's r with the plain p of Table 1, which takes the points for independent."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Pearson:
    """A coefficient and its test."""

    r: float
    p: float
    """Two-sided, under normal errors and independent points."""
    n: int


def pearson(x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"]) -> Pearson:
    """Pearson's r over all points that both have (NaN: no such point); at least three, and both vary."""
    from scipy.stats import pearsonr

    present = ~(np.isnan(x) | np.isnan(y))
    result = pearsonr(x[present], y[present])
    return Pearson(r=float(result.statistic), p=float(result.pvalue), n=int(present.sum()))
