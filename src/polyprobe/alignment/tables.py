"""Overlap as tables: per pair, averaged over pairs, per layer, and as heat maps."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any, Final

import pandas as pd

from polyprobe.alignment.jackknife import standard_error
from polyprobe.alignment.language_bootstrap import language_bootstrap
from polyprobe.alignment.pairwise import pairwise_overlap
from polyprobe.alignment.shared_neurons import shared_neurons

_MAP: Final = ["checkpoint", "layer", "category", "control"]
"""One heat map."""
_WHERE: Final = [
    "checkpoint", "model", "step", "tokens_seen", "layer", "depth", "studied", "category", "control",
]  # fmt: skip


def pairs_of_checkpoint(
    probes: pd.DataFrame, languages: Sequence[str], k: int, dimensions: int, correction: str, alpha: float
) -> pd.DataFrame:
    """Overlap per layer × category × control × pair of one checkpoint.

    Args:
        probes: its probes (`artefacts/probes.py`).
        languages: the order of languages in pairs.
        k: the neurons of a set.
        dimensions: neurons of a layer.
        correction: a key of `CORRECTIONS`, per heat map.
        alpha: level of `significant`.
    """
    rows: list[dict[str, Any]] = []
    chosen = probes[probes["rank"] < k].sort_values(["seed", "rank"], kind="stable")
    for (layer, category, control), cell in chosen.groupby(["layer", "category", "control"], observed=True, sort=False):
        by_language = cell.groupby("language", observed=True)["neuron"]
        found = {str(code): part.to_numpy().reshape(-1, k) for code, part in by_language}
        neurons = {code: found[code] for code in languages if code in found}
        where = {"layer": layer, "category": category, "control": control}
        rows += [where | asdict(pair) for pair in pairwise_overlap(neurons, k, dimensions, correction, alpha)]
    return pd.DataFrame(rows)


def neurons_of_checkpoint(
    probes: pd.DataFrame,
    languages: Sequence[str],
    k: int,
    dimensions: int,
    layers: Sequence[int],
    categories: Sequence[str],
) -> pd.DataFrame:
    """The neurons that several languages share, per layer × category of one checkpoint; probes on true labels.

    Args:
        probes: its probes (`artefacts/probes.py`).
        languages: their order.
        k: the neurons of a set.
        dimensions: neurons of a layer.
        layers: those looked at.
        categories: those looked at.
    """
    first = probes[(probes["control"] == "none") & (probes["seed"] == 0) & (probes["rank"] < k)]
    first = first[first["layer"].isin(layers) & first["category"].isin(categories)]
    rows: list[dict[str, Any]] = []
    for (layer, category), cell in first.groupby(["layer", "category"], observed=True, sort=False):
        sets = {str(code): set(part) for code, part in cell.groupby("language", observed=True)["neuron"]}
        neurons = {code: sets[code] for code in languages if code in sets}
        where = {"layer": layer, "category": category, "k": k}
        rows += [
            where | asdict(shared) | {"languages": " ".join(shared.languages)}
            for shared in shared_neurons(neurons, k, dimensions)
        ]
    return pd.DataFrame(rows)


def categories_of_checkpoint(
    probes: pd.DataFrame, k: int, dimensions: int, layers: Sequence[int], categories: Sequence[str]
) -> pd.DataFrame:
    """How many neurons two categories share in one and the same language, averaged over languages: what dimensions that
    attract any probe bring about. First probes on true labels.

    Args:
        probes: one checkpoint's (`artefacts/probes.py`).
        k: the neurons of a set.
        dimensions: neurons of a layer.
        layers: those looked at.
        categories: those compared, in the order of pairs.
    """
    first = probes[(probes["control"] == "none") & (probes["seed"] == 0) & (probes["rank"] < k)]
    first = first[first["layer"].isin(layers)]
    chance = k / dimensions
    rows: list[dict[str, Any]] = []
    for layer, of_layer in first.groupby("layer", sort=False):
        sets: dict[str, dict[str, set[int]]] = {}
        for (category, language), part in of_layer.groupby(["category", "language"], observed=True, sort=False)[
            "neuron"
        ]:
            sets.setdefault(str(category), {})[str(language)] = set(part)
        for one, other in combinations([name for name in categories if name in sets], 2):
            both = sorted(sets[one].keys() & sets[other].keys())
            if both:
                rate = sum(len(sets[one][code] & sets[other][code]) for code in both) / (k * len(both))
                rows.append(
                    {
                        "layer": layer,
                        "category_a": one,
                        "category_b": other,
                        "k": k,
                        "languages": len(both),
                        "overlap": rate,
                        "expected": chance,
                        "corrected": (rate - chance) / (1 - chance),
                    }
                )
    return pd.DataFrame(rows)


def join(frames: Iterable[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """The frames that are not empty, one below the other, with these columns of theirs."""
    rows = [row for frame in frames if len(frame) for row in frame[columns].to_dict("records")]
    joined = pd.DataFrame(rows, columns=columns)
    return joined.astype({"tokens_seen": "Int64"}) if "tokens_seen" in columns else joined


def means(pairs: pd.DataFrame) -> pd.DataFrame:
    """Means over the pairs of each heat map; none for a heat map of one language only."""
    rows = []
    for _, cell in pairs.groupby(_MAP, observed=True, sort=False):
        same = cell["language_a"] == cell["language_b"]
        two, one = cell[~same], cell[same]
        if len(two):
            names = list(zip(two["language_a"], two["language_b"], strict=True))
            low, high = language_bootstrap(names, two["overlap"].to_list()) or (None, None)
            rows.append(
                two.iloc[0][[*_WHERE, "k", "expected"]].to_dict()
                | {
                    "pairs": len(two),
                    "overlap": two["overlap"].mean(),
                    "low": low,
                    "high": high,
                    "corrected": two["corrected"].mean(),
                    "weighted_corrected": two["weighted_corrected"].mean(),
                    "standard_error": standard_error(names, two["corrected"].to_list()),
                    "ceiling": one["overlap"].mean() if len(one) else None,
                    "significant": two["significant"].mean(),
                }
            )
    return pd.DataFrame(rows)


def last_checkpoint(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the checkpoint with the most layers, of the highest step among several."""
    if table.empty:
        return table
    layers = table.groupby("checkpoint", sort=False)["layer"].nunique()
    steps = table.groupby("checkpoint", sort=False)["step"].max()
    last = max(layers.index, key=lambda name: (layers[name], steps[name]))
    rows: pd.DataFrame = table[table["checkpoint"] == last]
    return rows


def heatmap(pairs: pd.DataFrame) -> pd.DataFrame:
    """Both triangles and the diagonal of the last checkpoint at the study's layers and categories, no controls."""
    cells = last_checkpoint(pairs)
    cells = cells[cells["studied"].astype(bool) & (cells["control"] == "none")]
    upper = cells.rename(columns={"language_a": "language_x", "language_b": "language_y"})
    lower = cells.rename(columns={"language_a": "language_y", "language_b": "language_x"})
    return pd.concat([upper, lower[lower["language_x"] != lower["language_y"]]], ignore_index=True)
