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
    """A chart with training steps as one view and, where every row knows them, sub-words seen as another.

    Args:
        data: rows with `step` and, nullable, `tokens_seen`.
        draw: from an x channel to a chart.
    """
    views = [View("training step", specification(draw(_axis(data["step"], "step", "training step"))))]
    if "tokens_seen" in data and len(data) and data["tokens_seen"].notna().all():
        axis = _axis(data["tokens_seen"], "tokens_seen", "sub-words seen")
        views.append(View("sub-words seen", specification(draw(axis))))
    return Chart(records(data), views)


def chart(data: pd.DataFrame, drawn: Any) -> Chart:
    """A chart with one view."""
    return Chart(records(data), [View("", specification(drawn))])


def specification(drawn: Any) -> dict[str, Any]:
    """A chart as Vega-Lite, without the look that the page gives to all."""
    found: dict[str, Any] = drawn.to_dict()
    for key in ("config", "$schema"):
        found.pop(key, None)
    return found


def records(data: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them: floats to six significant digits, None for what is missing."""

    def plain(value: Any) -> Any:
        if pd.isna(value):
            return None
        if hasattr(value, "item"):
            value = value.item()
        return float(f"{value:.6g}") if isinstance(value, float) else value

    return [{str(key): plain(value) for key, value in row.items()} for row in data.to_dict("records")]


def in_order(data: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows by these columns: models as they come first, numbers ascending; otherwise as they are."""
    place = {value: number for number, value in enumerate(dict.fromkeys(data["model"]))}
    return data.sort_values(
        list(columns), key=lambda values: values.map(place) if values.name == "model" else values, kind="stable"
    ).reset_index(drop=True)


def present(marks: Mapping[str, Mark], values: pd.Series) -> dict[str, Mark]:
    """The marks of those things that are among the values."""
    there = set(values)
    return {thing: mark for thing, mark in marks.items() if thing in there}


def source() -> alt.NamedData:
    """The data of a chart, by name."""
    return alt.NamedData(name=ROWS)


def _axis(values: pd.Series, field: str, title: str) -> alt.X:
    """Logarithmic where the values span more than a decade, with zero on it; ticks where checkpoints are."""
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
    """The colour of each thing, the same wherever it appears."""
    return alt.Scale(domain=[*marks], range=[mark.colour for mark in marks.values()])


def colour(marks: Mapping[str, Mark], field: str) -> alt.Color:
    """Each thing in its colour."""
    return alt.Color(f"{field}:N", title=None, scale=colours(marks))


def shape(marks: Mapping[str, Mark], field: str) -> alt.Shape:
    """The shape of each thing's points."""
    return alt.Shape(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=[*marks], range=[SHAPES[mark.marker] for mark in marks.values()]),
    )


def dash(marks: Mapping[str, Mark], field: str) -> alt.StrokeDash:
    """The dashes of each thing's line."""
    lengths = [
        [1, 0] if isinstance(mark.dashes, str) else [2 * part for part in mark.dashes[1]] for mark in marks.values()
    ]
    return alt.StrokeDash(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=[*marks], range=lengths),
    )


def highlighted(field: str) -> alt.Parameter:
    """What is chosen by a click in the legend."""
    return alt.selection_point(fields=[field], bind="legend", name="chosen")


def faded(chosen: alt.Parameter) -> Any:
    """Full colour for what is chosen, faint for the rest."""
    return alt.condition(chosen, alt.value(1.0), alt.value(0.12))


def rate(field: str = "overlap", title: str = "overlap rate") -> alt.Y:
    """A rate, from zero on."""
    return alt.Y(f"{field}:Q", title=title)


def reference(base: alt.Chart, y: str, dashes: Sequence[int]) -> Any:
    """A grey broken line that is no result: chance, a null, a baseline."""
    return base.mark_line(strokeDash=list(dashes), color=REFERENCE_COLOUR).encode(y=alt.Y(y))


def panelled(drawn: Any, panels: pd.Series, *, shared_y: bool = True) -> Any:
    """One panel per value of `panel`, in the order of the rows."""
    order = [*dict.fromkeys(panels)]
    faceted = drawn.properties(width=WIDTH, height=HEIGHT).facet(
        facet=alt.Facet("panel:N", title=None, sort=order, header=alt.Header(labelFontSize=12, labelPadding=4)),
        data=source(),
        columns=2,
    )
    return faceted.resolve_scale(y="shared" if shared_y else "independent").resolve_axis(x="independent")


def tooltip(*fields: str) -> list[alt.Tooltip]:
    """The fields as a chart shows them on hovering."""
    return [
        alt.Tooltip(field, title=field.split(":")[0].replace("_", " "), format=".3f" if field.endswith(":Q") else "")
        if not field.startswith(("step", "tokens_seen"))
        else alt.Tooltip(field, title=field.split(":")[0].replace("_", " "), format=",")
        for field in fields
    ]
