"""The tables that figures are drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from polyprobe.artefacts import correlation, drops, overlap, predictors, scores
from polyprobe.artefacts.correlation import Cell


@dataclass(frozen=True)
class Tables:
    """One study's tables and the order of its languages."""

    languages: Sequence[str]
    source_language: str
    pairs: pd.DataFrame
    """`plots/overlap/pairs.csv`."""
    means: pd.DataFrame
    """`plots/overlap/means.csv`."""
    sizes: pd.DataFrame
    """`plots/overlap/sizes.csv`."""
    layers: pd.DataFrame
    """`plots/overlap/layers.csv`."""
    heatmap: pd.DataFrame
    """`plots/overlap/heatmap.csv`."""
    neurons: pd.DataFrame
    """`plots/overlap/neurons.csv`."""
    categories: pd.DataFrame
    """`plots/overlap/categories.csv`."""
    transfer: pd.DataFrame
    """`plots/transfer.csv`."""
    points: pd.DataFrame
    """`plots/overlap_vs_transfer.csv`."""
    cells: Sequence[Cell]
    """`metrics/correlation.json`."""
    predictors: pd.DataFrame
    """`plots/predictors.csv`."""
    drops: pd.DataFrame
    """`plots/drops.csv`."""


def read_tables(languages: Sequence[str], source_language: str, root: Path = Path()) -> Tables:
    """Read the tables of the study in `root`.

    Args:
        languages: all languages of the study, in its order.
        source_language: one of them.
        root: the study's folder.

    Raises:
        BadInputError: a table is missing or is not what its schema says.
    """
    return Tables(
        languages=languages,
        source_language=source_language,
        pairs=overlap.read_pairs(root / overlap.PAIRS),
        means=overlap.read_means(root / overlap.MEANS),
        sizes=overlap.read_sizes(root / overlap.SIZES),
        layers=overlap.read_means(root / overlap.LAYERS),
        heatmap=overlap.read_heatmap(root / overlap.HEATMAP),
        neurons=overlap.read_neurons(root / overlap.NEURONS),
        categories=overlap.read_categories(root / overlap.CATEGORIES),
        transfer=scores.read_plot(root / scores.PLOT),
        points=correlation.read_points(root / correlation.POINTS),
        cells=correlation.read(root / correlation.PATH),
        predictors=predictors.read(root / predictors.PATH),
        drops=drops.read(root / drops.PATH),
    )
