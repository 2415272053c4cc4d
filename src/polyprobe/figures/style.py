"""The look that all figures share: fonts, colours, markers, the axis of training steps.

Every distinction is drawn twice, by colour and by marker or line style, so that figures read in grey and for readers
who do not see all colours.

The colour of a language is given by the study, not by what a figure happens to show. The source language is black, with
stars; the n-th of the others, in the order of `languages` in params.yaml, has the n-th of COLOURS and of MARKERS. So a
language that has no data somewhere leaves its colour free and shifts no other. Categories are ordered likewise, the
study's own before those of the layer scan. The templates of `dvc plots` follow the same rules
(`polyprobe.figures.templates`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polyprobe.artefacts.dimensions import short_name
from polyprobe.languages import language

SOURCE_COLOUR: Final = "#000000"
SOURCE_MARKER: Final = "*"
COLOURS: Final = (
    "#0072b2",
    "#e69f00",
    "#117733",
    "#cc6677",
    "#882255",
    "#56b4e9",
    "#999933",
    "#aa4499",
    "#44aa99",
    "#d55e00",
    "#332288",
    "#8c8c8c",
)
"""Okabe and Ito's and Tol's colour-blind safe colours."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d")
SHAPES: Final = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "M-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0L-1,-.6Z",
    "<": "triangle-left",
    ">": "triangle-right",
    "p": "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z",
    "h": "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z",
    "d": "M0,-1L.6,0L0,1L-.6,0Z",
    "*": "M0,-1L.22,-.31L.95,-.31L.36,.12L.59,.81L0,.38L-.59,.81L-.36,.12L-.95,-.31L-.22,-.31Z",
}
"""Each marker as Vega draws it: the name of a shape, or a path."""
DASHES: Final = ("-", (0.0, (5.0, 1.5)), (0.0, (1.2, 1.2)), (0.0, (4.0, 1.2, 1.0, 1.2)))
REFERENCE_COLOUR: Final = "#555555"
SHUFFLED: Final = "shuffled labels"
CHANCE: Final = "expected by chance"
_PRINT: Final = Path(__file__).with_name("print.mplstyle")
PANEL_WIDTH: Final = 3.1
PANEL_HEIGHT: Final = 2.5


@dataclass(frozen=True)
class Mark:
    """How one thing is drawn wherever it appears."""

    colour: str
    marker: str
    dashes: str | tuple[float, tuple[float, ...]]

    def line(self) -> dict[str, Any]:
        """Return the arguments for `Axes.plot` that draw a line with this mark."""
        size = 6 if self.marker == SOURCE_MARKER else 4
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": self.dashes,
            "markersize": size,
            "linewidth": 1.3,
        }


