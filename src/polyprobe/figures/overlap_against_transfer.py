"""Figure 4: overlap with the source language against zero-shot transfer, coloured by target language."""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polyprobe.artefacts import correlation
from polyprobe.artefacts.correlation import Cell
from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.figures import charts, templates
from polyprobe.figures.style import REFERENCE_COLOUR, language_marks, legend_beside, panels, score_name, styled
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_against_transfer"
TITLE: Final = "Overlap against zero-shot transfer"
POINTS: Final = (
    "Each point is one checkpoint and one target language: its overlap with the source language against its zero-shot "
    "score. Colour and marker tell the language; hollow points are not among the n that r is taken over. The line is "
    "the least-squares fit"
)
READING: Final = (
    f"{POINTS}, the band the 95 % interval of its mean, which takes points for independent. Points of one language, or "
    "of one checkpoint, are not, so that the band is too narrow: read r with its interval and the permutation p in the "
    "table."
)

_PLACES: Final = 60
_ENDS: Final = {"overlap": "overlap", "score": "score", "low": "score", "high": "score"}


def data(tables: Tables) -> pd.DataFrame:
    """Return the pairwise points: one row per checkpoint, task and target language.

    Returns:
        Columns model, task, checkpoint, step, tokens_seen (may be missing), language, overlap, score, and used (whether
        the point is among the n that r is taken over).
    """
    points = tables.points[tables.points["aggregation"] == "pairwise"]
    columns = ["model", "task", "checkpoint", "step", "tokens_seen", "language", "overlap", "score", "used"]
    points = points[columns].reset_index(drop=True)
    return points.assign(tokens_seen=points["tokens_seen"].astype("Int64"), used=points["used"].astype(bool))


def regression(points: pd.DataFrame) -> pd.DataFrame:
    """Return the least-squares line through points and the 95 % interval of its mean.

    The interval takes the points for independent.

    Args:
        points: columns overlap, with at least two different values, and score.

    Returns:
        Columns overlap (evenly spaced from the smallest to the largest), score (the line), and low and high (ends of
        the interval; missing below three points).
    """
    from scipy.stats import t

    across, up = points["overlap"].to_numpy(), points["score"].to_numpy()
    n, centre = len(points), across.mean()
    spread = ((across - centre) ** 2).sum()
    slope = ((across - centre) * (up - up.mean())).sum() / spread
    places = np.linspace(across.min(), across.max(), _PLACES)
    line = up.mean() + slope * (places - centre)
    half = np.full(_PLACES, np.nan)
    if n > 2:
        variance = ((up - up.mean() - slope * (across - centre)) ** 2).sum() / (n - 2)
        half = t.ppf(0.975, n - 2) * np.sqrt(variance * (1 / n + (places - centre) ** 2 / spread))
    return pd.DataFrame({"overlap": places, "score": line, "low": line - half, "high": line + half})


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """Draw one row of panels per model and one column per task.

    Args:
        data: what `data` returns.
        tables: the study's tables, for its languages and for r.
    """
    with styled():
        models, tasks = (list(dict.fromkeys(data[name])) for name in ("model", "task"))
        figure, axes = panels(len(models), len(tasks), legend_width=0.8)
        for model, row in zip(models, axes, strict=True):
            for task, panel in zip(tasks, row, strict=True):
                rows = data[(data["task"] == task) & (data["model"] == model)]
                cell = _cell(tables, model, task)
                if cell is not None and cell["r"] is not None:
                    _draw_regression(panel, regression(rows[rows["used"]]))
                for code, mark in language_marks(tables.languages, tables.source_language).items():
                    of_language = rows[rows["language"] == code]
                    for used in (True, False):
                        shown = of_language[of_language["used"] == used]
                        if len(shown):
                            panel.plot(
                                shown["overlap"],
                                shown["score"],
                                color=mark.colour,
                                marker=mark.marker,
                                linestyle="",
                                markersize=4,
                                label=code,
                                fillstyle="full" if used else "none",
                            )
                panel.set_title(f"{model}, {task.upper()}: {_caption(cell)}")
                panel.set_xlabel(f"overlap rate with {tables.source_language}")
                panel.set_ylabel(f"{task.upper()} {score_name(MAIN_METRIC[task])}")
        legend_beside(figure, tables.languages)
        return figure


def _cell(tables: Tables, model: str, task: str) -> Cell | None:
    wanted = (model, task, "pairwise", None, None)
    keys = ("model", "task", "aggregation", "category", "layer")
    return next((cell for cell in tables.cells if tuple(cell[key] for key in keys) == wanted), None)


