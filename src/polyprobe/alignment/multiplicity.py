"""p-values adjusted for testing many pairs of languages at once, whatever the dependence of the tests."""

from typing import Final

import numpy as np
from jaxtyping import Float

CORRECTIONS: Final = ("holm", "benjamini_yekutieli", "none")
"""What `overlap.correction` may be."""


def adjusted(p: Float[np.ndarray, " test"], correction: str) -> Float[np.ndarray, " test"]:
    """Return the p-values adjusted for their number.

    Holm (1979) bounds the chance of any false finding, Benjamini and Yekutieli (2001) the share of false findings.

    Args:
        p: one per test.
        correction: one of `CORRECTIONS`.
    """
    if correction == "none" or not len(p):
        return p.copy()
    if correction == "benjamini_yekutieli":
        from scipy.stats import false_discovery_control

        controlled: Float[np.ndarray, " test"] = false_discovery_control(p, method="by")
        return controlled
    # statsmodels has Holm's, in a function that collects garbage at each call: a hundred times the work here.
    order = np.argsort(p, kind="stable")
    values = np.empty_like(p)
    values[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return values
