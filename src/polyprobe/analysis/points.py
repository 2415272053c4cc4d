"""The points of Figures 3 and 4: overlap of neurons beside zero-shot transfer.

*average*: one point per checkpoint, overlap averaged over language pairs, layers and categories, against the mean
score over target languages. *pairwise*: one point per checkpoint and target language, overlap of the source language
and that language averaged over layers and the categories that both have, against that language's score.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

import numpy as np
import pandas as pd

from polyprobe.artefacts.correlation import AGGREGATIONS, POINTS
from polyprobe.artefacts.manifest import Manifest
from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.running.errors import BadInputError

ALL_LANGUAGES: Final = "all"
"""Stands for the target languages together in an average point."""


def choose_overlap(
    pairs: pd.DataFrame,
    manifests: Sequence[Manifest],
    layers: Mapping[str, Sequence[int]],
    categories: Sequence[str],
    probed: Mapping[str, Collection[tuple[str, int]]],
) -> pd.DataFrame:
    """Return the rows of `plots/overlap/pairs.csv` that correlations are taken over.

    Args:
        pairs: the table.
        manifests: the checkpoints.
        layers: per checkpoint, the layers chosen.
        categories: the categories chosen.
        probed: per checkpoint, the categories and layers that the study probes there.

    Returns:
        Pairs of two different languages, probes on true labels, the chosen categories at the chosen layers; none where
        no two languages share one of the categories.

    Raises:
        BadInputError: a layer or a category is not probed at one of the checkpoints.
    """
    rows = pairs[(pairs["control"] == "none") & (pairs["language_a"] != pairs["language_b"])]
    chosen = [rows.iloc[:0]]
    for manifest in manifests:
        there, wanted = probed[manifest.checkpoint], layers[manifest.checkpoint]
        for layer, category in product(wanted, categories):
            if (category, layer) not in there:
                raise BadInputError(
                    f"params.yaml: correlate: {category} at layer {layer} is not probed at checkpoint "
                    f"{manifest.checkpoint}, expected layers and categories that every checkpoint of a model has"
                )
        at_checkpoint = rows["checkpoint"] == manifest.checkpoint
        chosen.append(rows[at_checkpoint & rows["layer"].isin(wanted) & rows["category"].isin(categories)])
    return pd.concat(chosen, ignore_index=True)


def pairs_of_averages(
    overlap: pd.DataFrame, source_language: str, pairs: Literal["all", "with_source"]
) -> pd.DataFrame:
    """Return the rows of chosen overlap that an average point is taken over.

    Args:
        overlap: the chosen rows of `plots/overlap/pairs.csv`.
        source_language: by its code.
        pairs: whether all pairs of languages count, or those with the source language.
    """
    if pairs == "all":
        return overlap
    kept: pd.DataFrame = overlap[
        (overlap["language_a"] == source_language) | (overlap["language_b"] == source_language)
    ]
    return kept


@dataclass(frozen=True)
class Part:
    """The points of the whole study, or those of one category at one layer (none where no two languages have it)."""

    category: str | None
    layer: int | None
    points: pd.DataFrame
    """`artefacts.correlation.POINTS`."""


def points_of_parts(
    overlap: pd.DataFrame,
    transfer: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    layers: Mapping[str, Sequence[int]],
    categories: Sequence[str],
    source_language: str,
    pairs: Literal["all", "with_source"],
    include_converged: Mapping[tuple[str, str], bool],
) -> list[Part]:
    """Return the points of the total, then those of each layer and category.

    Args:
        overlap: the chosen rows of `plots/overlap/pairs.csv`.
        transfer: `plots/transfer.csv`; only each task's main metric is looked at.
        manifests: the checkpoints, in the order of the points.
        layers: per checkpoint, the layers chosen.
        categories: the categories chosen.
        source_language: left out of the target languages.
        pairs: the language pairs that an average point's overlap is taken over.
        include_converged: per (task, aggregation), whether a converged model is used.
    """
    every_layer = sorted({layer for several in layers.values() for layer in several})
    places: list[tuple[str | None, int | None]] = [(None, None)]
    places += [(category, layer) for layer, category in product(every_layer, categories)]
    return [
        Part(
            category,
            layer,
            points(
                overlap if category is None else overlap[at_layer & (overlap["category"] == category)],
                transfer,
                manifests,
                source_language=source_language,
                pairs=pairs,
                include_converged=include_converged,
            ),
        )
        for category, layer in places
        for at_layer in [overlap["layer"] == layer]
    ]


def points(
    overlap: pd.DataFrame,
    transfer: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    source_language: str,
    pairs: Literal["all", "with_source"],
    include_converged: Mapping[tuple[str, str], bool],
) -> pd.DataFrame:
    """Return the points of every model, task and aggregation.

    Args:
        overlap: the chosen rows of `plots/overlap/pairs.csv`.
        transfer: `plots/transfer.csv`; only each task's main metric is looked at.
        manifests: the checkpoints, in the order of the points.
        source_language: left out of the target languages.
        pairs: the language pairs that an average point's overlap is taken over.
        include_converged: per (task, aggregation), whether a converged model is used.

    Returns:
        Rows of `artefacts.correlation.POINTS`.
    """
    targets = target_scores(transfer, source_language)[["task", "checkpoint", "language", "score"]]
    means = targets.groupby(["task", "checkpoint"], sort=False, as_index=False)["score"].mean()
    joined = {
        "average": means.assign(language=ALL_LANGUAGES).merge(
            _overlap_of_checkpoints(overlap, source_language, pairs), on=["checkpoint", "language"]
        ),
        "pairwise": targets.merge(_overlap_with_source(overlap, source_language), on=["checkpoint", "language"]),
    }
    table = pd.concat([joined[name].assign(aggregation=name) for name in AGGREGATIONS], ignore_index=True)
    table = table.merge(_described(manifests), on="checkpoint")
    included = [include_converged[where] for where in zip(table["task"], table["aggregation"], strict=True)]
    table["used"] = ~table["converged"].astype(bool) | np.array(included, dtype=bool)
    # Stable: within a checkpoint the languages keep the order of the scores, the study's.
    order = {"task": list(MAIN_METRIC), "aggregation": list(AGGREGATIONS)}
    table["task_place"], table["aggregation_place"] = (table[name].map(names.index) for name, names in order.items())
    table = table.sort_values(["model_place", "task_place", "aggregation_place", "place"], kind="stable")
    found: pd.DataFrame = table[POINTS.schema.names].reset_index(drop=True)
    return found


def target_scores(transfer: pd.DataFrame, source_language: str) -> pd.DataFrame:
    """Return the rows of `plots/transfer.csv` for each task's main metric and the target languages.

    Args:
        transfer: the table.
        source_language: left out of the target languages.
    """
    scores = main_scores(transfer)
    targets: pd.DataFrame = scores[scores["language"] != source_language]
    return targets


def main_scores(transfer: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `plots/transfer.csv` for each task's main metric."""
    scores: pd.DataFrame = transfer[transfer["metric"] == transfer["task"].map(MAIN_METRIC)]
    return scores


