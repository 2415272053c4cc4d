"""Table 1 with its uncertainty: one cell per model, task and aggregation, and one per category and layer beside it."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyprobe.analysis.cluster_bootstrap import cluster_bootstrap
from polyprobe.analysis.coefficients import pearson, spearman, varies, within_checkpoints, within_languages
from polyprobe.analysis.mixed_model import mixed_model
from polyprobe.analysis.permutation import permutation_test
from polyprobe.analysis.points import Part, by_model, target_scores
from polyprobe.artefacts.correlation import AGGREGATIONS, Cell
from polyprobe.artefacts.manifest import Manifest
from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.running.seeds import derive_seed

SIGNIFICANT_DIGITS: Final = 9
STANDARD_ERRORS: Final = 2.0
"""By which a score has to be above its baseline."""

ALL_DROPPED: Final = "every checkpoint is dropped as a duplicate"
NOT_RUN: Final = "not run: no scores"
NO_SHARED_CATEGORY: Final = "no category that two languages compared here share"
NO_PAIR: Final = "no two languages compared here have the category"
NOT_WITH_SOURCE: Final = "no category that the source language and a target language share"
NO_PAIR_WITH_SOURCE: Final = "the source language and a target language do not both have the category"
CONVERGED_ONLY: Final = "no checkpoint but the converged model, which does not count here"
ONE_CHECKPOINT: Final = "one checkpoint only"
AT_CHANCE: Final = "transfer at chance: not above its baseline at most checkpoints"

_WITHHELD: Final[dict[str, Any]] = dict.fromkeys(
    (
        "r p spearman interval permutation_p smallest_p within_language within_checkpoint mixed_slope mixed_interval "
        "mixed_p mixed_note"
    ).split()
)


def correlation_table(
    parts: Sequence[Part],
    transfer: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    layers: Mapping[str, Sequence[int]],
    source_language: str,
    resamples: int,
    seed: int,
) -> list[Cell]:
    """Return the cells of `metrics/correlation.json`.

    Every model has a cell per task and aggregation for the total, whatever it lacks; one per category and layer beside
    it where the task was run. A cell that has no statistics says why.

    Args:
        parts: the points of the total and of each category and layer.
        transfer: `plots/transfer.csv`, for the judgement whether a task is at chance.
        manifests: the study's checkpoints, dropped ones too.
        layers: per checkpoint, those that are correlated.
        source_language: left out of the target languages.
        resamples: bootstrap resamples and, where they cannot be enumerated, permutations.
        seed: the study's.
    """
    targets = target_scores(transfer, source_language)
    cells = []
    for part, (model, of_model), task, aggregation in product(
        parts, by_model(manifests).items(), MAIN_METRIC, AGGREGATIONS
    ):
        kept = [about for about in of_model if not about.dropped]
        scored = targets[(targets["task"] == task) & targets["checkpoint"].isin([about.checkpoint for about in kept])]
        if part.category is not None and (
            scored.empty or all(part.layer not in layers[about.checkpoint] for about in kept)
        ):
            continue
        where = {"model": model, "task": task, "aggregation": aggregation}
        cells.append(_cell(where, part, kept, scored, resamples, seed))
    return cells


def _cell(
    where: dict[str, str], part: Part, kept: Sequence[Manifest], scored: pd.DataFrame, resamples: int, seed: int
) -> Cell:
    """Return one cell.

    Args:
        where: its model, task and aggregation.
        part: the points.
        kept: the model's checkpoints that were not dropped.
        scored: the target languages' scores at these.
        resamples: as for `correlation_table`.
        seed: the study's.
    """
    points = part.points[(part.points[list(where)] == list(where.values())).all(axis=1)]
    used = points[points["used"].astype(bool)]
    checkpoints = list(dict.fromkeys(used["checkpoint"]))
    is_at_chance = bool(checkpoints) and at_chance(scored[scored["checkpoint"].isin(checkpoints)])
    pairwise = where["aggregation"] == "pairwise"
    cell: Cell = where | {
        "category": part.category,
        "layer": part.layer,
        "score": MAIN_METRIC[where["task"]],
        "n": len(used),
        "checkpoints": len(checkpoints),
        "converged_included": any(about.converged for about in kept if about.checkpoint in checkpoints),
        "at_chance": is_at_chance,
    }
    if not checkpoints:
        return cell | _WITHHELD | {"note": _why_no_points(kept, scored, points, part, pairwise=pairwise)}
    if len(checkpoints) == 1:
        return cell | _WITHHELD | {"note": ONE_CHECKPOINT}
    if is_at_chance:
        return cell | _WITHHELD | {"note": AT_CHANCE}
    cell_seed = derive_seed(seed, "correlate", *map(str, (*where.values(), part.category, part.layer)))
    overlap, score = _matrix(used, "overlap"), _matrix(used, "score")
    return cell | _statistics(overlap, score, resamples, cell_seed, pairwise=pairwise)


def at_chance(scores: pd.DataFrame) -> bool:
    """Return whether scores are not above their baseline by two standard errors at more than half the checkpoints.

    The baseline is the better of the majority class and the untrained head. Means over languages are compared; the
    mean's standard error is the mean of the standard errors, which holds however the languages' errors are correlated
    (tests may be parallel).

    Args:
        scores: one row per checkpoint and target language (`plots/transfer.csv` for one task and metric).
    """
    baseline = scores[["majority", "untrained"]].max(axis=1)
    margin = scores["score"] - baseline - STANDARD_ERRORS * scores["standard_error"]
    above = margin.groupby(scores["checkpoint"]).mean() > 0
    return bool((~above).sum() > len(above) / 2)


def _why_no_points(
    kept: Sequence[Manifest], scored: pd.DataFrame, points: pd.DataFrame, part: Part, *, pairwise: bool
) -> str:
    if not kept:
        return ALL_DROPPED
    if scored.empty:
        return NOT_RUN
    if len(points):
        return CONVERGED_ONLY
    if part.category is None:
        return NOT_WITH_SOURCE if pairwise else NO_SHARED_CATEGORY
    return NO_PAIR_WITH_SOURCE if pairwise else NO_PAIR


def _statistics(
    x: Float[np.ndarray, "checkpoint language"],
    y: Float[np.ndarray, "checkpoint language"],
    resamples: int,
    seed: int,
    *,
    pairwise: bool,
) -> dict[str, Any]:
    present = ~(np.isnan(x) | np.isnan(y))
    if present.sum() < 3:
        return _WITHHELD | {"note": "fewer than three points"}
    for name, values in (("overlap", x), ("score", y)):
        if not varies(values[present]):
            return _WITHHELD | {"note": f"the {name} does not vary"}
    correlation = pearson(x, y)
    interval = cluster_bootstrap(x, y, resamples=resamples, seed=derive_seed(seed, "bootstrap"))
    permutation = permutation_test(x, y, resamples=resamples, seed=derive_seed(seed, "permutation"))
    mixed = mixed_model(x, y) if pairwise else None
    return _WITHHELD | {
        "r": rounded(correlation.r),
        "p": rounded(correlation.p),
        "spearman": rounded(spearman(x, y)),
        "interval": _bounds(interval),
        "permutation_p": rounded(permutation.p),
        "smallest_p": rounded(permutation.smallest_p),
        "within_language": rounded(within_languages(x, y)) if pairwise else None,
        "within_checkpoint": rounded(within_checkpoints(x, y)) if pairwise else None,
        "mixed_slope": mixed and rounded(mixed.slope),
        "mixed_interval": mixed and _bounds(mixed.interval),
        "mixed_p": mixed and rounded(mixed.p),
        "mixed_note": mixed and mixed.note,
        "note": None,
    }


def _bounds(interval: tuple[float, float] | None) -> list[float | None] | None:
    return None if interval is None else [rounded(bound) for bound in interval]


def rounded(value: float | None, digits: int = SIGNIFICANT_DIGITS) -> float | None:
    """Return the value to so many significant digits, None for None and NaN, so that files agree between machines.

    Args:
        value: the number, or None.
        digits: how many.
    """
    return None if value is None or np.isnan(value) else float(f"{value:.{digits}g}")


def _matrix(points: pd.DataFrame, column: str) -> Float[np.ndarray, "checkpoint language"]:
    down, checkpoints = pd.factorize(points["checkpoint"])
    across, languages = pd.factorize(points["language"])
    table = np.full((len(checkpoints), len(languages)), np.nan)
    table[down, across] = points[column]
    return table
