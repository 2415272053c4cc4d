"""How often the bootstrap's 95 % interval of r holds the true r when checkpoints are as few as a study's.

A simulated checkpoint has an overlap and a score of its own, normal and correlated; to both each language adds noise of
its own, a quarter of a point's variance. The true r is that of infinitely many such checkpoints: with a correlation of
0.8 between checkpoints it is 0.6 over pairwise points and 0.76 over averages of seven languages, about as large as the
paper's (Table 1).
"""

from math import sqrt
from typing import Final, Literal

import numpy as np
from jaxtyping import Float

from polyprobe.analysis.cluster_bootstrap import cluster_bootstrap

Aggregation = Literal["average", "pairwise"]

LANGUAGES: Final = 7
CHECKPOINT_R: Final = 0.8
NOISE: Final = 0.25
"""Share of a pairwise point's variance that the language adds at the checkpoint."""
RESAMPLES: Final = 500
"""Of the bootstrap; more of them change the measured coverage by less than its Monte Carlo error."""
STUDIES: Final = 2000
"""Simulated studies that each number of `MEASURED` is taken over."""

MEASURED: Final[dict[tuple[int, str], float]] = {
    (3, "average"): 0.5145, (3, "pairwise"): 0.6505,
    (4, "average"): 0.8005, (4, "pairwise"): 0.763,
    (5, "average"): 0.8465, (5, "pairwise"): 0.787,
    (6, "average"): 0.881, (6, "pairwise"): 0.8205,
    (7, "average"): 0.8855, (7, "pairwise"): 0.829,
    (8, "average"): 0.9, (8, "pairwise"): 0.8465,
    (9, "average"): 0.8995, (9, "pairwise"): 0.853,
    (10, "average"): 0.903, (10, "pairwise"): 0.879,
    (12, "average"): 0.9045, (12, "pairwise"): 0.872,
    (16, "average"): 0.918, (16, "pairwise"): 0.904,
    (20, "average"): 0.906, (20, "pairwise"): 0.899,
}  # fmt: skip
"""Coverage per number of checkpoints and aggregation: what `benchmarks/interval_coverage.py` prints."""


def measured_coverage(checkpoints: int, aggregation: str) -> float | None:
    """Return the share of simulated studies whose 95 % interval holds the true r; None for sizes not simulated.

    Args:
        checkpoints: of a study.
        aggregation: whether r is over averages of languages or over pairwise points.
    """
    return MEASURED.get((checkpoints, aggregation))


def true_r(aggregation: Aggregation, checkpoint_r: float = CHECKPOINT_R) -> float:
    """Return Pearson's r over infinitely many simulated checkpoints.

    Args:
        aggregation: whether r is over averages of languages or over pairwise points.
        checkpoint_r: correlation of the checkpoints' own overlap and score.
    """
    noise = NOISE / LANGUAGES if aggregation == "average" else NOISE
    return checkpoint_r * (1 - NOISE) / (1 - NOISE + noise)


def simulated_coverage(
    checkpoints: int,
    aggregation: Aggregation,
    *,
    studies: int,
    seed: int,
    checkpoint_r: float = CHECKPOINT_R,
) -> float:
    """Return the share of simulated studies of so many checkpoints whose interval holds the true r.

    Args:
        checkpoints: of a study.
        aggregation: whether r is over averages of languages or over pairwise points.
        studies: how many.
        seed: of the simulation; the bootstrap's differ from study to study.
        checkpoint_r: correlation of the checkpoints' own overlap and score.
    """
    generator = np.random.default_rng([seed, checkpoints])
    truth, held = true_r(aggregation, checkpoint_r), 0
    for study in range(studies):
        x, y = simulated_points(generator, checkpoints, aggregation, checkpoint_r)
        interval = cluster_bootstrap(x, y, resamples=RESAMPLES, seed=study)
        held += interval is not None and interval[0] <= truth <= interval[1]
    return held / studies


def simulated_points(
    generator: np.random.Generator, checkpoints: int, aggregation: Aggregation, checkpoint_r: float
) -> tuple[Float[np.ndarray, "checkpoint language"], Float[np.ndarray, "checkpoint language"]]:
    """Draw the points of a simulated study.

    Args:
        generator: of the random numbers.
        checkpoints: of the study.
        aggregation: whether points are averages of languages or pairwise.
        checkpoint_r: correlation of the checkpoints' own overlap and score.

    Returns:
        Overlap and score; those of averages stand in one column.
    """
    own = generator.normal(size=(2, checkpoints, 1))
    own[1] = checkpoint_r * own[0] + sqrt(1 - checkpoint_r**2) * own[1]
    noise = generator.normal(size=(2, checkpoints, LANGUAGES))
    points = sqrt(1 - NOISE) * own + sqrt(NOISE) * noise
    x, y = points.mean(axis=2, keepdims=True) if aggregation == "average" else points
    return x, y