def _caption(cell: Cell | None) -> str:
    if cell is None:
        return "no points"
    if cell["at_chance"]:
        return "transfer at chance"
    return f"n = {cell['n']}" if cell["r"] is None else f"r = {cell['r']:.2f}, n = {cell['n']}"


def _draw_regression(panel: Axes, line: pd.DataFrame) -> None:
    panel.fill_between(
        line["overlap"], line["low"], line["high"], color=REFERENCE_COLOUR, alpha=0.15, linewidth=0, zorder=1
    )
    panel.plot(line["overlap"], line["score"], color=REFERENCE_COLOUR, linewidth=1, zorder=1.5)


def chart(data: pd.DataFrame, tables: Tables) -> charts.Chart:
    """Return the interactive chart, with one panel per model and task, and one point per checkpoint and language.

    Args:
        data: what `data` returns.
        tables: the study's tables, for its languages and for r.
    """
    data = data.assign(panel=data["model"] + ", " + data["task"].str.upper())
    fitted = {
        (cell["model"], cell["task"])
        for cell in tables.cells
        if cell["aggregation"] == "pairwise" and cell["category"] is None and cell["r"] is not None
    }
    lines = [
        _line(rows, fitted=group in fitted)
        for group, rows in data.groupby(["model", "task"], sort=False)
        if len(fitted) and rows["used"].any()
    ]
    data = pd.concat([data.assign(fit=False), *lines], ignore_index=True)
    marks = charts.present(language_marks(tables.languages, tables.source_language), data["language"].dropna())
    base = _base(tables.source_language)
    fit = base.transform_filter(alt.datum.fit)
    band = fit.mark_area(color=REFERENCE_COLOUR, opacity=0.15).encode(
        y=charts.rate("low", "zero-shot score"), y2="high:Q"
    )
    drawn = [band, fit.mark_line(color=REFERENCE_COLOUR)] if lines else []
    kinds = charts.kinds("language", marks)
    fill = alt.Fill("language:N", legend=None, scale=kinds.colours)
    return charts.chart(data, _chart(base, drawn, kinds, fill, data["panel"]))


def template() -> templates.Template:
    """Return the chart of `plots/overlap_vs_transfer.csv`, with lines that Vega fits, without their intervals."""
    base = _base("the source language")
    fit = base.transform_filter(alt.datum.used).transform_regression("overlap", "score")
    line = fit.mark_line(color=REFERENCE_COLOUR)
    kinds = templates.of_table("language", domain=templates.TARGETS)
    drawn = (
        _chart(base, [line], kinds, kinds.channel(alt.Fill, kinds.colours), templates.TABLE_ORDER)
        .transform_filter("datum.aggregation == 'pairwise'")
        .transform_calculate(panel=templates.panel("datum.model + ', ' + upper(datum.task)"))
        .add_params(*templates.STUDY)
    )
    return templates.Template(drawn, correlation.POINTS.schema, f"{POINTS}.")


def _base(source: str) -> alt.Chart:
    return alt.Chart().encode(
        x=alt.X("overlap:Q", title=f"overlap rate with {source}", scale=alt.Scale(zero=False)),
        y=alt.Y("score:Q", title="zero-shot score", scale=alt.Scale(zero=False)),
    )


def _chart(base: alt.Chart, fit: Sequence[alt.Chart], kinds: charts.Kinds, fill: alt.Fill, order: Any) -> Any:
    """Return one panel per model and task.

    Args:
        base: a chart with its axes.
        fit: what lies below the points.
        kinds: the languages.
        fill: the channel that fills points that are used.
        order: of the panels.
    """
    points = (
        base.transform_filter("!datum.fit")
        .mark_point(size=50, strokeWidth=1.5)
        .encode(
            stroke=kinds.channel(alt.Stroke, kinds.colours),
            fill=alt.condition(alt.datum.used, fill, alt.value("transparent")),
            shape=kinds.channel(alt.Shape, kinds.shapes),
            opacity=kinds.faded(),
            tooltip=kinds.tooltip("model:N", "checkpoint:N", "language:N", "overlap:Q", "score:Q", "used:N"),
        )
    )
    return charts.panelled(alt.layer(*fit, points.add_params(kinds.chosen())), order, shared_y=False)


def _line(points: pd.DataFrame, *, fitted: bool) -> pd.DataFrame:
    """Return the least-squares line; where r is withheld one without length, as Vega warns of empty layers.

    Args:
        points: those of one panel, at least one of them used.
        fitted: whether r is given.

    Returns:
        Columns overlap, score, low and high (the 95 % interval of the mean), panel, and fit (true).
    """
    used = points[points["used"]]
    means = pd.DataFrame({name: [used[of].mean()] for name, of in _ENDS.items()})
    line = regression(used) if fitted else means
    return line.assign(panel=points["panel"].iloc[0], fit=True)
