"""Overlap as tables: of one checkpoint, of all of them, averaged over pairs, and as heat maps."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Final

import pandas as pd

from polyprobe.alignment.pairwise import pairwise_overlap
from polyprobe.alignment.shared_neurons import shared_neurons
from polyprobe.artefacts import overlap
from polyprobe.artefacts import probes as probe_tables
from polyprobe.resampling import language_bootstrap, standard_error

_MAP: Final = ["checkpoint", "layer", "category", "control", "k"]
"""One heat map."""
_WHERE: Final = "checkpoint model step tokens_seen layer depth studied category control".split()


@dataclass(frozen=True)
class OverlapTables:
    """What the probes of one checkpoint share, or of several, one below the other."""

    pairs: pd.DataFrame
    """Of languages, for the largest k."""
    pairs_by_smaller_k: pd.DataFrame
    """The same for every smaller k, at the study's layers and categories."""
    shared_neurons: pd.DataFrame
    """Neurons that several languages share."""
    pairs_of_categories: pd.DataFrame
    informativeness: pd.DataFrame
    """What the k neurons tell of their category."""


def of_all_checkpoints(found: Sequence[OverlapTables]) -> OverlapTables:
    """Return the tables of several checkpoints, one below the other, with the columns of their files."""
    return OverlapTables(
        pairs=join([one.pairs for one in found], overlap.PAIRS.schema.names),
        pairs_by_smaller_k=join([one.pairs_by_smaller_k for one in found], overlap.PAIRS.schema.names),
        shared_neurons=join([one.shared_neurons for one in found], overlap.NEURONS.schema.names),
        pairs_of_categories=join([one.pairs_of_categories for one in found], overlap.CATEGORIES.schema.names),
        informativeness=join([one.informativeness for one in found], probe_tables.PLOT.schema.names),
    )


def pairs_of_checkpoint(
    probes: pd.DataFrame, languages: Sequence[str], sizes: Sequence[int], dimensions: int, correction: str, alpha: float
) -> pd.DataFrame:
    """Return the overlap per layer × category × control × pair of one checkpoint, for one k after the other.

    Args:
        probes: its probes (`artefacts/probes.py`).
        languages: the order of languages in pairs.
        sizes: every k, the neurons of a set.
        dimensions: neurons of a layer.
        correction: one of `CORRECTIONS`, per heat map.
        alpha: level of `significant`.
    """
    rows: list[dict[str, Any]] = []
    for k in sizes:
        chosen = probes[probes["rank"] < k].sort_values(["seed", "rank"], kind="stable")
        maps = chosen.groupby(["layer", "category", "control"], observed=True, sort=False)
        for (layer, category, control), cell in maps:
            by_language = cell.groupby("language", observed=True)["neuron"]
            found = {str(code): part.to_numpy().reshape(-1, k) for code, part in by_language}
            neurons = {code: found[code] for code in languages if code in found}
            where = {"layer": layer, "category": category, "control": control}
            for pair in pairwise_overlap(neurons, k, dimensions, correction, alpha):
                shared = " ".join(map(str, pair.neurons)) if control == "none" else ""
                rows.append(where | vars(pair) | {"neurons": shared or None})
    return pd.DataFrame(rows)


def add_depth(
    pairs: pd.DataFrame, tokens_seen: int | None, available: int, layers: Sequence[int], categories: Sequence[str]
) -> pd.DataFrame:
    """Return one checkpoint's pairs with tokens_seen, depth and studied beside them.

    Args:
        pairs: of `pairs_of_checkpoint`.
        tokens_seen: of the checkpoint.
        available: layers of its model, the embedding output counted.
        layers: the study's own.
        categories: the study's own.
    """
    if pairs.empty:
        return pairs
    return pairs.assign(
        tokens_seen=tokens_seen,
        depth=(pairs["layer"] - 1) / (available - 1),
        studied=pairs["layer"].isin(layers) & pairs["category"].isin(categories),
    )


