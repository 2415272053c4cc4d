"""Appendix B.1: the overlap of each pair of languages at the last checkpoint, with significance marks."""

from collections.abc import Sequence
from itertools import accumulate, groupby
from math import ceil
from textwrap import fill
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from polyprobe.artefacts import overlap
from polyprobe.artefacts.dimensions import short_name
from polyprobe.figures import charts, templates
from polyprobe.figures.style import families, panels, styled
from polyprobe.figures.tables import Tables

NAME: Final = "pairwise_heatmap"
TITLE: Final = "Overlap of each pair of languages"
MAPS: Final = (
    "Each model's last checkpoint, one map per category and layer, with the languages that have the category: the "
    "darker, the more neurons two of them share. An orange dot marks an overlap that is significant after the "
    "correction for many pairs. The diagonal is the noise ceiling: the overlap of the same language's probes under "
    "different seeds, grey where it cannot be had; what exceeds the scale has its darkest colour."
)
READING: Final = f"{MAPS} Languages of one family stand together; lines part the families, which are named below."

DOT_COLOUR: Final = "#e69f00"
_COLUMNS: Final = 4
_COLUMNS_OF_MANY: Final = 6
_MANY: Final = 12
_SIDE: Final = 2.05
_MISSING: Final = "#dddddd"


def data(tables: Tables) -> pd.DataFrame:
    """Return the cells of every map, but for those of a category that only one language has.

    Returns:
        One row per map and ordered pair of languages: columns model, checkpoint, step, category (short name), layer,
        language_x, language_y, overlap, corrected (for chance), and significant.
    """
    columns = ["model", "checkpoint", "step", "category", "layer", "language_x", "language_y"]
    rows = tables.heatmap[[*columns, "overlap", "corrected", "significant"]]
    languages = rows.groupby(["model", "category", "layer"], sort=False)["language_x"].transform("nunique")
    rows = rows[languages > 1]
    rows = rows.assign(category=rows["category"].map(short_name), significant=rows["significant"].astype(bool))
    return rows.reset_index(drop=True)


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """Draw a grid of maps, in which each model begins a row and the layers of one category stand side by side.

    Args:
        data: what `data` returns.
        tables: the study's tables, for its languages.
    """
    with styled():
        maps = [
            (model, category, layer)
            for model in dict.fromkeys(data["model"])
            for category, layer in _maps(data[data["model"] == model])
        ]
        columns = _columns(data)
        rows = [
            of_model[start : start + columns]
            for _, group in groupby(maps, key=lambda entry: entry[0])
            for of_model in [list(group)]
            for start in range(0, len(of_model), columns)
        ]
        figure, axes = panels(len(rows), columns, width=_SIDE, height=_SIDE + 0.1, legend_width=0.7)
        by_family = families(tables.languages)
        different = data.loc[data["language_x"] != data["language_y"], "overlap"]
        top = max(ceil(10 * different.max()) / 10, 0.1) if len(different) else 1.0
        image = None
        for places, line in zip(rows, axes, strict=True):
            for panel in line[len(places) :]:
                panel.set_axis_off()
            for (model, category, layer), panel in zip(places, line, strict=False):
                cells = data[(data["model"] == model) & (data["category"] == category) & (data["layer"] == layer)]
                image = _draw_map(panel, cells, list(by_family.values()), top)
                name = f"{category}, layer {layer}"
                panel.set_title(name if data["model"].nunique() == 1 else f"{model}, {name}", fontsize=7)
        if image is not None:
            over = bool((data["overlap"] > top).any())
            figure.colorbar(
                image,
                ax=[panel for line in axes for panel in line],
                label="overlap rate",
                fraction=0.03,
                shrink=min(1.0, 2 / len(rows)),
                aspect=25,
                anchor=(0.0, 1.0),
                extend="max" if over else "neither",
            )
        named = "; ".join(f"{family}: {' '.join(codes)}" for family, codes in by_family.items())
        named = f"Dots: significant. Diagonal: noise ceiling. {named}."
        figure.supxlabel(fill(named, width=int(19 * columns * _SIDE)), fontsize=6.5, x=0.01, ha="left")
        return figure


def _maps(rows: pd.DataFrame) -> list[tuple[str, int]]:
    """Return the category and layer of each of one model's maps, the layers of a category together."""
    places = {
        category: sorted(set(rows.loc[rows["category"] == category, "layer"]))
        for category in dict.fromkeys(rows["category"])
    }
    return [(category, layer) for category, layers in places.items() for layer in layers]


