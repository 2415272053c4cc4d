"""Every table of a study as pandas frames, for notebooks."""

import re
from pathlib import Path

import pandas as pd

from polyprobe.artefacts import (
    confusion,
    corpus,
    correlation,
    drops,
    overlap,
    predictors,
    probes,
    scores,
    similarity,
    words,
)
from polyprobe.artefacts._tables import ParquetTable


def load(root: Path) -> dict[str, pd.DataFrame]:
    """Return those of a study's tables that are there, by name.

    The names are words, corpus, probes, similarity, scores, confusion, label_scores, overlap, overlap_means,
    overlap_sizes, shared_neurons, category_overlap, informativeness, transfer, drops, correlation, predictors, points.
    Tables that lie in one file per language, checkpoint or task come joined, with that column in front.
    """
    found: dict[str, pd.DataFrame] = {}
    for name, kind in (
        ("words", words.TABLE),
        ("probes", probes.TABLE),
        ("similarity", similarity.TABLE),
        ("scores", scores.TABLE),
        ("confusion", confusion.TABLE),
    ):
        if frames := _keyed(kind, root):
            found[name] = pd.concat(frames, ignore_index=True)
    if "confusion" in found:
        found["label_scores"] = confusion.per_label_scores(found["confusion"])
    if (root / corpus.TABLE.path).exists():
        found["corpus"] = pd.json_normalize(corpus.TABLE.read(root / corpus.TABLE.path))
    if (root / correlation.TABLE.path).exists():
        found["correlation"] = pd.DataFrame(correlation.TABLE.read(root / correlation.TABLE.path))
    for name, table in (
        ("overlap", overlap.PAIRS),
        ("overlap_means", overlap.MEANS),
        ("overlap_sizes", overlap.SIZES),
        ("shared_neurons", overlap.NEURONS),
        ("category_overlap", overlap.CATEGORIES),
        ("informativeness", probes.PLOT),
        ("transfer", scores.PLOT),
        ("drops", drops.TABLE),
        ("predictors", predictors.TABLE),
        ("points", correlation.POINTS),
    ):
        if (root / table.path).exists():
            found[name] = table.read(root / table.path)
    return found


def _keyed(kind: ParquetTable, root: Path) -> list[pd.DataFrame]:
    """Return the tables of a kind, sorted by path, each with its keys as columns in front."""
    names = kind.path.with_suffix("").parts
    frames = []
    for file in sorted(root.glob(re.sub(r"{\w+}", "*", str(kind.path)))):
        values = file.relative_to(root).with_suffix("").parts
        keys = {name[1:-1]: value for name, value in zip(names, values, strict=True) if name.startswith("{")}
        keyed = pd.concat({tuple(keys.values()): kind.read(file)}, names=[*keys])
        frames.append(keyed.reset_index([*keys]).reset_index(drop=True))
    return frames
