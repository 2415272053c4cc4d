"""Neurons that the probes of two languages share (section 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from polyprobe.alignment.hypergeometric import overlap_test
from polyprobe.alignment.multiplicity import CORRECTIONS
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
    found = {name: np.asarray(of_seeds)[:, :k] for name, of_seeds in neurons.items()}
    counts = _shared_by_size(np.concatenate([*found.values()]), dimensions) if found else np.empty((0, 0, k), int)
    shared, weighted = counts[..., -1].astype(np.float64), (counts / np.arange(1, k + 1)).mean(-1)
    ends = np.cumsum([0, *map(len, found.values())])
    rows = {name: slice(start, end) for name, start, end in zip(found, ends[:-1], ends[1:], strict=True)}
    first = {name: set(of_seeds[0].tolist()) for name, of_seeds in found.items()}
    two = list(combinations(found, 2))
    p = np.array([overlap_test(len(first[a] & first[b]), k, dimensions) for a, b in two], dtype=np.float64)
    tests = dict(zip(two, zip(p.tolist(), CORRECTIONS[correction](p).tolist(), strict=True), strict=True))
    chance = k / dimensions
    # By chance the first n share n / dimensions.
    early = (k + 1) / (2 * dimensions)
    pairs = []
    for index, a in enumerate(found):
        for b in list(found)[index:]:
            same, block = a == b, (rows[a], rows[b])
            values = _pairings(shared[block], same=same)
            if len(values):
                raw, adjusted = tests.get((a, b), (None, None))
                both = float(values.mean())
                error = _error(shared[block], same=same)
                by_rank = float(_pairings(weighted[block], same=same).mean())
                pairs.append(
                    Pair(
                        a, b, k, both, both / k, error / k if error is not None else None, chance,
                        (both / k - chance) / (1 - chance), by_rank, (by_rank - early) / (1 - early),
                        () if same else tuple(sorted(first[a] & first[b])),
                        raw, adjusted, adjusted is not None and adjusted <= alpha,
                    )
                )  # fmt: skip
    return pairs


def _shared_by_size(found: Int[np.ndarray, "probe rank"], dimensions: int) -> Int[np.ndarray, "probe probe rank"]:
    """How many neurons the first 1, 2, ... of each two probes share."""
    probes, k = found.shape
    ranks = np.full((probes, dimensions), k)
    ranks[np.arange(probes)[:, None], found] = np.arange(k)
    # A neuron is shared from the later of its two ranks on.
    later = np.maximum(ranks[:, found], np.arange(k))
    places = np.arange(probes * probes).reshape(probes, probes, 1) * (k + 1) + later
    counts = np.bincount(places.ravel(), minlength=probes * probes * (k + 1))
    return counts.reshape(probes, probes, k + 1)[..., :k].cumsum(-1)


def _pairings(table: Float[np.ndarray, "one other"], *, same: bool) -> Float[np.ndarray, " pairing"]:
    """The values of all pairings of two languages' seeds, or of one language's different seeds."""
    return table[np.triu_indices(len(table), 1)] if same else table.ravel()


def _error(table: Float[np.ndarray, "one other"], *, same: bool) -> float | None:
    """Standard error of the mean over those pairings; None for too few seeds."""
    if not same:
        return standard_error_of_two(table)
    return standard_error(list(combinations(range(len(table)), 2)), _pairings(table, same=True).tolist())
