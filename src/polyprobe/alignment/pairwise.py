"""Neurons that the probes of two languages share (section 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from polyprobe.alignment.hypergeometric import overlap_test
from polyprobe.alignment.multiplicity import adjusted
from polyprobe.resampling import standard_error, standard_error_of_two


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
    neurons: tuple[int, ...]
    """The numbers of those in both first seeds' sets, ascending; none for the noise ceiling."""
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
    """Compare every two languages, and each language with itself under two seeds where it has them.

    Args:
        neurons: per language and seed, neurons in the order in which they were found, at least k.
        k: the neurons of a set: the first k.
        dimensions: neurons of the layer.
        correction: one of `CORRECTIONS`, over all pairs of two languages.
        alpha: level of `significant`.

    Returns:
        The languages' pairs in the order of `neurons`, each language's ceiling before its pairs.

    Raises:
        ValueError: a language has fewer than k neurons, or k is not below `dimensions` (nothing is chosen then).
    """
    if k >= dimensions or any(found.shape[1] < k for found in neurons.values()):
        raise ValueError(f"expected at least {k} neurons of each language, out of more than {k}, got {dimensions}")
    if not neurons:
        return []
    sets = {language: np.asarray(of_seeds)[:, :k] for language, of_seeds in neurons.items()}
    seeds = _rows_by_language(sets)
    by_size = _shared_by_size(np.concatenate(list(sets.values())), dimensions)
    shared = by_size[..., -1].astype(np.float64)
    weighted = (by_size / np.arange(1, k + 1)).mean(-1)
    tests = _tests_of_first_seeds(sets, k, dimensions, correction)
    chance = k / dimensions
    # By chance the first n share n / dimensions.
    weighted_chance = (k + 1) / (2 * dimensions)
    pairs = []
    for a, b in combinations_with_replacement(sets, 2):
        if a == b and len(sets[a]) < 2:
            continue
        of_pair = shared[seeds[a], seeds[b]]
        mean = float(_pairings(of_pair, same=a == b).mean())
        weighted_mean = float(_pairings(weighted[seeds[a], seeds[b]], same=a == b).mean())
        error = _standard_error(of_pair, same=a == b)
        test = tests.get((a, b), _UNTESTED)
        pairs.append(
            Pair(
                language_a=a,
                language_b=b,
                k=k,
                shared=mean,
                overlap=mean / k,
                standard_error=None if error is None else error / k,
                expected=chance,
                corrected=(mean / k - chance) / (1 - chance),
                weighted=weighted_mean,
                weighted_corrected=(weighted_mean - weighted_chance) / (1 - weighted_chance),
                neurons=test.neurons,
                p=test.p,
                p_adjusted=test.p_adjusted,
                significant=test.p_adjusted is not None and test.p_adjusted <= alpha,
            )
        )
    return pairs


def _rows_by_language(sets: Mapping[str, Int[np.ndarray, "seed rank"]]) -> dict[str, slice]:
    """Return which rows each language's seeds have where all are one below the other."""
    ends = np.cumsum([len(of_seeds) for of_seeds in sets.values()]).tolist()
    return {language: slice(end - len(sets[language]), end) for language, end in zip(sets, ends, strict=True)}


def _shared_by_size(found: Int[np.ndarray, "probe rank"], dimensions: int) -> Int[np.ndarray, "probe probe rank"]:
    """Return how many neurons the first 1, 2, ... of each two probes share."""
    probes, k = found.shape
    ranks = np.full((probes, dimensions), k)
    ranks[np.arange(probes)[:, None], found] = np.arange(k)
    # A neuron is shared from the later of its two ranks on.
    later = np.maximum(ranks[:, found], np.arange(k))
    cells = np.arange(probes * probes).reshape(probes, probes, 1) * (k + 1) + later
    counts = np.bincount(cells.ravel(), minlength=probes * probes * (k + 1))
    return counts.reshape(probes, probes, k + 1)[..., :k].cumsum(-1)


@dataclass(frozen=True)
class _Test:
    """Whether two languages' first seeds share more than by chance."""

    neurons: tuple[int, ...]
    p: float | None
    p_adjusted: float | None


_UNTESTED: Final = _Test((), None, None)


def _tests_of_first_seeds(
    sets: Mapping[str, Int[np.ndarray, "seed rank"]], k: int, dimensions: int, correction: str
) -> dict[tuple[str, str], _Test]:
    first = {language: set(of_seeds[0].tolist()) for language, of_seeds in sets.items()}
    neurons = {(a, b): tuple(sorted(first[a] & first[b])) for a, b in combinations(sets, 2)}
    p = np.array([overlap_test(len(both), k, dimensions) for both in neurons.values()], dtype=np.float64)
    p_adjusted = adjusted(p, correction)
    return {
        pair: _Test(both, float(p[number]), float(p_adjusted[number]))
        for number, (pair, both) in enumerate(neurons.items())
    }


def _pairings(table: Float[np.ndarray, "one other"], *, same: bool) -> Float[np.ndarray, " pairing"]:
    """Return the values of all pairings of two languages' seeds, or of one language's different seeds."""
    return table[np.triu_indices(len(table), 1)] if same else table.ravel()


def _standard_error(table: Float[np.ndarray, "one other"], *, same: bool) -> float | None:
    """Return the standard error of the mean over those pairings; None for too few seeds."""
    if not same:
        return standard_error_of_two(table)
    return standard_error(list(combinations(range(len(table)), 2)), _pairings(table, same=True).tolist())
