"""Is it overlap, or just a better model? Other predictors of transfer on the same points, and overlap given them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from polyprobe.analysis.correlation_table import rounded
from polyprobe.analysis.partial_correlation import partial_correlation, partial_correlations
from polyprobe.analysis.points import ALL_LANGUAGES, main_scores
from polyprobe.artefacts.correlation import Cell
from polyprobe.artefacts.predictors import PREDICTORS, TABLE
from polyprobe.running.seeds import derive_seed

LEVEL: Final = 0.95
FEWEST_CHECKPOINTS: Final = 3
PERFECT: Final = 1 - 1e-9
"""From here on a correlation is 1 up to rounding."""


def predictor_points(
    points: pd.DataFrame,
    transfer: pd.DataFrame,
    probe_summaries: pd.DataFrame,
    similarity: pd.DataFrame,
    *,
    source_language: str,
    layers: Mapping[str, Sequence[int]],
    categories: Sequence[str],
) -> pd.DataFrame:
    """Return the used points with a column for each predictor.

    Args:
        points: `plots/overlap_vs_transfer.csv`.
        transfer: `plots/transfer.csv`.
        probe_summaries: `plots/probes.csv`.
        similarity: the checkpoints' similarities, with a column `checkpoint`.
        source_language: whose own score is a predictor.
        layers: per checkpoint, those that overlap is averaged over.
        categories: those that overlap is averaged over.

    Returns:
        The points with `artefacts.predictors.PREDICTORS`, NaN where a predictor is not known.
    """
    scores = main_scores(transfer)
    source = scores[scores["language"] == source_language]
    source = source[["checkpoint", "task", "score"]].rename(columns={"score": "source_score"})
    proper = probe_summaries[(probe_summaries["control"] == "none") & probe_summaries["category"].isin(categories)]
    accuracy = _with_mean(_of_layers(proper, layers), "test_accuracy", "probe_accuracy")
    gain = similarity.assign(gain=similarity["cosine"] - similarity["mismatched"])
    alike = _with_mean(_of_layers(gain, layers), "gain", "similarity")
    # The column of an empty table has no type.
    found = points[points["used"].astype(bool)].merge(source, on=["checkpoint", "task"], how="left")
    for table in (accuracy, alike):
        found = found.merge(table, on=["checkpoint", "language"], how="left")
    return found


def _of_layers(table: pd.DataFrame, layers: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    wanted = pd.DataFrame(
        [(checkpoint, layer) for checkpoint, several in layers.items() for layer in several],
        columns=["checkpoint", "layer"],
    )
    kept: pd.DataFrame = table.astype({"checkpoint": "str", "language": "str"}).merge(
        wanted, on=["checkpoint", "layer"]
    )
    return kept


def _with_mean(table: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """Return the mean of a column per checkpoint and language; beside the languages their mean, as `all`.

    Args:
        table: with columns `checkpoint` and `language`.
        column: what is averaged.
        name: of the column of means.
    """
    of_languages = table.groupby(["checkpoint", "language"], sort=False, as_index=False)[column].mean()
    of_all = of_languages.groupby("checkpoint", sort=False, as_index=False)[column].mean()
    both = pd.concat([of_languages, of_all.assign(language=ALL_LANGUAGES)], ignore_index=True)
    renamed: pd.DataFrame = both.rename(columns={column: name})
    return renamed


def predictor_table(points: pd.DataFrame, cells: Sequence[Cell], *, resamples: int, seed: int) -> pd.DataFrame:
    """Return one row per model, task, aggregation and predictor.

    Args:
        points: from `predictor_points`.
        cells: `metrics/correlation.json`, for the judgement whether a task is at chance.
        resamples: bootstrap resamples of checkpoints and languages.
        seed: the study's.

    Returns:
        Rows of `artefacts.predictors.TABLE`.
    """
    chance = {
        (cell["model"], cell["task"], cell["aggregation"])
        for cell in cells
        if cell["category"] is None and cell["at_chance"]
    }
    rows: list[dict[str, Any]] = []
    for where, group in points.groupby(["model", "task", "aggregation"], sort=False):
        others = [name for name in PREDICTORS[1:] if group[name].notna().any()]
        for predictor in PREDICTORS:
            given = others if predictor == PREDICTORS[0] else [predictor]
            known = group[group[[predictor, *given]].notna().all(axis=1)]
            row = dict(zip(("model", "task", "aggregation"), where, strict=True)) | {
                "predictor": predictor,
                "given": " ".join(given if predictor == PREDICTORS[0] else [PREDICTORS[0]]),
                "n": len(known),
            }
            part_seed = derive_seed(seed, "predictors", *map(str, where), predictor)
            if where not in chance and known["checkpoint"].nunique() > 1:
                row |= _statistics(known, predictor, given, resamples, part_seed)
            rows.append(row)
    return pd.DataFrame(rows, columns=TABLE.schema.names)


def _statistics(
    known: pd.DataFrame, predictor: str, given: Sequence[str], resamples: int, seed: int
) -> dict[str, float | None]:
    def partials(rows: pd.DataFrame, name: str, fixed: Sequence[str]) -> float | None:
        return partial_correlation(
            rows[name].to_numpy(float), rows["score"].to_numpy(float), [rows[one].to_numpy(float) for one in fixed]
        )

    overlap_partial = partials(known, "overlap", given)
    interval = None if overlap_partial is None else _interval(known, given, resamples, seed)
    low, high = interval or (None, None)
    return {
        "r": rounded(partials(known, predictor, [])),
        "partial": rounded(overlap_partial if predictor == "overlap" else partials(known, predictor, ["overlap"])),
        "overlap_partial": rounded(overlap_partial),
        "low": rounded(low),
        "high": rounded(high),
    }


def _interval(known: pd.DataFrame, given: Sequence[str], resamples: int, seed: int) -> tuple[float, float] | None:
    """Return the interval of overlap's partial correlation, by a bootstrap over checkpoints and over languages.

    Checkpoints are drawn again with all their points, and so are languages. Languages differ in their levels by chance
    as well: checkpoints drawn alone would take the luck of seven languages for a finding (Owen 2007, "The pigeonhole
    bootstrap"). The one language of average points is always there. A resample whose few different points are perfectly
    correlated whatever they are says nothing and is left out.

    Args:
        known: the points, with all columns that are read.
        given: what is held fixed.
        resamples: how many are drawn.
        seed: of the drawing.

    Returns:
        The lower and the upper end of the 95 % interval; None for fewer than three checkpoints, or where fewer than
        half of the resamples are left.
    """
    if known["checkpoint"].nunique() < FEWEST_CHECKPOINTS:
        return None
    generator = np.random.default_rng(seed)
    times = np.ones((resamples, len(known)), dtype=np.int64)
    for name in ("checkpoint", "language"):
        group, members = pd.factorize(known[name])
        drawn = generator.integers(0, len(members), (resamples, len(members)))
        times *= (drawn[:, :, None] == np.arange(len(members))).sum(axis=1)[:, group]
    x, y, *fixed = (known[name].to_numpy(float) for name in ("overlap", "score", *given))
    found = partial_correlations(x, y, fixed, times)
    found = found[np.abs(found) < PERFECT]
    if len(found) < resamples / 2:
        return None
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
