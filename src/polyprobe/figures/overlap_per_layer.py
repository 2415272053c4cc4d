"""Figure 2: overlap of neurons per layer at the last checkpoint."""

from itertools import pairwise
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts import overlap
from polyprobe.artefacts.dimensions import short_name
from polyprobe.figures import charts, templates
from polyprobe.figures.style import category_marks, chance, from_zero, legend_beside, panels, styled
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_per_layer"
TITLE: Final = "Overlap of neurons per layer"
READING: Final = (
    "The last checkpoint of each model whose layers were scanned: layer 1 is the embedding output, the highest number "
    "the model's output. Each line is one category, averaged over pairs of languages, with the 95 % "
    "interval of the bootstrap over languages; the points of one layer stand side by side so that their intervals can "
    "be told apart. The dotted line is what two random sets share."
)

_SHARE: Final = 0.6
"""How much of the way to the next layer the points of one layer take up."""
_SHARE_OF_CHART: Final = 0.5


def data(tables: Tables) -> pd.DataFrame:
    """Return the overlap per category and layer at each model's last checkpoint.

    The models are those that have layers beside the study's own; where none has, those with more than one layer.

    Returns:
        One row per model, category and layer, in ascending order of layers: columns model, checkpoint, category (short
        name), layer, overlap, low and high (ends of its 95 % interval, may be missing), and expected (by chance).
    """
    proper = tables.layers[tables.layers["control"] == "none"]
    layers = {model: set(rows["layer"]) for model, rows in proper.groupby("model", sort=False)}
    own = tables.means[tables.means["studied"].astype(bool)].groupby("model", sort=False)
    studied = {model: set(rows["layer"]) for model, rows in own}
    several = [model for model, found in layers.items() if len(found) > 1]
    scanned = [model for model in several if layers[model] - studied.get(model, set())]
    proper = proper[proper["model"].isin(scanned or several)]
    proper = proper.assign(category=proper["category"].map(short_name))
    columns = ["model", "checkpoint", "category", "layer", "overlap", "low", "high", "expected"]
    return proper[columns].sort_values("layer", kind="stable", ignore_index=True)


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """Draw one panel per model, on one scale of overlap, with one line per category.

    Args:
        data: what `data` returns.
        tables: the study's tables, for the marks of categories.
    """
    with styled():
        models = list(dict.fromkeys(data["model"]))
        found = {name: mark for name, mark in category_marks(tables.means).items() if name in set(data["category"])}
        figure, axes = panels(1, len(models), width=4.8, height=3.0, legend_width=1.4, share_y=True)
        for model, panel in zip(models, axes[0], strict=True):
            rows = data[data["model"] == model]
            layers = sorted(set(rows["layer"]))
            shown = [category for category in found if category in set(rows["category"])]
            between = _SHARE * min(np.diff(layers)) / len(shown)
            for place, category in enumerate(shown):
                line, mark = rows[rows["category"] == category], found[category]
                across = line["layer"] + between * (place - (len(shown) - 1) / 2)
                panel.vlines(across, line["low"], line["high"], color=mark.colour, linewidth=0.7)
                panel.plot(across, line["overlap"], label=category, **mark.line() | {"linewidth": 1.0})
            chance(panel, rows)
            panel.set_xticks(layers)
            panel.set_xlabel("layer")
            panel.set_title(f"{model}, {rows['checkpoint'].iloc[-1]}")
        axes[0][0].set_ylabel("overlap rate")
        from_zero(axes)
        legend_beside(figure, list(found))
        return figure


def chart(data: pd.DataFrame, tables: Tables) -> charts.Chart:
    """Return the interactive chart, with one panel per model and one line per category.

    Args:
        data: what `data` returns.
        tables: the study's tables, for the marks of categories.
    """
    marks = charts.present(category_marks(tables.means), data["category"])
    layers = sorted({int(layer) for layer in data["layer"]})
    gap = min((after - before for before, after in pairwise(layers)), default=1)
    offsets = {
        name: (place - (len(marks) - 1) / 2) * _SHARE_OF_CHART * gap / len(marks) for place, name in enumerate(marks)
    }
    data = data.assign(
        panel=data["model"] + ", " + data["checkpoint"], place=data["layer"] + data["category"].map(offsets)
    )
    axis = alt.Axis(values=layers, format="d", grid=False)
    return charts.chart(data, _chart(axis, charts.kinds("category", marks), data["panel"]))


def template() -> templates.Template:
    """Return the chart of `plots/overlap/layers.csv`."""
    axis = alt.Axis(tickMinStep=1, labelExpr="datum.value < 1 ? '' : datum.label", format="d", grid=False)
    kinds = templates.of_table("category", order="first")
    of_model = ["rev", "model"]
    drawn = (
        _chart(axis, kinds, templates.TABLE_ORDER)
        .transform_filter("datum.control == 'none'")
        # The study's own categories come before those of the layer scan.
        .transform_calculate(row="datum.order + (datum.studied ? 0 : 1e6)")
        .transform_joinaggregate(first="min(row)", groupby=["rev", "category"])
        # The models of which layers beside the study's own were scanned; where there is none, those with several.
        .transform_joinaggregate(own_layer="max(studied)", groupby=[*of_model, "layer"])
        .transform_joinaggregate(
            own_layers="min(own_layer)",
            layers="distinct(layer)",
            categories="distinct(category)",
            lowest="min(layer)",
            highest="max(layer)",
            groupby=of_model,
        )
        .transform_joinaggregate(none_scanned="min(own_layers)", groupby=["rev"])
        .transform_filter("datum.layers > 1 && (datum.own_layers == 0 || datum.none_scanned == 1)")
        .transform_window(rank="dense_rank()", sort=[alt.SortField("first")], groupby=of_model)
        .transform_calculate(
            place=f"datum.layer + {_SHARE_OF_CHART} * (datum.highest - datum.lowest) / (datum.layers - 1)"
            " * (datum.rank - (datum.categories + 1) / 2) / datum.categories"
        )
        .transform_calculate(panel=templates.panel("datum.model + ', ' + datum.checkpoint"))
    )
    return templates.Template(drawn, overlap.MEANS.schema, READING)


def _chart(axis: alt.Axis, kinds: charts.Kinds, order: Any) -> Any:
    base = alt.Chart().encode(x=alt.X("place:Q", title="layer", axis=axis, scale=alt.Scale(zero=False, padding=12)))
    by_chance = charts.reference(base, "mean(expected):Q")
    error = kinds.coloured(base).mark_rule(strokeWidth=1).encode(y=charts.rate("low"), y2="high:Q")
    tooltips = ("model:N", "category:N", "layer:O", "overlap:Q", "low:Q", "high:Q", "expected:Q")
    return charts.panelled(alt.layer(by_chance, error, *kinds.lines(base, charts.rate(), *tooltips)), order)
