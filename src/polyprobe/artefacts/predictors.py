"""`plots/predictors.csv`: what else predicts transfer on the points of Table 1, and what overlap adds to it."""

from typing import Final

import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, CsvTable

PREDICTORS: Final = ("overlap", "similarity", "probe_accuracy", "source_score")
"""overlap of neurons; similarity of parallel sentences (mean cosine above that of mismatched pairs); test accuracy of
the probes; the source language's own score at the task. Averaged over the layers and categories of overlap; an average
point's is the mean over languages."""

TABLE: Final = CsvTable(
    "plots/predictors.csv",
    model=CATEGORY,
    task=CATEGORY,
    aggregation=CATEGORY,
    predictor=CATEGORY,
    given=pa.string(),
    n=pa.int32(),
    r_=pa.float64(),
    partial_=pa.float64(),
    overlap_partial_=pa.float64(),
    low_=pa.float64(),
    high_=pa.float64(),
)
"""One row per model × task × aggregation × predictor. n: points that have all that the row needs; r: Pearson's, of the
predictor and the score; partial: the same with `given` held fixed (overlap's row: all other predictors that are known;
the others': overlap); overlap_partial: overlap's, with the row's predictor held fixed (overlap's row: as partial); low,
high: its 95 % interval, by the bootstrap over checkpoints and (pairwise) languages, of the resamples with enough
different points for a correlation that is not perfect whatever they are (null where these are fewer than half). Null
where transfer is at chance, of one checkpoint, or where it cannot be had. A model, task and aggregation without points
has no rows."""
