"""Figure 3: overlap of neurons and mean zero-shot transfer over training steps, per model."""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.figures.style import legend_beside, marks, panels, score_name, step_axis, styled
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_and_transfer_over_steps"
TITLE: Final = "Overlap and zero-shot transfer over training"
READING: Final = (
    "Left, the mean overlap of all pairs of languages, layers and categories; beside it the mean zero-shot score over "
    "target languages. Where training aligns languages, the curves rise and fall together. Each line is one model."
)

_OVERLAP: Final = "overlap rate"


def data(tables: Tables) -> pd.DataFrame:
    """model, step, panel (`overlap rate` or a task and its score), value."""
    points = tables.points[tables.points["aggregation"] == "average"]
    parts = [points.drop_duplicates(["model", "checkpoint"]).assign(panel=_OVERLAP, value=lambda rows: rows["overlap"])]
    for task, metric in MAIN_METRIC.items():
        rows = points[points["task"] == task]
        parts.append(rows.assign(panel=f"{task.upper()} {score_name(metric)}", value=rows["score"]))
    return pd.concat(parts, ignore_index=True)[["model", "step", "panel", "value"]]


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """Overlap at the left, then one panel per task; one line per model."""
    with styled():
        names = list(dict.fromkeys(data["panel"]))
        figure, axes = panels(1, len(names), width=2.5, legend_width=0.9)
        for name, panel in zip(names, axes[0], strict=True):
            rows = data[data["panel"] == name]
            for model, mark in marks(list(dict.fromkeys(data["model"]))).items():
                line = rows[rows["model"] == model].sort_values("step")
                panel.plot(line["step"], line["value"], label=model, **mark.line())
            step_axis(panel, rows["step"].tolist())
            panel.set_title(name)
        legend_beside(figure, [], title="model")
        return figure
