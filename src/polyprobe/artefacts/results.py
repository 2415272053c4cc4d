"""Every table of a study as pandas frames, for notebooks."""

from collections.abc import Callable
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


def load(root: Path) -> dict[str, pd.DataFrame]:
    """Return those of a study's tables that are there, by name.

    The names are words, corpus, probes, similarity, scores, confusion, label_scores, overlap, overlap_means,
    overlap_sizes, shared_neurons, category_overlap, informativeness, transfer, drops, correlation, predictors, points.
    Tables that lie in one file per language, checkpoint or task come joined, with that column in front.
    """
    found: dict[str, pd.DataFrame] = {}

    def joined(
        name: str, files: list[Path], keys: Callable[[Path], dict[str, str]], read: Callable[[Path], pd.DataFrame]
    ) -> None:
        frames = [_keyed(read(file), keys(file)) for file in sorted(files)]
        if frames:
            found[name] = pd.concat(frames, ignore_index=True)

    joined("words", list((root / words.FOLDER).glob("*.parquet")), lambda file: {"language": file.stem}, words.read)
    joined(
        "probes", list((root / probes.FOLDER).glob("*.parquet")), lambda file: {"checkpoint": file.stem}, probes.read
    )
    joined(
        "similarity",
        list((root / similarity.FOLDER).glob("*.parquet")),
        lambda file: {"checkpoint": file.stem},
        similarity.read,
    )
    joined(
        "scores",
        list((root / scores.FOLDER).glob(f"*/*/{scores.NAME}")),
        lambda file: {"task": file.parent.parent.name, "checkpoint": file.parent.name},
        scores.read,
    )
    joined(
        "confusion",
        list((root / scores.FOLDER).glob(f"*/*/{confusion.NAME}")),
        lambda file: {"task": file.parent.parent.name, "checkpoint": file.parent.name},
        confusion.read,
    )
    if "confusion" in found:
        found["label_scores"] = confusion.per_label_scores(found["confusion"])
    if (root / corpus.PATH).exists():
        found["corpus"] = pd.json_normalize(corpus.read(root / corpus.PATH))
    if (root / correlation.PATH).exists():
        found["correlation"] = pd.DataFrame(correlation.read(root / correlation.PATH))
    for name, read, file in (
        ("overlap", overlap.read_pairs, overlap.PAIRS),
        ("overlap_means", overlap.read_means, overlap.MEANS),
        ("overlap_sizes", overlap.read_sizes, overlap.SIZES),
        ("shared_neurons", overlap.read_neurons, overlap.NEURONS),
        ("category_overlap", overlap.read_categories, overlap.CATEGORIES),
        ("informativeness", probes.read_plot, probes.PLOT),
        ("transfer", scores.read_plot, scores.PLOT),
        ("drops", drops.read, drops.PATH),
        ("predictors", predictors.read, predictors.PATH),
        ("points", correlation.read_points, correlation.POINTS),
    ):
        if (root / file).exists():
            found[name] = read(root / file)
    return found


def _keyed(frame: pd.DataFrame, keys: dict[str, str]) -> pd.DataFrame:
    return pd.concat({tuple(keys.values()): frame}, names=[*keys]).reset_index([*keys]).reset_index(drop=True)
