"""Appendix B.1: the overlap of each pair of languages at the last checkpoint, with significance marks."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts.dimensions import short_name
from polyprobe.figures.style import panels, styled
from polyprobe.figures.tables import Tables

NAME: Final = "pairwise_heatmap"
TITLE: Final = "Overlap of each pair of languages"
READING: Final = (
    "The last checkpoint, one map per category and layer: the darker, the more neurons two languages share. An orange "
    "dot marks an overlap that is significant after the correction for many pairs. The diagonal is the noise ceiling: "
    "the overlap of the same language's probe under two seeds."
)


def data(tables: Tables) -> pd.DataFrame:
    """model, checkpoint, category (short name), layer, language_x, language_y, overlap, significant."""
    columns = ["model", "checkpoint", "category", "layer", "language_x", "language_y", "overlap", "significant"]
    rows = tables.heatmap[columns]
    return rows.assign(category=rows["category"].map(short_name)).reset_index(drop=True)


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """One row per category, one column per model and layer."""
    with styled():
        categories = list(dict.fromkeys(data["category"]))
        places = sorted(set(zip(data["model"], data["layer"], strict=True)))
        size = 0.9 + 0.2 * len(tables.languages)
        figure, axes = panels(len(categories), len(places), width=size, height=size, legend_width=0.8)
        image = None
        for category, row in zip(categories, axes, strict=True):
            for (model, layer), panel in zip(places, row, strict=True):
                rows = data[(data["category"] == category) & (data["model"] == model) & (data["layer"] == layer)]
                codes = [code for code in tables.languages if code in set(rows["language_x"])]
                place = {code: index for index, code in enumerate(codes)}
                rates = np.full((len(codes), len(codes)), np.nan)
                across, down = rows["language_x"].map(place), rows["language_y"].map(place)
                rates[down, across] = rows["overlap"]
                image = panel.imshow(rates, cmap="Blues", vmin=0, vmax=1)
                marked = rows["significant"].to_numpy(dtype=bool)
                panel.plot(
                    across[marked],
                    down[marked],
                    linestyle="",
                    marker="o",
                    markersize=3,
                    color="#e69f00",
                    markeredgecolor="white",
                    markeredgewidth=0.4,
                )
                panel.set_xticks(range(len(codes)), labels=codes, rotation=90)
                panel.set_yticks(range(len(codes)), labels=codes)
                panel.grid(visible=False)
                panel.set_title(
                    f"{category}, layer {layer}"
                    if len({*data["model"]}) == 1
                    else f"{category}, {model}, layer {layer}"
                )
        if image is not None:
            figure.colorbar(image, ax=[panel for row in axes for panel in row], label="overlap rate", shrink=0.6)
        return figure
