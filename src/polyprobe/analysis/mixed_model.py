"""A mixed model of the score on the overlap with a random intercept per language, by restricted maximum likelihood.

Languages differ in their level of overlap and of score for reasons of their own; the slope is what one unit of overlap
does to the score apart from these levels. The model takes the points of a language for independent: what the points of
one checkpoint share is left to the bootstrap and the permutation test.
"""

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int

LEVEL: Final = 0.95
LARGEST_RATIO: Final = 1e8
"""Of the variance of languages' levels to that within a language: above, no error is left."""
_GRID: Final = np.linspace(-14.0, np.log(LARGEST_RATIO), 33)
"""Logarithms of ratios between which the largest likelihood is sought."""
_NOTHING_LEFT: Final = 1e-12
"""Share of the score's variance below which what the model leaves of it is rounding error."""


@dataclass(frozen=True)
class MixedModel:
    """The fixed effect of the overlap; all but the note None where the model cannot be fitted."""

    slope: float | None
    """Score per unit of overlap."""
    interval: tuple[float, float] | None
    """95 %, by Wald's normal approximation."""
    p: float | None
    """Two-sided, by the same."""
    note: str | None = None


def mixed_model(x: Float[np.ndarray, "checkpoint language"], y: Float[np.ndarray, "checkpoint language"]) -> MixedModel:
    """Fit the score on the overlap, with a random intercept per language; both vary.

    statsmodels' `MixedLM` gives the ratio of the variances, and generalised least squares at that ratio the slope and
    its error. By itself statsmodels' optimiser often ends elsewhere when points are few, so it starts from the best
    ratio of a search. A ratio of 0 makes it ordinary least squares.

    Args:
        x: overlap, NaN where there is no such point.
        y: score, at the same places.

    Returns:
        The slope with its interval and p, or a note that says why the model cannot be fitted.
    """
    from scipy.stats import norm

    present = ~(np.isnan(x) | np.isnan(y))
    _, group = np.unique(np.nonzero(present)[1], return_inverse=True)
    languages = int(group.max()) + 1
    if languages < 2:
        return _unfitted("one language only")
    if len(group) < languages + 2:
        return _unfitted("too few points for a level per language, a slope and an error")
    (overlap, overlap_spread), (score, score_spread) = (_standardised(values[present]) for values in (x, y))
    points = _Points(score, np.column_stack([np.ones(len(score)), overlap]), group)
    start = points.likeliest_ratio()
    if start > LARGEST_RATIO / 2 or points.least_squares(start)[2] < _NOTHING_LEFT:
        return _unfitted("the points lie on parallel lines: no error is left to measure")
    ratio = points.fitted_ratio(start) if start else 0.0
    if ratio is None:
        return _unfitted("the fit does not converge")
    coefficients, covariance, _ = points.least_squares(ratio)
    unit = score_spread / overlap_spread
    slope, error = float(coefficients[1] * unit), float(np.sqrt(covariance[1, 1]) * unit)
    reach = float(norm.ppf((1 + LEVEL) / 2)) * error
    return MixedModel(slope, (slope - reach, slope + reach), float(2 * norm.sf(abs(slope / error))))


def _unfitted(note: str) -> MixedModel:
    return MixedModel(None, None, None, note)


def _standardised(values: Float[np.ndarray, " point"]) -> tuple[Float[np.ndarray, " point"], float]:
    spread = float(values.std())
    return (values - values.mean()) / spread, spread


@dataclass(frozen=True)
class _Points:
    """What the model is fitted to, standardised."""

    score: Float[np.ndarray, " point"]
    design: Float[np.ndarray, "point 2"]
    """A column of ones and the overlap."""
    group: Int[np.ndarray, " point"]
    """Each point's language, numbered from 0."""

    def least_squares(self, ratio: float) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, "2 2"], float]:
        """Fit generalised least squares at a ratio of the intercepts' variance to the variance within groups.

        Returns:
            Coefficients, their covariance and the variance within groups.
        """
        counts = np.bincount(self.group)
        shrinkage = ratio / (1 + ratio * counts)
        sums = np.stack([np.bincount(self.group, column) for column in (*self.design.T, self.score)], axis=1)
        full = np.column_stack([self.design, self.score])
        # The inverse of I + ratio * J of a group is I - shrinkage * J.
        products = full.T @ full - sums.T @ (shrinkage[:, None] * sums)
        inverse = np.linalg.inv(products[:2, :2])
        coefficients = inverse @ products[:2, 2]
        variance = float(products[2, 2] - coefficients @ products[:2, 2]) / (len(self.score) - 2)
        return coefficients, inverse * variance, variance

    def likelihood(self, ratio: float) -> float:
        """Return the restricted log-likelihood at a ratio, up to a constant; infinite where no error is left."""
        _, covariance, variance = self.least_squares(ratio)
        if variance < _NOTHING_LEFT:
            return np.inf
        levels = float(np.log1p(ratio * np.bincount(self.group)).sum())
        return -0.5 * (len(self.score) * float(np.log(variance)) + levels - float(np.linalg.slogdet(covariance)[1]))

    def likeliest_ratio(self) -> float:
        """Return the variance of languages' levels over that within a language at which the likelihood is largest."""
        from scipy.optimize import minimize_scalar

        def loss(logarithm: float) -> float:
            return -self.likelihood(float(np.exp(logarithm)))

        best = int(np.argmin([loss(float(position)) for position in _GRID]))
        around = _GRID[max(best - 1, 0)], _GRID[min(best + 1, len(_GRID) - 1)]
        found = minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-10})
        return float(np.exp(found.x)) if -found.fun > self.likelihood(0.0) else 0.0

    def fitted_ratio(self, start: float) -> float | None:
        """Return the ratio that statsmodels finds from this one on; None where it does not converge."""
        from statsmodels.regression.mixed_linear_model import MixedLM

        with warnings.catch_warnings():
            # They say that another optimiser is tried, or that a variance is small: neither is a failure.
            warnings.simplefilter("ignore")
            model = MixedLM(self.score, self.design, self.group)
            try:
                # The parameter is the ratio's square root.
                fitted = model.fit(start_params=[np.sqrt(start)], method=["bfgs", "powell", "cg"])
            except np.linalg.LinAlgError:
                return None
        return float(fitted.cov_re[0, 0] / fitted.scale) if fitted.converged else None
