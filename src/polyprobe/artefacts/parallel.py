"""`data/parallel.parquet`: the parallel sentences, one row per sentence and language, aligned by `pair`."""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, read_table, schema, write_table

PATH: Final = Path("data/parallel.parquet")

SCHEMA: Final = schema(pair=pa.int32(), sent_id=pa.string(), language=CATEGORY, text=pa.string())
"""Pairs are numbered from 0; those of a target language are there in the source language too, where it has any."""


def write(file: Path, frame: pd.DataFrame) -> None:
    """Write the parallel sentences (an empty table where the study has none).

    Args:
        file: where they go.
        frame: the sentences, with the columns of `SCHEMA`.
    """
    write_table(file, frame, SCHEMA)


def read(file: Path = PATH) -> pd.DataFrame:
    """Read the parallel sentences."""
    return read_table(file, SCHEMA)
