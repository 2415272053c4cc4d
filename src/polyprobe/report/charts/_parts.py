"""What the page's charts share: the axis of training, colours of things, panels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import pandas as pd

from polyprobe.figures.style import REFERENCE_COLOUR, SHAPES, Mark

ROWS: Final = "rows"
"""The name under which a chart's specification looks for its data: the page hands them in."""
WIDTH: Final = 300
HEIGHT: Final = 220


@dataclass(frozen=True)
class View:
    """One way of looking at a chart, and its specification without data."""

    name: str
    specification: Mapping[str, Any]


@dataclass(frozen=True)
class Chart:
    """An interactive chart."""

    rows: Sequence[Mapping[str, Any]]
    """Its data: one object per row."""
    views: Sequence[View]
    """At least one; of several the page lets choose."""


def charts_over_steps(data: pd.DataFrame, draw: Any) -> Chart:
    """Return a chart with training steps as one view and, where every row knows them, sub-words seen as another.

    Args:
        data: the chart's rows, with `step` and, nullable, `tokens_seen`.
        draw: makes an Altair chart of the channel of its x axis.
    """
    views = [View("training step", specification(draw(_axis(data["step"], "step", "training step"))))]
    if "tokens_seen" in data and len(data) and data["tokens_seen"].notna().all():
        axis = _axis(data["tokens_seen"], "tokens_seen", "sub-words seen")
        views.append(View("sub-words seen", specification(draw(axis))))
    return Chart(records(data), views)


def chart(data: pd.DataFrame, drawn: Any) -> Chart:
    """Return a chart with one view.

    Args:
        data: the chart's rows.
        drawn: the Altair chart.
    """
    return Chart(records(data), [View("", specification(drawn))])


def specification(drawn: Any) -> dict[str, Any]:
    """Return an Altair chart as Vega-Lite, without the look that the page gives to all."""
    found: dict[str, Any] = drawn.to_dict()
    for key in ("config", "$schema"):
        found.pop(key, None)
    return found


def records(data: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them: floats to six significant digits, None for what is missing."""

    def plain(value: Any) -> Any:
        if pd.isna(value):
            return None
        if hasattr(value, "item"):
            value = value.item()
        return float(f"{value:.6g}") if isinstance(value, float) else value

    return [{str(key): plain(value) for key, value in row.items()} for row in data.to_dict("records")]


def in_order(data: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Sort rows by columns: models by their first rows, numbers ascending; rows that tie keep their order.

    Args:
        data: rows with `model`.
        columns: what they are sorted by, the most important first.
    """
    place = {value: number for number, value in enumerate(dict.fromkeys(data["model"]))}
    return data.sort_values(
        list(columns), key=lambda values: values.map(place) if values.name == "model" else values, kind="stable"
    ).reset_index(drop=True)


def present(marks: Mapping[str, Mark], values: pd.Series) -> dict[str, Mark]:
    """Return the marks of those things that are among the values.

    Args:
        marks: each thing's mark.
        values: names of things, any number of times.
    """
    there = set(values)
    return {thing: mark for thing, mark in marks.items() if thing in there}


def source() -> alt.NamedData:
    """Return a reference by name to a chart's data, which the page hands in."""
    return alt.NamedData(name=ROWS)


def _axis(values: pd.Series, field: str, title: str) -> alt.X:
    """Return an x axis: logarithmic where the values span more than a decade, zero on it if it is one of them.

    Args:
        values: where checkpoints are, and so the ticks.
        field: the column that holds them.
        title: the axis's title.
    """
    shown = sorted({int(value) for value in values})
    positive = [value for value in shown if value > 0]
    scale = alt.Scale(zero=False, nice=False, padding=12)
    if positive and positive[-1] > 10 * positive[0]:
        scale = (
            alt.Scale(type="log", nice=False, padding=12)
            if shown[0] > 0
            else alt.Scale(type="symlog", constant=positive[0], nice=False, padding=12)
        )
    axis = alt.Axis(
        values=shown, labelExpr="format(datum.value, '.3~s')", labelOverlap="greedy", labelSeparation=4, grid=False
    )
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=axis)


