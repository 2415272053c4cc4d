"""`data/transfer/<task>/<ckpt>/scores.parquet`: zero-shot scores of one checkpoint fine-tuned for one task."""

from pathlib import Path
from typing import Final

import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, CsvTable, ParquetTable

TASKS: Final = ("xnli", "pos")
MAIN_METRIC: Final = {"xnli": "accuracy", "pos": "f1"}
"""The score that is correlated with overlap, per task."""

_SCORE: Final = {
    "score": pa.float64(),
    "standard_error": pa.float64(),
    "low": pa.float64(),
    "high": pa.float64(),
    "majority": pa.float64(),
    "untrained": pa.float64(),
    "items": pa.int32(),
}

TABLE: Final = ParquetTable(
    "data/transfer/{task}/{checkpoint}/scores.parquet",
    language=CATEGORY,
    metric=CATEGORY,
    seed=pa.int32(),
    **_SCORE,
    best_step=pa.int32(),
)
"""score in [0, 1]; standard_error: binomial for xnli accuracy, of the mean over sentences for pos; low, high: the 95 %
interval of the bootstrap over test pairs (xnli) or sentences (pos); majority: the same metric for the most frequent
train label; untrained: for the frozen model with its head as initialised; items: test pairs (xnli) or words (pos);
best_step: the optimiser step whose adapter was kept."""

PLOT: Final = CsvTable(
    "plots/transfer.csv",
    checkpoint=CATEGORY,
    model=CATEGORY,
    step=pa.int64(),
    tokens_seen_=pa.int64(),
    task=CATEGORY,
    language=CATEGORY,
    metric=CATEGORY,
    **_SCORE,
    spread_=pa.float64(),
)
"""The same over all checkpoints, averaged over seeds; spread: the score's standard deviation over seeds, null for one
seed."""


def folder(task: str, checkpoint: str, root: Path = Path()) -> Path:
    """Return where one checkpoint's adapter and scores for a task lie.

    Args:
        task: one of `TASKS`.
        checkpoint: its key in params.yaml.
        root: the study's folder.
    """
    return TABLE.at(root, task=task, checkpoint=checkpoint).parent
