"""`data/similarity/<ckpt>.parquet`: cosine similarity of parallel sentences with the source language."""

from typing import Final

import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, ParquetTable

TABLE: Final = ParquetTable(
    "data/similarity/{checkpoint}.parquet",
    layer=pa.int32(),
    language=CATEGORY,
    pooling=CATEGORY,
    cosine=pa.float64(),
    mismatched=pa.float64(),
    precision_at_1=pa.float64(),
    pairs=pa.int32(),
)
"""cosine: mean over pairs; mismatched: mean cosine of a sentence with another one's translation (the baseline);
precision_at_1: share of the source language's sentences whose nearest neighbour is their translation. The table is
empty where the study has no parallel text."""