def colours(marks: Mapping[str, Mark]) -> alt.Scale:
    """Return a scale of each thing's colour, the same wherever it appears."""
    return alt.Scale(domain=[*marks], range=[mark.colour for mark in marks.values()])


def colour(marks: Mapping[str, Mark], field: str) -> alt.Color:
    """Return a channel that draws each thing in its colour.

    Args:
        marks: each thing's mark.
        field: the column with the things' names.
    """
    return alt.Color(f"{field}:N", title=None, scale=colours(marks))


def shape(marks: Mapping[str, Mark], field: str) -> alt.Shape:
    """Return a channel that gives each thing's points their shape.

    Args:
        marks: each thing's mark.
        field: the column with the things' names.
    """
    return alt.Shape(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=[*marks], range=[SHAPES[mark.marker] for mark in marks.values()]),
    )


def dash(marks: Mapping[str, Mark], field: str) -> alt.StrokeDash:
    """Return a channel that gives each thing's line its dashes.

    Args:
        marks: each thing's mark.
        field: the column with the things' names.
    """
    lengths = [
        [1, 0] if isinstance(mark.dashes, str) else [2 * part for part in mark.dashes[1]] for mark in marks.values()
    ]
    return alt.StrokeDash(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=[*marks], range=lengths),
    )


def highlighted(field: str) -> alt.Parameter:
    """Return a selection of what is clicked in the legend.

    Args:
        field: the column that the legend is of.
    """
    return alt.selection_point(fields=[field], bind="legend", name="chosen")


def faded(chosen: alt.Parameter) -> Any:
    """Return the condition that shows what is chosen in full colour, and the rest faintly."""
    return alt.condition(chosen, alt.value(1.0), alt.value(0.12))


def rate(field: str = "overlap", title: str = "overlap rate") -> alt.Y:
    """Return a y axis of a rate, from zero on.

    Args:
        field: the column that holds it.
        title: the axis's title.
    """
    return alt.Y(f"{field}:Q", title=title)


def reference(base: alt.Chart, y: str, dashes: Sequence[int]) -> Any:
    """Return a grey broken line that is no result: chance, a null, a baseline.

    Args:
        base: a chart with its x axis.
        y: the column, or an aggregate of it, in Altair's shorthand.
        dashes: lengths of a dash and of the gap after it, in pixels.
    """
    return base.mark_line(strokeDash=list(dashes), color=REFERENCE_COLOUR).encode(y=alt.Y(y))


def panelled(drawn: Any, panels: pd.Series, *, shared_y: bool = True) -> Any:
    """Return one panel per value of `panel`, in the order of the rows.

    Args:
        drawn: what each panel shows.
        panels: the column `panel` of the chart's rows.
        shared_y: whether all panels have one scale of the y axis.
    """
    order = [*dict.fromkeys(panels)]
    faceted = drawn.properties(width=WIDTH, height=HEIGHT).facet(
        facet=alt.Facet("panel:N", title=None, sort=order, header=alt.Header(labelFontSize=12, labelPadding=4)),
        data=source(),
        columns=2,
    )
    return faceted.resolve_scale(y="shared" if shared_y else "independent").resolve_axis(x="independent")


def tooltip(*fields: str) -> list[alt.Tooltip]:
    """Return the fields as a chart shows them on hovering.

    Args:
        fields: columns with their types, in Altair's shorthand.
    """
    return [
        alt.Tooltip(field, title=field.split(":")[0].replace("_", " "), format=".3f" if field.endswith(":Q") else "")
        if not field.startswith(("step", "tokens_seen"))
        else alt.Tooltip(field, title=field.split(":")[0].replace("_", " "), format=",")
        for field in fields
    ]
