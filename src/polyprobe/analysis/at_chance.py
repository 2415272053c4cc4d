"""Whether a task's transfer is above its baseline often enough for its correlations to mean anything."""

import pandas as pd

STANDARD_ERRORS = 2.0


def at_chance(scores: pd.DataFrame) -> bool:
    """Whether the zero-shot score is not above its baseline by two standard errors at more than half the checkpoints.

    Args:
        scores: one row per checkpoint and target language (`plots/transfer.csv` for one task and metric). The baseline
            is the better of the majority class and the untrained head. Means over languages are compared; the mean's
            standard error is the mean of the standard errors, which holds however the languages' errors are correlated
            (tests may be parallel).
    """
    baseline = scores[["majority", "untrained"]].max(axis=1)
    margin = scores["score"] - baseline - STANDARD_ERRORS * scores["standard_error"]
    above = margin.groupby(scores["checkpoint"]).mean() > 0
    return bool((~above).sum() > len(above) / 2)