def marks(things: Sequence[str]) -> dict[str, Mark]:
    """Return a mark for each thing, by its place.

    Twelve differ in colour and in marker; beyond them a colour comes back with the next marker, so that 144 differ.
    """
    return {
        thing: Mark(
            COLOURS[position % len(COLOURS)],
            MARKERS[(position + position // len(COLOURS)) % len(MARKERS)],
            DASHES[position % len(DASHES)],
        )
        for position, thing in enumerate(things)
    }


def language_marks(languages: Sequence[str], source_language: str) -> dict[str, Mark]:
    """Return the mark of each language of a study.

    The source language is black with a star; the others have theirs by their place among the others.

    Args:
        languages: all languages of the study, in its order.
        source_language: one of them.
    """
    targets = [code for code in languages if code != source_language]
    return {source_language: Mark(SOURCE_COLOUR, SOURCE_MARKER, "-")} | marks(targets)


def category_marks(means: pd.DataFrame) -> dict[str, Mark]:
    """Return the mark of each category: the study's own categories first, then those of the layer scan.

    Args:
        means: `plots/overlap/means.csv`.

    Returns:
        Marks by the category's short name.
    """
    studied = means["studied"].astype(bool)
    categories = [*means.loc[studied, "category"], *means.loc[~studied, "category"]]
    return marks(list(dict.fromkeys(short_name(category) for category in categories)))


def families(languages: Sequence[str]) -> dict[str, list[str]]:
    """Return the languages by family, the families in the order in which the languages first name them.

    Raises:
        KeyError: a code is unknown.
    """
    found: dict[str, list[str]] = {}
    for code in languages:
        found.setdefault(language(code).family, []).append(code)
    return found


@contextmanager
def styled(hash_salt: str = "polyprobe") -> Iterator[None]:
    """Set the project's style for drawing and saving, as long as the context lasts.

    Args:
        hash_salt: what the ids within an SVG derive from.
    """
    with rc_context({"svg.hashsalt": hash_salt}, fname=_PRINT):
        yield


def panels(
    rows: int,
    columns: int,
    *,
    width: float = PANEL_WIDTH,
    height: float = PANEL_HEIGHT,
    legend_width: float = 0.0,
    share_y: bool | Literal["col"] = False,
) -> tuple[Figure, list[list[Axes]]]:
    """Make a figure of rows × columns panels, with room for a legend at its right.

    Args:
        rows: how many.
        columns: how many.
        width: of one panel, in inches.
        height: of one panel, in inches.
        legend_width: of the room for the legend, in inches.
        share_y: whether all panels have one scale of the y axis, labelled at the left; `col` for one scale per column.

    Returns:
        The figure, and its panels as a list of rows.
    """
    figure = Figure(figsize=(columns * width + legend_width, rows * height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    return figure, [list(row) for row in axes]


def from_zero(rows: Sequence[Sequence[Axes]]) -> None:
    """Let the y axis begin at zero, with room for a marker there.

    Args:
        rows: panels on one scale, once all are drawn.
    """
    for panel in (panel for row in rows for panel in row):
        panel.set_ylim(bottom=0)
        panel.set_ylim(bottom=-0.02 * panel.get_ylim()[1])


def reference(axes: Axes, rows: pd.DataFrame, value: str, label: str, dashes: str) -> None:
    """Draw a grey line that is no result (chance, a null, a baseline): the mean of a column at each step.

    Args:
        axes: where.
        rows: those of one panel, with `step`.
        value: the column.
        label: its name in the legend.
        dashes: matplotlib's line style.
    """
    line = rows.groupby("step")[value].mean()
    if len(line) == 1:
        axes.axhline(line.iloc[0], color=REFERENCE_COLOUR, linestyle=dashes, linewidth=1, label=label)
    else:
        axes.plot(line.index, line, color=REFERENCE_COLOUR, linestyle=dashes, linewidth=1, label=label)


def chance(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw what is expected by chance: the mean of the column `expected`, as a dotted line.

    Args:
        axes: where.
        rows: those of one panel.
    """
    axes.axhline(rows["expected"].mean(), color=REFERENCE_COLOUR, linestyle=":", linewidth=1, label=CHANCE)


def step_axis(axes: Axes, steps: Sequence[int]) -> None:
    """Make the x axis one of training steps: logarithmic where they span more than a decade, with step 0 drawn.

    Args:
        axes: the panel.
        steps: those that it shows, in any order; none leaves the axis as it is.
    """
    shown = sorted(set(steps))
    if not shown:
        return
    positive = [step for step in shown if step > 0]
    if positive and positive[-1] > 10 * positive[0]:
        if shown[0] > 0:
            axes.set_xscale("log")
        else:
            axes.set_xscale("symlog", linthresh=positive[0])
        axes.minorticks_off()
    scale = axes.xaxis.get_transform()
    places = scale.transform(np.array(shown, dtype=float))
    margin = 0.05 * (places[-1] - places[0])
    if margin:
        axes.set_xlim(*scale.inverted().transform(np.array([places[0] - margin, places[-1] + margin])))
    kept = _apart(list(zip(shown, places, strict=True)))
    axes.set_xticks(kept, labels=[short_number(step) for step in kept])
    axes.set_xlabel("training step")


def _apart(marked: Sequence[tuple[int, float]], share: float = 0.13) -> list[int]:
    """Return the steps whose labels do not run into each other: the last, then each far enough from the one after.

    Args:
        marked: the steps in ascending order, each with its place on the axis.
        share: the least distance between two labels, as a share of that from the first step to the last.
    """
    least = share * (marked[-1][1] - marked[0][1])
    kept = [marked[-1]]
    for step, position in marked[-2::-1]:
        if kept[-1][1] - position >= least:
            kept.append((step, position))
    return [step for step, _ in reversed(kept)]


def short_number(number: int) -> str:
    """Return a whole number in few characters: 1500 as 1.5k, 300000 as 300k."""
    if number < 1_000:
        return str(number)
    shown, letter = f"{number / 1_000:.3g}", "k"
    if float(shown) >= 1_000:
        shown, letter = f"{number / 1_000_000:.3g}", "M"
    return f"{shown}{letter}"


def score_name(metric: str) -> str:
    """Return a metric's name as an axis shows it."""
    return metric.replace("f1", "F1").replace("_", " ")


def legend_beside(figure: Figure, first: Sequence[str], title: str = "") -> None:
    """Add one legend for the whole figure, to its right.

    Args:
        figure: the figure, once its panels are drawn.
        first: labels that come first, in this order; all others follow.
        title: the legend's title; none if empty.
    """
    handles: dict[str, Artist] = {}
    for panel in figure.axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    labels = [label for label in first if label in handles]
    labels += [label for label in handles if label not in labels]
    figure.legend([handles[label] for label in labels], labels, loc="outside right upper", title=title or None)
