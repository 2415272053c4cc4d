"""Figure 4: overlap with the source language against zero-shot transfer, coloured by target language."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polyprobe.artefacts.correlation import Cell
from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.figures.style import REFERENCE_COLOUR, language_marks, legend_beside, panels, score_name, styled
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_against_transfer"
TITLE: Final = "Overlap against zero-shot transfer"
READING: Final = (
    "Each point is one checkpoint and one target language: its overlap with the source language against its zero-shot "
    "score. Colour and marker tell the language; hollow points are not among the n that r is taken over. The line is "
    "the least-squares fit, the band the 95 % interval of its mean, which takes points for independent. Points of one "
    "language, or of one checkpoint, are not, so that the band is too narrow: read r with its interval and the "
    "permutation p in the table."
)

_PLACES: Final = 60


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