def _overlap_of_checkpoints(
    overlap: pd.DataFrame, source_language: str, pairs: Literal["all", "with_source"]
) -> pd.DataFrame:
    overlap = pairs_of_averages(overlap, source_language, pairs)
    # Each category and layer counts the same, however many pairs of languages have the category.
    per_cell = overlap.groupby(["checkpoint", "category", "layer"], sort=False)[["overlap", "corrected"]].mean()
    means = per_cell.groupby("checkpoint", sort=False).mean().reset_index()
    return means.assign(language=ALL_LANGUAGES)


def _overlap_with_source(overlap: pd.DataFrame, source_language: str) -> pd.DataFrame:
    first = overlap["language_a"] == source_language
    second = overlap["language_b"] == source_language
    with_source = overlap[first | second].assign(language=overlap["language_b"].where(first, overlap["language_a"]))
    grouped = with_source.groupby(["checkpoint", "language"], sort=False, as_index=False)
    means: pd.DataFrame = grouped[["overlap", "corrected"]].mean()
    return means


def _described(manifests: Sequence[Manifest]) -> pd.DataFrame:
    """Return a table of the checkpoints, with their places in the points' order.

    Returns:
        checkpoint, model, step, tokens_seen, converged, and the places of model and checkpoint.
    """
    rows = [
        (found.checkpoint, model, found.step, found.tokens_seen, found.converged, model_place, position)
        for model_place, (model, of_model) in enumerate(by_model(manifests).items())
        for position, found in enumerate(of_model)
    ]
    columns = ["checkpoint", "model", "step", "tokens_seen", "converged", "model_place", "place"]
    return pd.DataFrame(rows, columns=columns).astype({"tokens_seen": "Int64"})


def by_model(manifests: Sequence[Manifest]) -> dict[str, list[Manifest]]:
    """Return each model's checkpoints in the points' order: by step, the converged one last."""
    models: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        models.setdefault(manifest.model, []).append(manifest)
    return {
        model: sorted(of_model, key=lambda manifest: (manifest.converged, manifest.step))
        for model, of_model in models.items()
    }
