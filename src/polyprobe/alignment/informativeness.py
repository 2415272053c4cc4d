"""What the k neurons whose overlap is measured tell of their category, on words that no probe has seen."""

import pandas as pd

_SCORES = ("dev_information_normalised", "test_information_normalised", "test_accuracy", "test_majority")


def informativeness(probes: pd.DataFrame, k: int) -> pd.DataFrame:
    """Return scores of the first k neurons per layer × category × control × language, averaged over seeds.

    Args:
        probes: one checkpoint's probes (`artefacts/probes.py`).
        k: the neurons of a set.

    Returns:
        One row each: the scores, and beside them how many seeds and classes there are, and k.
    """
    chosen = probes[probes["rank"] == k - 1]
    keys = ["layer", "category", "control", "language"]
    grouped = chosen.groupby(keys, observed=True, sort=False)
    table = grouped[[*_SCORES]].mean()
    table["seeds"] = grouped.size()
    table["classes"] = grouped["classes"].first()
    return table.reset_index().assign(k=k)
