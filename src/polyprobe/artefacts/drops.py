"""`plots/drops.csv`: checkpoints at which overlap or transfer falls by more than the noise (sections 4.1 and 4.3)."""

from typing import Final

import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, CsvTable

TABLE: Final = CsvTable(
    "plots/drops.csv",
    model=CATEGORY,
    series=CATEGORY,
    checkpoint=CATEGORY,
    step=pa.int64(),
    before=CATEGORY,
    value=pa.float64(),
    change=pa.float64(),
    noise_=pa.float64(),
    drop=pa.bool_(),
)
"""One row per model × series × checkpoint but the first; none where a series has one checkpoint. series: `overlap`
(mean over pairs of languages, each category and layer counting the same) or a task (mean of its main score over target
languages); before: the checkpoint that comes before, of those that the series has (the converged model comes last);
value: the series' at the checkpoint; change: since the one before; noise: standard error of the change, of overlap by
the jackknife over languages (null below three), of a task from the scores' standard errors, taken for fully correlated
across languages; drop: whether the value falls by more than twice the noise."""
