"""What the map of pairs chooses from: every checkpoint, layer and category, with the neurons that a pair shares."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from polyprobe.artefacts.dimensions import short_name
from polyprobe.figures import pairwise_heatmap


def explorer(pairs: pd.DataFrame, languages: Sequence[str]) -> dict[str, Any] | None:
    """Return what the page's script needs for the map of pairs; None without any pair.

    Args:
        pairs: `plots/overlap/pairs.csv`.
        languages: in the order of rows and columns.

    Returns:
        languages, maps (as `maps` returns them), start (checkpoint, layer and category of the map to begin with), and
        specification (the chart).
    """
    found = maps(pairs, languages)
    if not found:
        return None
    studied = [one for one in found if one["studied"]] or found
    last = [one for one in studied if one["checkpoint"] == studied[-1]["checkpoint"]]
    start = {name: str(last[0][name]) for name in ("checkpoint", "layer", "category")}
    return {
        "languages": list(languages),
        "maps": found,
        "start": start,
        "specification": pairwise_heatmap.chart_of_map(languages),
    }


def maps(pairs: pd.DataFrame, languages: Sequence[str]) -> list[dict[str, Any]]:
    """Return one object per checkpoint × layer × category of probes on true labels.

    Args:
        pairs: `plots/overlap/pairs.csv`.
        languages: in the order that places count.

    Returns:
        Objects of model, checkpoint, layer, category (short name), k, expected (overlap by chance), studied, and cells:
        [place of one language, place of the other, overlap, adjusted p, significant (0 or 1), neurons].
    """
    index = {code: number for number, code in enumerate(languages)}
    proper = pairs[pairs["control"] == "none"]
    found = []
    columns = ["language_a", "language_b", "overlap", "p_adjusted", "significant", "neurons"]
    for (checkpoint, _, category), cell in proper.groupby(["checkpoint", "layer", "category"], sort=False):
        first = cell.iloc[0]
        found.append(
            {
                "model": str(first["model"]),
                "checkpoint": str(checkpoint),
                "layer": int(first["layer"]),
                "category": short_name(str(category)),
                "k": int(first["k"]),
                "expected": _short(first["expected"]),
                "studied": bool(first["studied"]),
                "cells": [
                    [
                        index[a],
                        index[b],
                        _short(rate),
                        _short(p),
                        int(significant),
                        "" if pd.isna(shared) else shared,
                    ]
                    for a, b, rate, p, significant, shared in cell[columns].itertuples(index=False)
                ],
            }
        )
    return found


def _short(value: float | None) -> float | None:
    return None if value is None or pd.isna(value) else float(f"{value:.4g}")