def neurons_of_checkpoint(
    probes: pd.DataFrame,
    languages: Sequence[str],
    k: int,
    dimensions: int,
    layers: Sequence[int],
    categories: Sequence[str],
) -> pd.DataFrame:
    """Return the neurons that several languages share, per layer × category of one checkpoint; probes on true labels.

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
    """Return how many neurons two categories share in one and the same language, averaged over languages.

    That is what dimensions that attract any probe bring about. Of first probes on true labels.

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
        sets = _sets_by_category(of_layer)
        for one, other in combinations([name for name in categories if name in sets], 2):
            both = sorted(sets[one].keys() & sets[other].keys())
            if not both:
                continue
            shared = sum(len(sets[one][language] & sets[other][language]) for language in both)
            rate = shared / (k * len(both))
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


def _sets_by_category(probes: pd.DataFrame) -> dict[str, dict[str, set[int]]]:
    """Return the neurons of each language, by category."""
    sets: dict[str, dict[str, set[int]]] = {}
    for (category, language), cell in probes.groupby(["category", "language"], observed=True, sort=False):
        sets.setdefault(str(category), {})[str(language)] = set(cell["neuron"])
    return sets


def join(frames: Iterable[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Return the frames that are not empty, one below the other, with these columns of theirs.

    Args:
        frames: tables with these columns and maybe more.
        columns: those kept, in their order.
    """
    rows = [row for frame in frames if len(frame) for row in frame[columns].to_dict("records")]
    joined = pd.DataFrame(rows, columns=columns)
    return joined.astype({"tokens_seen": "Int64"}) if "tokens_seen" in columns else joined


def means(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return means over the pairs of each heat map; none for a heat map of one language only."""
    pairs = pairs.reset_index(drop=True)
    where = pairs[[*_WHERE, "k", "expected"]]
    of_one_language = pairs["language_a"].astype(str) == pairs["language_b"].astype(str)
    # Numbers alone are grouped: to slice columns of texts as well takes longer than all else here.
    rates = pairs[["overlap", "corrected", "weighted_corrected", "significant"]].astype(float)
    rows = []
    for _, cell in rates.groupby([pairs[name] for name in _MAP], observed=True, sort=False):
        same = of_one_language[cell.index]
        ceiling, between = cell[same], cell[~same]
        if between.empty:
            continue
        languages = list(pairs.loc[between.index, ["language_a", "language_b"]].itertuples(index=False, name=None))
        low, high = language_bootstrap(languages, between["overlap"].to_list()) or (None, None)
        rows.append(
            where.loc[between.index[0]].to_dict()
            | {
                "pairs": len(between),
                "overlap": between["overlap"].mean(),
                "low": low,
                "high": high,
                "corrected": between["corrected"].mean(),
                "weighted_corrected": between["weighted_corrected"].mean(),
                "standard_error": standard_error(languages, between["corrected"].to_list()),
                "ceiling": ceiling["overlap"].mean() if len(ceiling) else None,
                "significant": between["significant"].mean(),
            }
        )
    return pd.DataFrame(rows)


def last_checkpoints(pairs: pd.DataFrame, converged: Collection[str]) -> list[str]:
    """Return each model's last checkpoint.

    That is the one with the most layers; among several the converged model, or else that of the highest step.

    Args:
        pairs: of all checkpoints.
        converged: the checkpoints that are converged models.
    """
    last = []
    for _, of_model in pairs.groupby("model", observed=True, sort=False):
        checkpoints = of_model.groupby("checkpoint", observed=True, sort=False)
        layers, steps = checkpoints["layer"].nunique(), checkpoints["step"].first()
        last.append(max(layers.index, key=lambda name: (layers[name], name in converged, steps[name])))
    return last


def heatmap(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return both triangles and the diagonal at the study's layers, in every category probed there; no controls."""
    # Layers at which some category is studied; they differ between models of different depth.
    layers = pairs.astype({"studied": bool}).groupby(["checkpoint", "layer"])["studied"].transform("any")
    cells = pairs[layers.astype(bool) & (pairs["control"] == "none")]
    upper = cells.rename(columns={"language_a": "language_x", "language_b": "language_y"})
    lower = cells.rename(columns={"language_a": "language_y", "language_b": "language_x"})
    return pd.concat([upper, lower[lower["language_x"] != lower["language_y"]]], ignore_index=True)
