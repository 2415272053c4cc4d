"""`data/probes/<ckpt>.parquet`: the neurons of every probe of a checkpoint, in the order in which they were found.

`plots/probes.csv`: what the first k of them tell, for all checkpoints.
"""

from typing import Final

import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, CsvTable, ParquetTable

TABLE: Final = ParquetTable(
    "data/probes/{checkpoint}.parquet",
    layer=pa.int32(),
    language=CATEGORY,
    category=CATEGORY,
    seed=pa.int32(),
    control=CATEGORY,
    rank=pa.int32(),
    neuron=pa.int32(),
    dev_information=pa.float64(),
    dev_information_normalised=pa.float64(),
    test_information=pa.float64(),
    test_information_normalised=pa.float64(),
    test_accuracy=pa.float64(),
    test_majority=pa.float64(),
    classes=pa.int32(),
    train_words=pa.int32(),
    dev_words=pa.int32(),
    test_words=pa.int32(),
    epochs=pa.int32(),
)
"""One row per layer × language × category × seed × control × rank. rank from 0; neuron a 0-based dimension of the
hidden state; information (mutual information in bits; normalised by the label entropy) and accuracy of the first
rank + 1 neurons; test_majority: accuracy of the most frequent train label."""

PLOT: Final = CsvTable(
    "plots/probes.csv",
    checkpoint=CATEGORY,
    model=CATEGORY,
    step=pa.int64(),
    layer=pa.int32(),
    category=CATEGORY,
    control=CATEGORY,
    language=CATEGORY,
    k=pa.int32(),
    dev_information_normalised=pa.float64(),
    test_information_normalised=pa.float64(),
    test_accuracy=pa.float64(),
    test_majority=pa.float64(),
    classes=pa.int32(),
    seeds=pa.int32(),
)
"""One row per checkpoint × layer × category × control × language, averaged over seeds."""