def _columns(data: pd.DataFrame) -> int:
    """Return the number of columns in the grid: at most four, or six where there are many maps.

    It is a multiple of the number of layers where that fits, so that the layers of a category stay in one row.
    """
    models = [data[data["model"] == model] for model in dict.fromkeys(data["model"])]
    layers = max((rows["layer"].nunique() for rows in models), default=1)
    maps = [len(_maps(rows)) for rows in models]
    most = _COLUMNS_OF_MANY if sum(maps) > _MANY else _COLUMNS
    return min(max(layers * (most // layers), min(layers, most)), max(maps, default=1))


def _draw_map(panel: Axes, cells: pd.DataFrame, by_family: Sequence[Sequence[str]], top: float) -> AxesImage:
    there = set(cells["language_x"])
    blocks = [block for codes in by_family if (block := [code for code in codes if code in there])]
    codes = [code for block in blocks for code in block]
    position = {code: number for number, code in enumerate(codes)}
    rates = np.full((len(codes), len(codes)), np.nan)
    across, down = cells["language_x"].map(position), cells["language_y"].map(position)
    rates[down, across] = cells["overlap"]
    panel.set_facecolor(_MISSING)
    image = panel.imshow(rates, cmap="Blues", vmin=0, vmax=top)
    for boundary in list(accumulate(len(block) for block in blocks))[:-1]:
        panel.axhline(boundary - 0.5, color="black", linewidth=0.5)
        panel.axvline(boundary - 0.5, color="black", linewidth=0.5)
    marked = cells["significant"].to_numpy()
    panel.plot(
        across[marked],
        down[marked],
        linestyle="",
        marker="o",
        markersize=3,
        color=DOT_COLOUR,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label="significant",
    )
    size = 6.5 if len(codes) <= 13 else 5
    panel.set_xticks(range(len(codes)), labels=codes, rotation=90, fontsize=size)
    panel.set_yticks(range(len(codes)), labels=codes, fontsize=size)
    panel.tick_params(length=0, pad=2)
    panel.grid(visible=False)
    panel.spines[["left", "bottom"]].set_visible(False)
    return image


def chart_of_map(languages: Sequence[str]) -> dict[str, Any]:
    """Return one interactive map as Vega-Lite: the page hands in the rows of the one that is chosen.

    Args:
        languages: in the order of rows and columns.
    """
    scale, axis = alt.Scale(domain=languages), alt.Axis(grid=False)
    shade = alt.Color("overlap:Q", title="overlap rate", scale=alt.Scale(scheme="blues", domain=[0, 1]))
    tooltips = [
        alt.Tooltip("pair:N", title="pair"),
        alt.Tooltip("overlap:Q", title="overlap rate", format=".3f"),
        alt.Tooltip("corrected:Q", title="corrected", format=".3f"),
        alt.Tooltip("p:N", title="p, adjusted"),
        alt.Tooltip("neurons:N", title="shared neurons"),
    ]
    x = alt.X("language_x:N", title=None, scale=scale, axis=axis)
    y = alt.Y("language_y:N", title=None, scale=scale, axis=axis)
    drawn = _chart(x, y, shade, tooltips, charts.source())
    return charts.specification(drawn.properties(width=alt.Step(26), height=alt.Step(26)))


def template() -> templates.Template:
    """Return the maps of `plots/overlap/heatmap.csv`, side by side, with languages in the study's order."""
    kinds = templates.of_table("language_x")
    shade = alt.Color("shown:Q", title="overlap rate", scale=alt.Scale(scheme="blues", domainMin=0))
    tooltips = kinds.tooltip("panel:N", "language_x:N", "language_y:N", "overlap:Q", "corrected:Q", "significant:N")
    x = alt.X("language_x:N", title=None, sort=alt.EncodingSortField("place_x", op="min"), axis=alt.Axis(grid=False))
    y = alt.Y("language_y:N", title=None, sort=alt.EncodingSortField("place_y", op="min"), axis=alt.Axis(grid=False))
    drawn = (
        charts.panelled(_chart(x, y, shade, tooltips), templates.TABLE_ORDER, columns=_COLUMNS, size=(200, 200))
        .resolve_scale(x="independent", y="independent")
        .transform_calculate(different="datum.language_x == datum.language_y ? null : datum.overlap")
        .transform_joinaggregate(pairs="valid(different)", groupby=["rev", "model", "layer", "category"])
        .transform_filter("datum.pairs > 0")
        .transform_joinaggregate(top="max(different)")
        .transform_calculate(
            shown="min(datum.overlap, isValid(datum.top) ? datum.top : 1)",
            place_x="indexof(languages, datum.language_x)",
            place_y="indexof(languages, datum.language_y)",
            panel=templates.panel("datum.model + ', ' + datum.category + ', layer ' + datum.layer"),
        )
        .add_params(templates.STUDY[0])
    )
    return templates.Template(drawn, overlap.HEATMAP.schema, MAPS, background=_MISSING)


def _chart(x: alt.X, y: alt.Y, shade: alt.Color, tooltips: Sequence[alt.Tooltip], data: Any = alt.Undefined) -> Any:
    base = alt.Chart().encode(x=x, y=y)
    dots = base.transform_filter(alt.datum.significant).mark_point(
        filled=True, size=36, color=DOT_COLOUR, stroke="#ffffff", strokeWidth=0.5, opacity=1, tooltip=None
    )
    return alt.layer(base.mark_rect().encode(color=shade, tooltip=tooltips), dots, data=data)
