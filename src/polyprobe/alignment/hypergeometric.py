"""Is an overlap larger than that of neurons drawn at random? The exact hypergeometric test (fidelity row 21)."""

from functools import cache
from math import comb


@cache
def overlap_test(shared: int, k: int, dimensions: int) -> float:
    """Return P(X >= shared), X the number of neurons that two random sets of k neurons share.

    It is what a permutation test of the neurons' order tends to; computed in exact integers.

    Args:
        shared: neurons that the two sets share.
        k: neurons in each set.
        dimensions: neurons of the layer.

    Raises:
        ValueError: not 0 <= shared <= k <= dimensions.
    """
    if not 0 <= shared <= k <= dimensions:
        raise ValueError(f"expected 0 <= shared <= k <= dimensions, got {shared}, {k}, {dimensions}")
    return sum(comb(k, both) * comb(dimensions - k, k - both) for both in range(shared, k + 1)) / comb(dimensions, k)
