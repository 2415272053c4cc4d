"""What the interactive charts share: the axis of training, how things are told apart, panels.

A chart is drawn by one function for two readers: the report's page hands in its rows by name, and `dvc plots` draws its
template (`polyprobe.figures.templates`), which knows neither the study's steps nor its names beforehand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import pandas as pd

from polyprobe.figures.style import REFERENCE_COLOUR, SHAPES, Mark

SIZE: Final = (300, 220)
"""Width and height of a panel, in pixels."""


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


@dataclass(frozen=True)
class Kinds:
    """What a chart tells apart by colour, by the shape of points and by dashes."""

    field: str
    """The column with the things' names."""
    colours: alt.Scale
    shapes: alt.Scale
    dashes: alt.Scale
    named: bool = True
    """Whether the scales name the things. Of those that do not, Vega-Lite joins the legends of one layer only: that of
    the points."""
    order: str | None = None
    """The column by which scales that do not name the things sort them, the same in all rows of a thing; None for the
    order of the rows."""
    tooltips: Sequence[str] = ()
    """What a tooltip says first, as `tooltip` takes it."""

    def chosen(self) -> alt.Parameter:
        """Return the selection of what is clicked in the legend."""
        return alt.selection_point(fields=[self.field], bind="legend", name="chosen")

    def faded(self, full: float = 1.0, faint: float | int = 0.12) -> Any:
        """Return the condition that shows what is chosen in full colour, and the rest faintly."""
        return alt.condition(self.chosen(), alt.value(full), alt.value(faint))

    def channel(self, kind: Any, scale: alt.Scale, *, legend: bool = True) -> Any:
        """Return an Altair channel that draws each thing by a scale.

        Args:
            kind: the channel's class.
            scale: one of the three.
            legend: whether it is in the legend.
        """
        # The sorts of lines and points are equal but not alike: of scales that are alike no legend is drawn if one has
        # none.
        by = self.order and alt.EncodingSortField(field=self.order, op="max" if legend else "min")
        sort = alt.Undefined if self.named else by
        shown = alt.Undefined if legend else None
        return kind(f"{self.field}:N", title=None, scale=scale, sort=sort, legend=shown)

    def coloured(self, base: alt.Chart) -> alt.Chart:
        """Return a chart, with its axes, that draws each thing in its colour."""
        colour = self.channel(alt.Color, self.colours, legend=self.named)
        return base.encode(color=colour, opacity=self.faded())

    def lines(self, base: alt.Chart, y: alt.Y, *fields: str) -> tuple[alt.Chart, alt.Chart]:
        """Return each thing's line, and its points, on which the choice in the legend hangs.

        Args:
            base: a chart with its x axis.
            y: the y axis.
            fields: what a point's tooltip says, as `tooltip` takes it.
        """
        dash = self.channel(alt.StrokeDash, self.dashes, legend=self.named)
        line = self.coloured(base).mark_line().encode(y=y, strokeDash=dash)
        filled = base.encode(fill=self.channel(alt.Fill, self.colours), opacity=self.faded())
        points = (self.coloured(base) if self.named else filled).mark_point(filled=True, size=45)
        shape = self.channel(alt.Shape, self.shapes)
        points = points.encode(y=y, shape=shape, tooltip=self.tooltip(*fields))
        return line, points.add_params(self.chosen())

    def tooltip(self, *fields: str) -> list[alt.Tooltip]:
        """Return the fields as a chart shows them on hovering.

        Args:
            fields: columns with their types, in Altair's shorthand.
        """
        formats = {"step": ",", "tokens_seen": ","}
        return [
            alt.Tooltip(
                field,
                title=name.replace("_", " "),
                format=formats.get(name, ".3f" if kind == "Q" else ""),
            )
            for field in dict.fromkeys([*self.tooltips, *fields])
            for name, kind in [field.split(":")]
        ]


def kinds(field: str, marks: Mapping[str, Mark]) -> Kinds:
    """Return what a page's chart tells apart.

    Args:
        field: the column with the things' names.
        marks: each thing's mark, the same wherever it appears.
    """
    names = [*marks]
    return Kinds(
        field,
        colours=alt.Scale(domain=names, range=[mark.colour for mark in marks.values()]),
        shapes=alt.Scale(domain=names, range=[SHAPES[mark.marker] for mark in marks.values()]),
        dashes=alt.Scale(domain=names, range=[lengths(mark.dashes) for mark in marks.values()]),
    )


def lengths(dashes: Any) -> list[int] | list[float]:
    """Return matplotlib's line style as Vega has it: the lengths of dashes and gaps, in pixels."""
    return [1, 0] if isinstance(dashes, str) else [2 * part for part in dashes[1]]


def charts_over_steps(data: pd.DataFrame, draw: Callable[[alt.X], Any]) -> Chart:
    """Return a chart with training steps as one view and, where every row knows them, sub-words seen as another.

    Args:
        data: the chart's rows, with `step` and, nullable, `tokens_seen`.
        draw: makes an Altair chart of the channel of its x axis.
    """
    views = [View("training step", specification(draw(axis(data["step"], "step", "training step"))))]
    if "tokens_seen" in data and len(data) and data["tokens_seen"].notna().all():
        seen = axis(data["tokens_seen"], "tokens_seen", "sub-words seen")
        views.append(View("sub-words seen", specification(draw(seen))))
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
    return alt.NamedData(name="rows")


def axis(values: Sequence[int] | pd.Series, field: str, title: str) -> alt.X:
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
    ticks = alt.Axis(
        values=shown, labelExpr="format(datum.value, '.3~s')", labelOverlap="greedy", labelSeparation=4, grid=False
    )
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=ticks)


def rate(field: str = "overlap", title: str = "overlap rate") -> alt.Y:
    """Return a y axis of a rate, from zero on.

    Args:
        field: the column that holds it.
        title: the axis's title.
    """
    return alt.Y(f"{field}:Q", title=title)


def reference(base: alt.Chart, y: str, dashes: Sequence[int] = (2, 3)) -> Any:
    """Return a grey broken line that is no result: chance, a null, a baseline.

    Args:
        base: a chart with its x axis.
        y: the column, or an aggregate of it, in Altair's shorthand.
        dashes: lengths of a dash and of the gap after it, in pixels.
    """
    return base.mark_line(strokeDash=list(dashes), color=REFERENCE_COLOUR).encode(y=alt.Y(y))


def panelled(drawn: Any, order: Any, *, shared_y: bool = True, columns: int = 2, size: tuple[int, int] = SIZE) -> Any:
    """Return one panel per value of `panel`.

    Args:
        drawn: what each panel shows.
        order: of the panels: the column `panel` of the chart's rows, or a sort of Altair's.
        shared_y: whether all panels have one scale of the y axis.
        columns: how many stand side by side.
        size: width and height of each, in pixels.
    """
    width, height = size
    order = [*dict.fromkeys(order)] if isinstance(order, pd.Series) else order
    faceted = drawn.properties(width=width, height=height).facet(
        facet=alt.Facet("panel:N", title=None, sort=order, header=alt.Header(labelFontSize=12, labelPadding=4)),
        data=source(),
        columns=columns,
    )
    return faceted.resolve_scale(y="shared" if shared_y else "independent").resolve_axis(x="independent")
