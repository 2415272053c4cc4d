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

import json
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from polyprobe.artefacts._entries import Entry, read_entries
from polyprobe.artefacts._tables import CATEGORY, read_csv, schema, write_csv
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import write_json

PATH: Final = Path("metrics/correlation.json")
SUMMARY: Final = Path("metrics/summary.json")
POINTS: Final = Path("plots/overlap_vs_transfer.csv")
AGGREGATIONS: Final = ("average", "pairwise")

POINTS_SCHEMA: Final = schema(
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

Cell = Entry


def write(file: Path, cells: list[Cell]) -> None:
    """Write the table's cells in their order.

    Args:
        file: where they go.
        cells: the objects of `correlation.json`.
    """
    write_json(file, cells)


def read(file: Path = PATH) -> list[Cell]:
    """Read the table's cells."""
    return read_entries(file, "correlate")


def write_points(file: Path, frame: pd.DataFrame) -> None:
    """Write the points.

    Args:
        file: where they go.
        frame: the points, with the columns of `POINTS_SCHEMA`.
    """
    write_csv(file, frame, POINTS_SCHEMA)


def read_points(file: Path = POINTS) -> pd.DataFrame:
    """Read the points."""
    return read_csv(file, POINTS_SCHEMA)


def write_summary(file: Path, numbers: dict[str, float | None]) -> None:
    """Write the study's few numbers.

    Args:
        file: where they go.
        numbers: by name; None for one that cannot be had.
    """
    write_json(file, numbers)


def read_summary(file: Path = SUMMARY) -> dict[str, float | None]:
    """Read the study's few numbers.

    Returns:
        By name; None for one that cannot be had.

    Raises:
        BadInputError: there is no such file.
    """
    if not file.exists():
        raise BadInputError(f"{file}: no such file; has correlate been run?")
    numbers: dict[str, float | None] = json.loads(file.read_text(encoding="utf-8"))
    return numbers
