"""Checkpoints at which overlap or transfer falls by more than the noise: the drop points of sections 4.1 and 4.3."""

from collections.abc import Sequence
from itertools import pairwise
from math import hypot, sqrt
from typing import Any, Final, Literal

import pandas as pd

from polyprobe.analysis.coefficients import TOLERANCE
from polyprobe.analysis.points import by_model, pairs_of_averages, target_scores
from polyprobe.artefacts.drops import TABLE
from polyprobe.artefacts.manifest import Manifest
from polyprobe.artefacts.scores import MAIN_METRIC

STANDARD_ERRORS: Final = 2.0
OVERLAP: Final = "overlap"
_CELL: Final = ["category", "layer"]
_PAIR: Final = ["language_a", "language_b"]


def drop_table(
    overlap: pd.DataFrame,
    transfer: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    source_language: str,
    pairs: Literal["all", "with_source"],
) -> pd.DataFrame:
    """Return the changes from each checkpoint to the next, per model, of overlap and of each task.

    Overlap is that of an average point. The noise of its change is the jackknife's over languages, of the paired
    differences. The noise of a task's change is that of two independent means over target languages, each with the mean
    of the languages' standard errors, which holds however the languages' errors are correlated.

    Args:
        overlap: the chosen rows of `plots/overlap/pairs.csv`.
        transfer: `plots/transfer.csv`.
        manifests: the checkpoints.
        source_language: left out of the target languages.
        pairs: the language pairs that an average point's overlap is taken over.

    Returns:
        Rows of `artefacts.drops.TABLE`.
    """
    averaged = pairs_of_averages(overlap, source_language, pairs)
    fixed = source_language if pairs == "with_source" else None
    targets = target_scores(transfer, source_language)
    rows: list[dict[str, Any]] = []
    for model, of_model in by_model(manifests).items():
        for series in (OVERLAP, *MAIN_METRIC):
            table = averaged if series == OVERLAP else targets[targets["task"] == series]
            known = [(found, part) for found in of_model if len(part := table[table["checkpoint"] == found.checkpoint])]
            for (earlier, before), (later, after) in pairwise(known):
                if series == OVERLAP:
                    value, change, noise = _overlap_change(before, after, fixed)
                else:
                    value, change, noise = _score_change(before, after)
                rows.append(
                    {
                        "model": model,
                        "series": series,
                        "checkpoint": later.checkpoint,
                        "step": later.step,
                        "before": earlier.checkpoint,
                        "value": value,
                        "change": change,
                        "noise": noise,
                        "drop": noise is not None and change < -(STANDARD_ERRORS * noise + TOLERANCE),
                    }
                )
    return pd.DataFrame(rows, columns=TABLE.schema.names)


def _score_change(before: pd.DataFrame, after: pd.DataFrame) -> tuple[float, float, float]:
    """Return the score after, its change and the noise of the change."""
    value = float(after["score"].mean())
    noise = hypot(*(float(part["standard_error"].mean()) for part in (before, after)))
    return value, value - float(before["score"].mean()), noise


def _overlap_change(before: pd.DataFrame, after: pd.DataFrame, fixed: str | None) -> tuple[float, float, float | None]:
    """Return the overlap after, its change and the noise of the change.

    Args:
        before: the earlier checkpoint's rows.
        after: the later checkpoint's rows.
        fixed: a language that every pair has and that stays.

    Returns:
        The three numbers; the noise is None where `_noise` is.
    """
    value = _mean_of_cells(after, OVERLAP)
    both = before.merge(after, on=[*_CELL, *_PAIR], suffixes=("_before", "_after"))
    differences = both.assign(difference=both["overlap_after"] - both["overlap_before"])
    return value, value - _mean_of_cells(before, OVERLAP), _noise(differences, fixed)


def _mean_of_cells(rows: pd.DataFrame, column: str) -> float:
    """Return the mean over categories and layers, each counting the same, however many pairs of languages have it."""
    return float(rows.groupby(_CELL, sort=False)[column].mean().mean())


def _noise(differences: pd.DataFrame, fixed: str | None) -> float | None:
    """Return the standard error of the mean difference, by the jackknife: a language is left out with all its pairs.

    Args:
        differences: per category, layer and pair of languages.
        fixed: a language that every pair has and that stays.

    Returns:
        None for fewer than three languages, or where nothing is left without one of them.
    """
    languages = [code for code in pd.unique(differences[_PAIR].to_numpy().ravel()) if code != fixed]
    if len(languages) < 3:
        return None
    means = []
    for left_out in languages:
        kept = differences[(differences[_PAIR] != left_out).all(axis=1)]
        if kept.empty:
            return None
        means.append(_mean_of_cells(kept, "difference"))
    centre = sum(means) / len(means)
    return sqrt((len(means) - 1) / len(means) * sum((mean - centre) ** 2 for mean in means))
