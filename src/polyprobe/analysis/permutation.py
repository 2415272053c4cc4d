"""A permutation test of r that moves whole checkpoints.

One permutation of the checkpoints is applied to all languages at once. Permuting each language by itself would break
the dependence that the points of one checkpoint have under the null as well, and rejects a true null a third of the
time.
"""

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
from jaxtyping import Float

from polyprobe.analysis.coefficients import TOLERANCE, correlations

ENUMERABLE_CHECKPOINTS = 8
"""Up to this many checkpoints every permutation is tried (8! = 40,320)."""


@dataclass(frozen=True)
class Permutation:
    """A permutation test."""

    p: float
    """Two-sided: share of permutations with an |r| at least as large, the one observed counted."""
    smallest_p: float
    """The smallest p that this many checkpoints (or resamples) can give."""


def permutation_test(
    x: Float[np.ndarray, "checkpoint language"],
    y: Float[np.ndarray, "checkpoint language"],
    *,
    resamples: int,
    seed: int,
) -> Permutation:
    """Test Pearson's r by exchanging the checkpoints' scores, all languages of a checkpoint together.

    Args:
        x: overlap, NaN where there is no such point.
        y: score, at the same places.
        resamples: permutations drawn at random where there are more than eight checkpoints; up to eight, every
            permutation is tried.
        seed: of the drawing.
    """
    checkpoints = len(x)
    if checkpoints <= ENUMERABLE_CHECKPOINTS:
        permuted = np.array(list(permutations(range(checkpoints))))
        smallest = 1 / factorial(checkpoints)
    else:
        generator = np.random.default_rng(seed)
        drawn = generator.permuted(np.tile(np.arange(checkpoints), (resamples, 1)), axis=1)
        permuted = np.vstack([np.arange(checkpoints), drawn])
        smallest = 1 / (resamples + 1)
    fixed = np.broadcast_to(x.reshape(1, -1), (len(permuted), x.size))
    found = np.abs(correlations(fixed, y[permuted].reshape(len(permuted), -1)))
    # Where languages lack points a permutation may leave nothing that varies: it counts as no larger.
    extreme = np.nan_to_num(found, nan=0.0) >= found[0] - TOLERANCE
    return Permutation(p=float(extreme.mean()), smallest_p=smallest)
