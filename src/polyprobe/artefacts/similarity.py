"""`data/similarity/<ckpt>.parquet`: cosine similarity of parallel sentences with the source language."""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, read_table, schema, write_table

FOLDER: Final = Path("data/similarity")

SCHEMA: Final = schema(
    layer=pa.int32(),
    language=CATEGORY,
    pooling=CATEGORY,
    cosine=pa.float64(),
    mismatched=pa.float64(),
    precision_at_1=pa.float64(),
    pairs=pa.int32(),
)
"""cosine: mean over pairs; mismatched: mean cosine of a sentence with another one's translation (the baseline);
precision_at_1: share of the source language's sentences whose nearest neighbour is their translation."""


def path(checkpoint: str) -> Path:
    """Return where one checkpoint's similarities lie."""
    return FOLDER / f"{checkpoint}.parquet"


def write(file: Path, frame: pd.DataFrame) -> None:
    """Write one checkpoint's similarities (an empty table where the study has no parallel text).

    Args:
        file: where they go.
        frame: the similarities, with the columns of `SCHEMA`.
    """
    write_table(file, frame, SCHEMA)


def read(file: Path) -> pd.DataFrame:
    """Read one checkpoint's similarities."""
    return read_table(file, SCHEMA)
