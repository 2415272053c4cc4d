"""Overlap corrected for chance over training steps, for every number k of neurons that the study looks at."""

from typing import Any, Final

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from polyprobe.figures import charts
from polyprobe.figures.style import REFERENCE_COLOUR, legend_beside, marks, panels, step_axis, styled
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_by_size"
TITLE: Final = "Overlap for different numbers of neurons"
READING: Final = (
    "Each line is one k: the overlap of the k most informative neurons, corrected for chance (0: as random sets, 1: "
    "the same neurons), averaged over pairs of languages, the study's categories and its layers. Where the lines tell "
    "the same story, it does not hang on the choice of k. The dotted line is chance."
)


def data(tables: Tables) -> pd.DataFrame:
    """Return the overlap for every k, averaged over the study's categories and layers.

    Returns:
        One row per model, checkpoint and k, in ascending order of k: columns model, checkpoint, step, tokens_seen (may
        be missing), k, corrected (for chance), overlap, and expected (by chance). None where the study has one k only.
    """
    rows = tables.sizes[tables.sizes["studied"].astype(bool) & (tables.sizes["control"] == "none")]
    if rows["k"].nunique() < 2:
        rows = rows.iloc[:0]
    rows = rows.assign(tokens_seen=rows["tokens_seen"].astype("Int64"))
    values = ["corrected", "overlap", "expected"]
    averaged = rows.groupby(["model", "k", "checkpoint"], sort=False, as_index=False).agg(
        {"step": "first", "tokens_seen": "first"} | dict.fromkeys(values, "mean")
    )
    columns = ["model", "checkpoint", "step", "tokens_seen", "k", *values]
    return averaged[columns].sort_values("k", kind="stable", ignore_index=True)


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """Draw one panel per model, on one scale of overlap, with one line per k.

    Args:
        data: what `data` returns.
        tables: not used; every figure takes them.
    """
    with styled():
        models = list(dict.fromkeys(data["model"]))
        sizes = sorted(set(data["k"]))
        figure, axes = panels(1, len(models), width=2.7, legend_width=0.9, share_y=True)
        for model, panel in zip(models, axes[0], strict=True):
            rows = data[data["model"] == model]
            for k, mark in zip(sizes, marks([str(k) for k in sizes]).values(), strict=True):
                line = rows[rows["k"] == k].sort_values("step", kind="stable")
                panel.plot(line["step"], line["corrected"], label=f"k = {k}", **mark.line())
            panel.axhline(0, color=REFERENCE_COLOUR, linestyle=":", linewidth=1, label="chance")
            step_axis(panel, rows["step"].tolist())
            panel.set_title(model)
        axes[0][0].set_ylabel("overlap corrected for chance")
        legend_beside(figure, [f"k = {k}" for k in sizes])
        return figure


def chart(data: pd.DataFrame, tables: Tables) -> charts.Chart:
    """Return the interactive chart, with one panel per model and one line per k.

    Args:
        data: what `data` returns.
        tables: not used; every figure takes them.
    """
    data = data.assign(panel=data["model"], size="k = " + data["k"].astype(str))
    kinds = charts.kinds("size", marks([*dict.fromkeys(data["size"])]))

    def draw(x: alt.X) -> Any:
        y = charts.rate("corrected", "overlap corrected for chance")
        tooltips = ("model:N", "k:O", "step:Q", "corrected:Q", "overlap:Q", "expected:Q")
        return charts.panelled(alt.layer(*kinds.lines(alt.Chart().encode(x=x), y, *tooltips)), data["panel"])

    return charts.charts_over_steps(data, draw)
