"""`metrics/correlation.json` and `plots/overlap_vs_transfer.csv`: overlap against transfer (Table 1, Figures 3 and 4).

`correlation.json` is a list of objects, one per model × task × aggregation for the total (category and layer null), and
one per category and layer beside it where the task was run. Each has score (the metric), n, checkpoints,
converged_included and at_chance; then r, p, spearman, interval [low, high], permutation_p, smallest_p, within_language,
within_checkpoint; then a mixed model with a random intercept per language: mixed_slope (score per unit of overlap),
mixed_interval [low, high], mixed_p (of pairwise cells; it takes the points of a language for independent, though those
of one checkpoint are not, so that its p is too small), mixed_note, which says why it was not fitted. All of these are
null where they cannot be had or are withheld, and note says why. A cell without points has n 0.

`metrics/summary.json` is a flat dict of the study's few numbers, the only file that `dvc metrics` shows.
"""

from typing import Final

import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, CsvTable, Entry, JsonFile

AGGREGATIONS: Final = ("average", "pairwise")

Cell = Entry

TABLE: Final = JsonFile[list[Cell]]("metrics/correlation.json", stage="correlate")

SUMMARY: Final = JsonFile[dict[str, float | None]]("metrics/summary.json", stage="correlate")
"""By name; None for a number that cannot be had."""

POINTS: Final = CsvTable(
    "plots/overlap_vs_transfer.csv",
    model=CATEGORY,
    task=CATEGORY,
    aggregation=CATEGORY,
    checkpoint=CATEGORY,
    step=pa.int64(),
    tokens_seen_=pa.int64(),
    language=CATEGORY,
    overlap=pa.float64(),
    corrected=pa.float64(),
    score=pa.float64(),
    used=pa.bool_(),
)
"""One point per checkpoint (average; language is `all`) or per checkpoint and target language (pairwise). used:
whether it is among the n points that r is taken over (the converged model may not be)."""
