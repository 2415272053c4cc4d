"""Figure 1: overlap of neurons over training steps, per category."""

from typing import Any, Final

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts import overlap
from polyprobe.artefacts.dimensions import short_name
from polyprobe.figures import charts, templates
from polyprobe.figures.style import (
    SHUFFLED,
    category_marks,
    chance,
    from_zero,
    legend_beside,
    panels,
    reference,
    step_axis,
    styled,
)
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_over_steps"
TITLE: Final = "Overlap of neurons over training"
READING: Final = (
    "Each line is one category: the share of its k most informative neurons that two languages have in common, "
    "averaged over pairs of languages and over the study's layers; the band is the 95 % interval of the bootstrap over "
    "languages, its ends averaged over layers. The dotted line is what two random sets of k neurons share; the dashed "
    "one what probes trained on shuffled labels share. Only what lies above both is alignment."
)

_VALUES: Final = ("overlap", "low", "high", "expected")


def data(tables: Tables) -> pd.DataFrame:
    """Return the overlap per category and of shuffled labels at each checkpoint, averaged over the study's layers.

    Returns:
        One row per model, series and checkpoint: columns model, checkpoint, step, tokens_seen (may be missing), series
        (a category's short name, or `shuffled labels`), overlap, low and high (ends of its 95 % interval, may be
        missing), and expected (by chance).
    """
    studied = tables.means[tables.means["studied"].astype(bool)]
    studied = studied[studied["control"].isin(["none", "shuffled_labels"])]
    series = studied["category"].map(short_name).where(studied["control"] == "none", SHUFFLED)
    studied = studied.assign(series=series, tokens_seen=studied["tokens_seen"].astype("Int64"))
    averaged = studied.groupby(["model", "series", "checkpoint"], sort=False, as_index=False).agg(
        {"step": "first", "tokens_seen": "first"} | dict.fromkeys(_VALUES, "mean")
    )
    return averaged[["model", "checkpoint", "step", "tokens_seen", "series", *_VALUES]]


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """Draw one panel per model, on one scale of overlap, with one line per category.

    Args:
        data: what `data` returns.
        tables: the study's tables, for the marks of categories.
    """
    with styled():
        models = list(dict.fromkeys(data["model"]))
        found = category_marks(tables.means)
        figure, axes = panels(1, len(models), width=2.7, legend_width=1.4, share_y=True)
        for model, panel in zip(models, axes[0], strict=True):
            rows = data[data["model"] == model].sort_values("step", kind="stable")
            for category, mark in found.items():
                line = rows[rows["series"] == category]
                if len(line):
                    panel.plot(line["step"], line["overlap"], label=category, **mark.line())
                    # A band of one checkpoint has no width.
                    if len(line) == 1:
                        panel.vlines(line["step"], line["low"], line["high"], color=mark.colour, linewidth=0.7)
                    else:
                        panel.fill_between(
                            line["step"], line["low"], line["high"], color=mark.colour, alpha=0.15, linewidth=0
                        )
            null = rows[rows["series"] == SHUFFLED]
            if len(null):
                reference(panel, null, "overlap", SHUFFLED, "--")
            chance(panel, rows)
            step_axis(panel, rows["step"].tolist())
            panel.set_title(model)
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
    kinds = charts.kinds("series", charts.present(category_marks(tables.means), data["series"]))
    data = data.assign(panel=data["model"])
    return charts.charts_over_steps(data, lambda x: _chart(x, kinds, data["panel"]))


def template() -> templates.Template:
    """Return the chart of `plots/overlap/means.csv`."""
    drawn = (
        _chart(templates.STEPS, templates.of_table("series"), templates.TABLE_ORDER)
        .transform_filter("datum.studied && (datum.control == 'none' || datum.control == 'shuffled_labels')")
        .transform_calculate(series=f"datum.control == 'none' ? datum.category : '{SHUFFLED}'")
        .transform_aggregate(**templates.means(_VALUES), groupby=["rev", "model", "checkpoint", "step", "series"])
        .transform_calculate(panel=templates.panel("datum.model"))
    )
    return templates.Template(drawn, overlap.MEANS.schema, READING)


def _chart(x: alt.X, kinds: charts.Kinds, order: Any) -> Any:
    base = alt.Chart().encode(x=x)
    proper = base.transform_filter(alt.datum.series != SHUFFLED)
    band = kinds.coloured(proper).mark_area(opacity=0.13)
    band = band.encode(y=charts.rate("low"), y2="high:Q", opacity=kinds.faded(0.13, 0))
    null = charts.reference(base.transform_filter(alt.datum.series == SHUFFLED), "overlap:Q", (6, 4))
    by_chance = charts.reference(base, "mean(expected):Q")
    tooltips = ("model:N", "series:N", "step:Q", "overlap:Q", "low:Q", "high:Q", "expected:Q")
    lines = kinds.lines(proper, charts.rate(), *tooltips)
    return charts.panelled(alt.layer(band, null, by_chance, *lines), order)
