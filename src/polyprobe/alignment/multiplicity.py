"""p-values adjusted for testing many pairs of languages at once."""

from typing import Final

import numpy as np
from jaxtyping import Float

CORRECTIONS: Final[dict[str, str | None]] = {"holm": "holm", "benjamini_yekutieli": "fdr_by", "none": None}
"""The methods of `overlap.correction` by statsmodels' names. Holm (1979) bounds the chance of any false finding,
Benjamini and Yekutieli (2001) the share of false findings, both whatever the dependence of the tests."""


def adjusted(p: Float[np.ndarray, " test"], correction: str) -> Float[np.ndarray, " test"]:
    """Return the p-values adjusted for their number.

    Args:
        p: one per test.
        correction: a key of `CORRECTIONS`.
    """
    method = CORRECTIONS[correction]
    if method is None or not len(p):
        return p.copy()
    from statsmodels.stats.multitest import multipletests

    values: Float[np.ndarray, " test"] = multipletests(p, method=method)[1]
    return values
