"""`plots/overlap/*.csv`: overlap of neurons, per pair of languages and averaged over pairs."""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from polyprobe.artefacts._tables import CATEGORY, read_csv, schema, write_csv

FOLDER: Final = Path("plots/overlap")
PAIRS: Final = FOLDER / "pairs.csv"
MEANS: Final = FOLDER / "means.csv"
LAYERS: Final = FOLDER / "layers.csv"
HEATMAP: Final = FOLDER / "heatmap.csv"
NEURONS: Final = FOLDER / "neurons.csv"
CATEGORIES: Final = FOLDER / "categories.csv"
SIZES: Final = FOLDER / "sizes.csv"

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

PAIRS_SCHEMA: Final = schema(
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

MEANS_SCHEMA: Final = schema(
    **_WHERE,
    k=pa.int32(),
    pairs=pa.int32(),
    overlap=pa.float64(),
    low_=pa.float64(),
    high_=pa.float64(),
    corrected=pa.float64(),
    weighted_corrected=pa.float64(),
    standard_error_=pa.float64(),
    expected=pa.float64(),
    ceiling_=pa.float64(),
    significant=pa.float64(),
)
"""One row per checkpoint × layer × category × control: means over pairs. low, high: 95 % interval of `overlap`, by
the bootstrap over languages (null below three languages); standard_error: of the mean of `corrected`, by the jackknife
over languages (pairs share languages); ceiling: mean of the diagonal; significant: share of pairs."""

SIZES_SCHEMA: Final = MEANS_SCHEMA
"""The same for every k of `overlap.k`, at the study's layers and categories; `means.csv` has the largest only."""

HEATMAP_SCHEMA: Final = schema(
    **_WHERE,
    language_x=CATEGORY,
    language_y=CATEGORY,
    overlap=pa.float64(),
    corrected=pa.float64(),
    significant=pa.bool_(),
)
"""Both triangles and the diagonal, for each model's last checkpoint at the study's layers, in every category probed
there; controls left out."""


NEURONS_SCHEMA: Final = schema(
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


CATEGORIES_SCHEMA: Final = schema(
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


def write_categories(file: Path, frame: pd.DataFrame) -> None:
    """Write the overlap of different categories.

    Args:
        file: where it goes.
        frame: the overlap, with the columns of `CATEGORIES_SCHEMA`.
    """
    write_csv(file, frame, CATEGORIES_SCHEMA)


def read_categories(file: Path = CATEGORIES) -> pd.DataFrame:
    """Read the overlap of different categories."""
    return read_csv(file, CATEGORIES_SCHEMA)


def write_neurons(file: Path, frame: pd.DataFrame) -> None:
    """Write the neurons that languages share.

    Args:
        file: where they go.
        frame: the neurons, with the columns of `NEURONS_SCHEMA`.
    """
    write_csv(file, frame, NEURONS_SCHEMA)


def read_neurons(file: Path = NEURONS) -> pd.DataFrame:
    """Read the neurons that languages share."""
    return read_csv(file, NEURONS_SCHEMA)


def write_pairs(file: Path, frame: pd.DataFrame) -> None:
    """Write the overlap per pair.

    Args:
        file: where it goes.
        frame: the overlap, with the columns of `PAIRS_SCHEMA`.
    """
    write_csv(file, frame, PAIRS_SCHEMA)


def read_pairs(file: Path = PAIRS) -> pd.DataFrame:
    """Read the overlap per pair."""
    return read_csv(file, PAIRS_SCHEMA)


def write_means(file: Path, frame: pd.DataFrame) -> None:
    """Write means over pairs.

    Args:
        file: where they go.
        frame: the means, with the columns of `MEANS_SCHEMA`.
    """
    write_csv(file, frame, MEANS_SCHEMA)


def read_means(file: Path = MEANS) -> pd.DataFrame:
    """Read means over pairs."""
    return read_csv(file, MEANS_SCHEMA)


def write_sizes(file: Path, frame: pd.DataFrame) -> None:
    """Write means over pairs for every k.

    Args:
        file: where they go.
        frame: the means, with the columns of `SIZES_SCHEMA`.
    """
    write_csv(file, frame, SIZES_SCHEMA)


def read_sizes(file: Path = SIZES) -> pd.DataFrame:
    """Read means over pairs for every k."""
    return read_csv(file, SIZES_SCHEMA)


def write_heatmap(file: Path, frame: pd.DataFrame) -> None:
    """Write the heat map's cells.

    Args:
        file: where they go.
        frame: the cells, with the columns of `HEATMAP_SCHEMA`.
    """
    write_csv(file, frame, HEATMAP_SCHEMA)


def read_heatmap(file: Path = HEATMAP) -> pd.DataFrame:
    """Read the heat map's cells."""
    return read_csv(file, HEATMAP_SCHEMA)
