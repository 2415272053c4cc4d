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
        pairs=overlap.PAIRS.read(root / overlap.PAIRS.path),
        means=overlap.MEANS.read(root / overlap.MEANS.path),
        sizes=overlap.SIZES.read(root / overlap.SIZES.path),
        layers=overlap.LAYERS.read(root / overlap.LAYERS.path),
        heatmap=overlap.HEATMAP.read(root / overlap.HEATMAP.path),
        neurons=overlap.NEURONS.read(root / overlap.NEURONS.path),
        categories=overlap.CATEGORIES.read(root / overlap.CATEGORIES.path),
        transfer=scores.PLOT.read(root / scores.PLOT.path),
        points=correlation.POINTS.read(root / correlation.POINTS.path),
        cells=correlation.TABLE.read(root / correlation.TABLE.path),
        predictors=predictors.TABLE.read(root / predictors.TABLE.path),
        drops=drops.TABLE.read(root / drops.TABLE.path),
    )
