"""`data/probes/<ckpt>.parquet`: the neurons of every probe of a checkpoint, in the order in which they were found.

`plots/probes.csv`: what the first k of them tell, for all checkpoints.
"""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, read_csv, read_table, schema, write_csv, write_table

FOLDER: Final = Path("data/probes")
PLOT: Final = Path("plots/probes.csv")

SCHEMA: Final = schema(
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

PLOT_SCHEMA: Final = schema(
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


def path(checkpoint: str, root: Path = Path()) -> Path:
    """Return where a checkpoint's probes lie.

    Args:
        checkpoint: its key in params.yaml.
        root: the study's folder.
    """
    return root / FOLDER / f"{checkpoint}.parquet"


def write(file: Path, frame: pd.DataFrame) -> None:
    """Write one checkpoint's probes.

    Args:
        file: where they go.
        frame: the probes, with the columns of `SCHEMA`.
    """
    write_table(file, frame, SCHEMA)


def read(file: Path) -> pd.DataFrame:
    """Read one checkpoint's probes."""
    return read_table(file, SCHEMA)


def write_plot(file: Path, frame: pd.DataFrame) -> None:
    """Write what the probes tell at every checkpoint.

    Args:
        file: where it goes.
        frame: the table, with the columns of `PLOT_SCHEMA`.
    """
    write_csv(file, frame, PLOT_SCHEMA)


def read_plot(file: Path = PLOT) -> pd.DataFrame:
    """Read what the probes tell at every checkpoint."""
    return read_csv(file, PLOT_SCHEMA)
