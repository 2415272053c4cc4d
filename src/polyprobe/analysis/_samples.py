"""Pearson's r of many samples at once: what the resampling statistics share."""

import numpy as np
from jaxtyping import Float

TOLERANCE = 1e-12
"""Below this share of its size a spread is rounding error, and two coefficients that differ by less are equal."""


def varies(values: Float[np.ndarray, "point"]) -> bool:
    """Whether the values differ by more than rounding error."""
    return bool(np.ptp(values) > TOLERANCE * np.abs(values).max())


def correlations(
    x: Float[np.ndarray, "sample point"], y: Float[np.ndarray, "sample point"]
) -> Float[np.ndarray, "sample"]:
    """Pearson's r of each sample; points where x or y is NaN do not count; NaN where x or y does not vary."""
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
