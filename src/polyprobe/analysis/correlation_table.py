"""Table 1 with its uncertainty: one cell per model, task and aggregation, and one per category and layer beside it."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyprobe.analysis._samples import varies
from polyprobe.analysis.at_chance import at_chance
from polyprobe.analysis.cluster_bootstrap import cluster_bootstrap
from polyprobe.analysis.pearson import pearson
from polyprobe.analysis.permutation import permutation_test
from polyprobe.analysis.points import Part, target_scores
from polyprobe.analysis.spearman import spearman
from polyprobe.analysis.within import within_checkpoints, within_languages
from polyprobe.artefacts.correlation import Cell
from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.running.seeds import derive_seed

SIGNIFICANT_DIGITS: Final = 9

_WITHHELD: Final[dict[str, Any]] = dict.fromkeys(
    ("r", "p", "spearman", "interval", "permutation_p", "smallest_p", "within_language", "within_checkpoint")
)


def correlation_table(
    parts: Sequence[Part],
    transfer: pd.DataFrame,
    *,
    source_language: str,
    converged: Sequence[str],
    resamples: int,
    seed: int,
) -> list[Cell]:
    """The cells of `metrics/correlation.json`.

    Args:
        parts: the points of the total and of each category and layer.
        transfer: `plots/transfer.csv`, for the judgement whether a task is at chance.
        source_language: left out of the target languages.
        converged: keys of converged checkpoints.
        resamples: bootstrap resamples and, where they cannot be enumerated, permutations.
        seed: the study's.
    """
    targets = target_scores(transfer, source_language)
    cells = []
    chances: dict[tuple[object, ...], bool] = {}
    for part in parts:
        for (model, task, aggregation), group in part.points.groupby(["model", "task", "aggregation"], sort=False):
            used = group[group["used"]]
            judged = (task, *dict.fromkeys(used["checkpoint"]))
            if judged not in chances:
                chances[judged] = at_chance(
                    targets[(targets["task"] == task) & targets["checkpoint"].isin(used["checkpoint"])]
                )
            cell: Cell = {
                "model": model,
                "task": task,
                "aggregation": aggregation,
                "category": part.category,
                "layer": part.layer,
                "score": MAIN_METRIC[str(task)],
                "n": len(used),
                "checkpoints": int(used["checkpoint"].nunique()),
                "converged_included": bool(used["checkpoint"].isin(converged).any()),
                "at_chance": chances[judged],
            }
            if chances[judged]:
                statistics = _WITHHELD | {"note": "transfer at chance: not above its baseline at most checkpoints"}
            else:
                part_seed = derive_seed(
                    seed, "correlate", *map(str, (model, task, aggregation, part.category, part.layer))
                )
                statistics = _statistics(
                    _matrix(used, "overlap"), _matrix(used, "score"), str(aggregation), resamples, part_seed
                )
            cells.append(cell | statistics)
    return cells


def _statistics(
    x: Float[np.ndarray, "checkpoint language"],
    y: Float[np.ndarray, "checkpoint language"],
    aggregation: str,
    resamples: int,
    seed: int,
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
    pairwise = aggregation == "pairwise"
    return {
        "r": rounded(correlation.r),
        "p": rounded(correlation.p),
        "spearman": rounded(spearman(x, y)),
        "interval": None if interval is None else [rounded(bound) for bound in interval],
        "permutation_p": rounded(permutation.p),
        "smallest_p": rounded(permutation.smallest_p),
        "within_language": rounded(within_languages(x, y)) if pairwise else None,
        "within_checkpoint": rounded(within_checkpoints(x, y)) if pairwise else None,
        "note": None,
    }


def rounded(value: float | None, digits: int = SIGNIFICANT_DIGITS) -> float | None:
    """The value to so many significant digits, None for None and NaN, so that files agree between machines."""
    return None if value is None or np.isnan(value) else float(f"{value:.{digits}g}")


def _matrix(points: pd.DataFrame, column: str) -> Float[np.ndarray, "checkpoint language"]:
    down, checkpoints = pd.factorize(points["checkpoint"])
    across, languages = pd.factorize(points["language"])
    table = np.full((len(checkpoints), len(languages)), np.nan)
    table[down, across] = points[column]
    return table
