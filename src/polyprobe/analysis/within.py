"""The parts of a pairwise correlation: along training within a language, and across languages within a checkpoint."""

import numpy as np
from jaxtyping import Float

from polyprobe.analysis._samples import correlations


def within_languages(
    x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"]
) -> float | None:
    """Pearson's r after each language's mean over checkpoints is taken out; None where nothing varies then."""
    return _within(x, y, axis=0)


def within_checkpoints(
    x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"]
) -> float | None:
    """Pearson's r after each checkpoint's mean over languages is taken out; None where nothing varies then."""
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
        centred[np.abs(centred) < 1e-12 * np.abs(known).max(initial=0.0)] = 0.0
        parts.append(centred.reshape(1, -1))
    found = float(correlations(*parts)[0])
    return None if np.isnan(found) else found
