"""`plots/overlap/*.csv`: overlap of neurons, per pair of languages and averaged over pairs."""

from pathlib import Path
from typing import Final

import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, CsvTable

FOLDER: Final = Path("plots/overlap")

_WHERE: Final = {
    "checkpoint": CATEGORY,
    "model": CATEGORY,
    "step": pa.int64(),
    "tokens_seen_": pa.int64(),
    "layer": pa.int32(),
    "depth": pa.float64(),
    "studied": pa.bool_(),
    "category": CATEGORY,
    "control": CATEGORY,
}

PAIRS: Final = CsvTable(
    "plots/overlap/pairs.csv",
    **_WHERE,
    language_a=CATEGORY,
    language_b=CATEGORY,
    k=pa.int32(),
    shared=pa.float64(),
    overlap=pa.float64(),
    standard_error_=pa.float64(),
    expected=pa.float64(),
    corrected=pa.float64(),
    weighted=pa.float64(),
    weighted_corrected=pa.float64(),
    p_=pa.float64(),
    p_adjusted_=pa.float64(),
    significant=pa.bool_(),
    neurons_=pa.string(),
)
"""One row per checkpoint × layer × category × control × unordered pair. depth: (layer - 1) / blocks; studied: whether
layer and category are among the study's own (others are there for the layer scan); shared: mean over seed pairings;
overlap: shared / k; standard_error: of `overlap`, by the jackknife over seeds (two languages need two seeds each, the
diagonal three); expected: k / d; corrected: (overlap - expected) / (1 - expected); weighted: overlap averaged over the
first 1, 2, ..., k neurons, so that those found early count more, and corrected likewise. p: exact hypergeometric tail
of the first seed's probes. neurons: the numbers of those that the two first probes share, ascending, with blanks
between, of probes on true labels. On the diagonal (language_a = language_b) stands the noise ceiling, the overlap of
two seeds' probes, without p and neurons."""

_MEANS: Final = {
    **_WHERE,
    "k": pa.int32(),
    "pairs": pa.int32(),
    "overlap": pa.float64(),
    "low_": pa.float64(),
    "high_": pa.float64(),
    "corrected": pa.float64(),
    "weighted_corrected": pa.float64(),
    "standard_error_": pa.float64(),
    "expected": pa.float64(),
    "ceiling_": pa.float64(),
    "significant": pa.float64(),
}

MEANS: Final = CsvTable("plots/overlap/means.csv", **_MEANS)
"""One row per checkpoint × layer × category × control: means over pairs. low, high: 95 % interval of `overlap`, by
the bootstrap over languages (null below three languages); standard_error: of the mean of `corrected`, by the jackknife
over languages (pairs share languages); ceiling: mean of the diagonal; significant: share of pairs."""

LAYERS: Final = CsvTable("plots/overlap/layers.csv", **_MEANS)
"""Those of the means that are of each model's last checkpoint."""

SIZES: Final = CsvTable("plots/overlap/sizes.csv", **_MEANS)
"""The same for every k of `overlap.k`, at the study's layers and categories; `means.csv` has the largest only."""

HEATMAP: Final = CsvTable(
    "plots/overlap/heatmap.csv",
    **_WHERE,
    language_x=CATEGORY,
    language_y=CATEGORY,
    overlap=pa.float64(),
    corrected=pa.float64(),
    significant=pa.bool_(),
)
"""Both triangles and the diagonal, for each model's last checkpoint at the study's layers, in every category probed
there; controls left out."""

NEURONS: Final = CsvTable(
    "plots/overlap/neurons.csv",
    checkpoint=CATEGORY,
    model=CATEGORY,
    step=pa.int64(),
    layer=pa.int32(),
    category=CATEGORY,
    k=pa.int32(),
    neuron=pa.int32(),
    languages=pa.string(),
    found_in=pa.int32(),
    probed_in=pa.int32(),
    expected=pa.float64(),
)
"""One row per neuron that at least three languages' first probes on true labels have among their k, at the study's
layers and categories, those of most languages first. languages: their codes; found_in: how many; probed_in: languages
that have the category; expected: how many neurons of the layer would be found in as many languages by chance."""

CATEGORIES: Final = CsvTable(
    "plots/overlap/categories.csv",
    checkpoint=CATEGORY,
    model=CATEGORY,
    step=pa.int64(),
    layer=pa.int32(),
    category_a=CATEGORY,
    category_b=CATEGORY,
    k=pa.int32(),
    languages=pa.int32(),
    overlap=pa.float64(),
    expected=pa.float64(),
    corrected=pa.float64(),
)
"""One row per checkpoint × layer × unordered pair of the study's categories: the neurons that the two share within one
language (first probes on true labels), averaged over the languages that have both. A null of its own: dimensions that
attract any probe, whatever it looks for."""
