"""`metrics/summary.json`: the few numbers that `dvc metrics show` and `dvc exp show` print for a study."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from polyprobe.analysis.correlation_table import rounded
from polyprobe.analysis.points import by_model, target_scores
from polyprobe.artefacts.correlation import Cell
from polyprobe.artefacts.manifest import Manifest
from polyprobe.artefacts.scores import MAIN_METRIC

SIGNIFICANT_DIGITS: Final = 6


def summary(
    overlap: pd.DataFrame,
    transfer: pd.DataFrame,
    cells: Sequence[Cell],
    manifests: Sequence[Manifest],
    *,
    source_language: str,
) -> dict[str, float | None]:
    """Return nine numbers about the study's first model at its first and last checkpoint.

    Args:
        overlap: `plots/overlap/means.csv`.
        transfer: `plots/transfer.csv`.
        cells: `metrics/correlation.json`.
        manifests: the checkpoints that are in the study; there may be none.
        source_language: left out of the target languages.

    Returns:
        overlap_first, overlap_last: mean overlap over language pairs, at the study's layers and categories;
        overlap_chance: k / d; overlap_null: chance-corrected overlap of probes on shuffled labels, last checkpoint;
        ceiling_last: overlap of the same language's probes under two seeds; xnli_last, pos_last: mean zero-shot score;
        xnli_average_r, pos_average_r: Table 1's r over averages (None where transfer is at chance). A number is None
        where there is none.
    """
    # Where every checkpoint is dropped, no row is of the first or the last.
    model, ordered = next(iter(by_model(manifests).items()), (None, []))
    first, last = (ordered[0].checkpoint, ordered[-1].checkpoint) if ordered else (None, None)
    studied = overlap[overlap["studied"]]
    proper, shuffled = (studied[studied["control"] == name] for name in ("none", "shuffled_labels"))
    at_last = proper[proper["checkpoint"] == last]
    targets = target_scores(transfer, source_language)
    numbers = {
        "overlap_first": _mean(proper.loc[proper["checkpoint"] == first, "overlap"]),
        "overlap_last": _mean(at_last["overlap"]),
        "overlap_chance": _mean(at_last["expected"]),
        "overlap_null": _mean(shuffled.loc[shuffled["checkpoint"] == last, "corrected"]),
        "ceiling_last": _mean(at_last["ceiling"]),
    }
    for task in MAIN_METRIC:
        of_task = targets[(targets["task"] == task) & (targets["checkpoint"] == last)]
        numbers[f"{task}_last"] = _mean(of_task["score"])
    for task in MAIN_METRIC:
        numbers[f"{task}_average_r"] = next(
            (
                cell["r"]
                for cell in cells
                if (cell["model"], cell["task"], cell["aggregation"]) == (model, task, "average")
                and cell["category"] is None
            ),
            None,
        )
    return {name: rounded(value, SIGNIFICANT_DIGITS) for name, value in numbers.items()}


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if len(values) else None
