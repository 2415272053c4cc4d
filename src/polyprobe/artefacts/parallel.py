"""`data/parallel.parquet`: the parallel sentences, one row per sentence and language, aligned by `pair`."""

from typing import Final

import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, ParquetTable

TABLE: Final = ParquetTable(
    "data/parallel.parquet", pair=pa.int32(), sent_id=pa.string(), language=CATEGORY, text=pa.string()
)
"""Pairs are numbered from 0; those of a target language are there in the source language too, where it has any. The
table is empty where the study has no parallel text."""
