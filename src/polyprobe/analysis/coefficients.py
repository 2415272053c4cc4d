"""Coefficients of correlation over points that stand in a table of checkpoints and languages (NaN: no such point)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

TOLERANCE = 1e-12
"""Below this share of its size a spread is rounding error, and two coefficients that differ by less are equal."""


@dataclass(frozen=True)
class Pearson:
    """A coefficient with the plain test of Table 1, which takes the points for independent."""

    r: float
    p: float
    """Two-sided, under normal errors and independent points."""
    n: int


def pearson(x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"]) -> Pearson:
    """Return Pearson's r over all points that both have; at least three, and both vary.

    Args:
        x: one variable, NaN where there is no such point.
        y: the other variable, at the same places.
    """
    from scipy.stats import pearsonr

    present = ~(np.isnan(x) | np.isnan(y))
    result = pearsonr(x[present], y[present])
    return Pearson(r=float(result.statistic), p=float(result.pvalue), n=int(present.sum()))


def spearman(x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"]) -> float:
    """Return Spearman's ρ over all points that both have; at least three, and both vary.

    It is the correlation of ranks, which a single drop point cannot carry.

    Args:
        x: one variable, NaN where there is no such point.
        y: the other variable, at the same places.
    """
    from scipy.stats import spearmanr

    present = ~(np.isnan(x) | np.isnan(y))
    return float(spearmanr(x[present], y[present]).statistic)


def within_languages(
    x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"]
) -> float | None:
    """Return Pearson's r after each language's mean over checkpoints is taken out; None where nothing varies then.

    Args:
        x: one variable, NaN where there is no such point.
        y: the other variable, at the same places.
    """
    return _within(x, y, axis=0)


def within_checkpoints(
    x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"]
) -> float | None:
    """Return Pearson's r after each checkpoint's mean over languages is taken out; None where nothing varies then.

    Args:
        x: one variable, NaN where there is no such point.
        y: the other variable, at the same places.
    """
    return _within(x, y, axis=1)


def _within(
    x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"], axis: int
) -> float | None:
    present = ~(np.isnan(x) | np.isnan(y))
    count = np.maximum(present.sum(axis=axis, keepdims=True), 1)
    parts = []
    for values in (x, y):
        known = np.where(present, values, 0.0)
        centred = np.where(present, values - known.sum(axis=axis, keepdims=True) / count, np.nan)
        # What is left of a constant is rounding error; exact zeros let the next step see that it does not vary.
        centred[np.abs(centred) < TOLERANCE * np.abs(known).max(initial=0.0)] = 0.0
        parts.append(centred.reshape(1, -1))
    found = float(correlations(*parts)[0])
    return None if np.isnan(found) else found


def varies(values: Float[np.ndarray, "point"]) -> bool:
    """Return whether the values differ by more than rounding error."""
    return bool(np.ptp(values) > TOLERANCE * np.abs(values).max())


def correlations(
    x: Float[np.ndarray, "sample point"], y: Float[np.ndarray, "sample point"]
) -> Float[np.ndarray, "sample"]:
    """Return Pearson's r of each of many samples.

    Args:
        x: one variable, NaN for a point that does not count.
        y: the other variable, at the same places.

    Returns:
        NaN where x or y does not vary.
    """
    present = ~(np.isnan(x) | np.isnan(y))
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    scale = []
    for values in (x, y):
        known = np.where(present, values, 0.0)
        centred = np.where(present, values - known.sum(axis=1, keepdims=True) / count, 0.0)
        spread = np.sqrt((centred**2).sum(axis=1))
        size = np.sqrt((known**2).sum(axis=1))
        scale.append((centred, np.where(spread > TOLERANCE * size, spread, np.nan)))
    (x_centred, x_spread), (y_centred, y_spread) = scale
    found: Float[np.ndarray, sample] = (x_centred * y_centred).sum(axis=1) / (x_spread * y_spread)
    return found.clip(-1.0, 1.0)
