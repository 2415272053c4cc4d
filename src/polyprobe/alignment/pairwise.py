"""Neurons that the probes of two languages share (section 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from jaxtyping import Int

from polyprobe.alignment.hypergeometric import overlap_test
from polyprobe.alignment.jackknife import standard_error, standard_error_of_two
from polyprobe.alignment.multiplicity import CORRECTIONS


@dataclass(frozen=True)
class Pair:
    """Two languages, or one language under two seeds (the noise ceiling)."""

    language_a: str
    language_b: str
    k: int
    shared: float
    """Neurons in both sets, averaged over pairs of seeds."""
    overlap: float
    """shared / k."""
    standard_error: float | None
    """Of `overlap`, over seeds; None for too few of them."""
    expected: float
    """k / dimensions, the overlap of random sets."""
    corrected: float
    """(overlap - expected) / (1 - expected): 0 by chance, 1 for equal sets."""
    weighted: float
    """Overlap that counts neurons found early more: the mean of shared / size over the sets of the first 1, 2, ..., k
    (average overlap; Webber, Moffat and Zobel 2010, section 2), averaged over pairs of seeds."""
    weighted_corrected: float
    """The same, 0 by chance, 1 for equal orders."""
    p: float | None
    """Of the first seed's sets; None for the noise ceiling."""
    p_adjusted: float | None
    significant: bool


def pairwise_overlap(
    neurons: Mapping[str, Int[np.ndarray, "seed rank"]],
    k: int,
    dimensions: int,
    correction: str = "holm",
    alpha: float = 0.05,
) -> list[Pair]:
    """Compares every two languages, and each language with itself under two seeds where it has them.

    Args:
        neurons: per language and seed, neurons in the order in which they were found, at least k.
        k: the neurons of a set: the first k.
        dimensions: neurons of the layer.
        correction: a key of `CORRECTIONS`, over all pairs of two languages.
        alpha: level of `significant`.

    Returns:
        The languages' pairs in the order of `neurons`, each language's ceiling before its pairs.

    Raises:
        ValueError: fewer than k neurons, or k is the number of all (nothing is chosen then).
    """
    if k >= dimensions or any(found.shape[1] < k for found in neurons.values()):
        raise ValueError(f"expected at least {k} neurons of each language, out of more than {k}, got {dimensions}")
    sets = {name: [frozenset(one[:k].tolist()) for one in found] for name, found in neurons.items()}
    two = list(combinations(sets, 2))
    p = np.array([overlap_test(len(sets[a][0] & sets[b][0]), k, dimensions) for a, b in two], dtype=np.float64)
    tests = dict(zip(two, zip(p.tolist(), CORRECTIONS[correction](p).tolist(), strict=True), strict=True))
    pairs = []
    for index, a in enumerate(sets):
        for b in list(sets)[index:]:
            shared, error = _ceiling(sets[a]) if a == b else _shared(sets[a], sets[b])
            if shared is not None:
                raw, adjusted = tests.get((a, b), (None, None))
                chance = k / dimensions
                corrected = (shared / k - chance) / (1 - chance)
                significant = adjusted is not None and adjusted <= alpha
                error = error / k if error is not None else None
                weighted = _weighted(neurons[a][:, :k], neurons[b][:, :k], same=a == b)
                # By chance the first n share n / dimensions.
                early = (k + 1) / (2 * dimensions)
                pairs.append(
                    Pair(
                        a, b, k, shared, shared / k, error, chance, corrected,
                        weighted, (weighted - early) / (1 - early), raw, adjusted, significant,
                    )
                )  # fmt: skip
    return pairs


def _shared(one: list[frozenset[int]], other: list[frozenset[int]]) -> tuple[float | None, float | None]:
    """Neurons that two languages share, averaged over pairs of seeds, and the standard error."""
    counts = np.array([[len(first & second) for second in other] for first in one], dtype=np.float64)
    return float(counts.mean()), standard_error_of_two(counts)


def _weighted(one: Int[np.ndarray, "seed rank"], other: Int[np.ndarray, "seed rank"], *, same: bool) -> float:
    """Mean over pairs of seeds of the average overlap; of one language, over its pairs of different seeds."""
    pairings = combinations(range(len(one)), 2) if same else product(range(len(one)), range(len(other)))
    return float(np.mean([_average_overlap(one[first], other[second]) for first, second in pairings]))


def _average_overlap(one: Int[np.ndarray, " rank"], other: Int[np.ndarray, " rank"]) -> float:
    _, mine, its = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    # A neuron is shared from the later of its two ranks on.
    shared = np.bincount(np.maximum(mine, its), minlength=len(one)).cumsum()
    return float((shared / np.arange(1, len(one) + 1)).mean())


def _ceiling(sets: list[frozenset[int]]) -> tuple[float | None, float | None]:
    """Neurons that one language's seeds share; None for one seed."""
    pairings = list(combinations(range(len(sets)), 2))
    counts = [float(len(sets[first] & sets[second])) for first, second in pairings]
    return (float(np.mean(counts)) if counts else None), standard_error(pairings, counts)
