"""Figure 3: overlap of neurons and mean zero-shot transfer over training steps, per model."""

from typing import Any, Final

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts import correlation
from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.figures import charts, templates
from polyprobe.figures.style import SOURCE_COLOUR, legend_beside, marks, panels, score_name, step_axis, styled
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_and_transfer_over_steps"
TITLE: Final = "Overlap and zero-shot transfer over training"
LINES: Final = (
    "Left, the mean overlap of all pairs of languages, layers and categories; beside it the mean zero-shot score over "
    "target languages. Where training aligns languages, the curves rise and fall together. Each line is one model."
)
READING: Final = (
    f"{LINES} A ring marks a checkpoint whose value lies below that of the checkpoint before by more than two standard "
    "errors of the change."
)

FALLS: Final = "falls by more than the noise"
_OVERLAP: Final = "overlap rate"


def data(tables: Tables) -> pd.DataFrame:
    """Return the mean overlap and the mean zero-shot scores of each checkpoint.

    Returns:
        One row per panel and checkpoint: columns model, checkpoint, step, tokens_seen (may be missing), panel (`overlap
        rate`, or a task and its score), value, and falls (whether the value falls by more than the noise since the
        checkpoint before).
    """
    points = tables.points[tables.points["aggregation"] == "average"]
    points = points.assign(tokens_seen=points["tokens_seen"].astype("Int64"))
    overlap = points.drop_duplicates(["model", "checkpoint"])
    parts = [overlap.assign(panel=_OVERLAP, value=overlap["overlap"], series="overlap")]
    for task, metric in MAIN_METRIC.items():
        rows = points[points["task"] == task]
        parts.append(rows.assign(panel=_panel(task, metric), value=rows["score"], series=task))
    joined = pd.concat(parts, ignore_index=True)
    places = ["model", "series", "checkpoint"]
    drops = tables.drops[tables.drops["drop"].astype(bool)]
    falling = set(drops[places].itertuples(index=False, name=None))
    joined["falls"] = [row in falling for row in joined[places].itertuples(index=False, name=None)]
    return joined[["model", "checkpoint", "step", "tokens_seen", "panel", "value", "falls"]]


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """Draw overlap at the left, then one panel per task, with one line per model.

    Args:
        data: what `data` returns.
        tables: not used; every figure takes them.
    """
    with styled():
        names = list(dict.fromkeys(data["panel"]))
        models = list(dict.fromkeys(data["model"]))
        figure, axes = panels(1, len(names), width=2.5, legend_width=1.7 if data["falls"].any() else 0.9)
        for name, panel in zip(names, axes[0], strict=True):
            rows = data[data["panel"] == name]
            for model, mark in marks(models).items():
                line = rows[rows["model"] == model].sort_values("step", kind="stable")
                panel.plot(line["step"], line["value"], label=model, **mark.line())
            falling = rows[rows["falls"]]
            if len(falling):
                panel.plot(
                    falling["step"],
                    falling["value"],
                    linestyle="",
                    marker="o",
                    markersize=9,
                    fillstyle="none",
                    color="black",
                    markeredgewidth=0.9,
                    label=FALLS,
                )
            step_axis(panel, rows["step"].tolist())
            panel.set_title(name)
        legend_beside(figure, models, title="model")
        return figure


def chart(data: pd.DataFrame, tables: Tables) -> charts.Chart:
    """Return the interactive chart, with a panel for overlap, then one per task, and one line per model.

    Args:
        data: what `data` returns.
        tables: not used; every figure takes them.
    """
    kinds = charts.kinds("model", marks([*dict.fromkeys(data["model"])]))
    falls = bool(data["falls"].any())
    return charts.charts_over_steps(data, lambda x: _chart(x, kinds, data["panel"], rings=falls))


def template() -> templates.Template:
    """Return the chart of `plots/overlap_vs_transfer.csv`, which does not tell what falls by more than the noise."""
    tasks = ", ".join(f"{task}: '{_panel(task, metric)}'" for task, metric in MAIN_METRIC.items())
    where = ["rev", "model", "checkpoint", "step", "panel"]
    drawn = (
        _chart(templates.STEPS, templates.of_table("model"), templates.TABLE_ORDER, rings=False)
        .transform_filter("datum.aggregation == 'average'")
        .transform_fold(["overlap", "score"], as_=["what", "value"])
        .transform_calculate(panel=f"datum.what == 'overlap' ? '{_OVERLAP}' : {{{tasks}}}[datum.task]")
        # Overlap comes before the task of its row.
        .transform_calculate(order="datum.order + (datum.what == 'overlap' ? 0 : 0.5)")
        .transform_aggregate(**templates.means(["value"]), groupby=where)
        .transform_calculate(panel=templates.panel("datum.panel"))
    )
    return templates.Template(drawn, correlation.POINTS.schema, LINES)


def _panel(task: str, metric: str) -> str:
    return f"{task.upper()} {score_name(metric)}"


def _chart(x: alt.X, kinds: charts.Kinds, order: Any, *, rings: bool) -> Any:
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False))
    base = alt.Chart().encode(x=x, y=y)
    line, points = kinds.lines(base, y, "model:N", "step:Q", "panel:N", "value:Q")
    # All points, most of them unseen: Vega warns of a panel in which a layer is empty.
    falling = base.mark_point(size=180).encode(
        color=alt.value(SOURCE_COLOUR), opacity=alt.condition(alt.datum.falls, alt.value(1), alt.value(0))
    )
    layers = [line, falling, points] if rings else [line, points]
    return charts.panelled(alt.layer(*layers), order, shared_y=False)
