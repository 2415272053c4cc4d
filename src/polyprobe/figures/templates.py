"""The templates of `dvc plots`: the interactive charts with DVC's anchors in the place of a study.

DVC fills in a table as it lies on disk, every value a text, with the column `rev` for the revision that a row is from.
So a template makes the figure's rows itself, by Vega's transforms. What a page's chart takes from the study, a template
takes from dvc.yaml, which hands it the study's languages and its source language as the labels of the axes, or leaves
to the order of the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from types import ModuleType
from typing import Any, Final

import altair as alt
import pyarrow as pa

from polyprobe.artefacts.dimensions import SHORT_NAMES
from polyprobe.figures.charts import Kinds, axis, lengths
from polyprobe.figures.style import COLOURS, DASHES, SHAPES, language_marks, marks

TABLE_ORDER: Final = alt.EncodingSortField(field="order", op="min")
"""The order in which a table's rows first name things."""
STEPS: Final = axis(
    [0, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000], "step", "training step"
)
LANGUAGES: Final = "<DVC_METRIC_X_LABEL>"
STUDY: Final = (
    alt.param(name="languages", value=LANGUAGES),
    alt.param(name="source", value="<DVC_METRIC_Y_LABEL>"),
    alt.param(
        name="source_first",
        expr="split(slice(source + replace('|' + join(languages, '|') + '|', '|' + source + '|', '|'), 0, -1), '|')",
    ),
)
"""The parameters of a template that colours languages."""
SOURCE_FIRST: Final = alt.ExprRef("source_first")
TARGETS: Final = alt.ExprRef("slice(source_first, 1)")

_OTHERS: Final = [str(position) for position in range(3 * len(COLOURS))]
"""The colours come round so often before a scale begins again without the shift of shapes."""
_LINE: Final = 110
"""Characters of the reading below the title."""


@dataclass(frozen=True)
class Template:
    """A chart of a table that DVC fills in."""

    drawn: Any
    """The Altair chart, with the transforms that make the figure's rows of the table's."""
    schema: pa.Schema
    """Of the table."""
    reading: str
    """How to read the chart."""
    source: bool = False
    """Whether the things told apart begin with the source language."""
    background: str | None = None
    """The colour of what has no value; none by default."""


def of_table(field: str, *, domain: Any = alt.Undefined, order: str | None = None, source: bool = False) -> Kinds:
    """Return what a template's chart tells apart; colours and shapes are those of its configuration.

    Args:
        field: the column with the things' names.
        domain: the things in their order, as an expression; undefined where the rows have to tell them.
        order: the column by which they are sorted then; None for the order of the rows.
        source: whether they begin with the source language.
    """
    scale = alt.Scale(domain=domain)
    # A scale comes round by itself, but for that of the source, which is no part of the round.
    dashes = [mark.dashes for mark in _marks(source=True)] if source else DASHES
    return Kinds(
        field,
        colours=scale,
        shapes=scale,
        dashes=alt.Scale(domain=domain, range=[lengths(dash) for dash in dashes]),
        named=domain is not alt.Undefined,
        order=order,
        tooltips=("rev:N", "checkpoint:N"),
    )


def panel(name: str) -> str:
    """Return the expression of a panel's name, which ends in the revision where several are compared.

    Args:
        name: the expression of what the panel shows.
    """
    return f"{name} + (datum.rev == 'workspace' ? '' : ', ' + datum.rev)"


def means(columns: Sequence[str]) -> dict[str, str]:
    """Return the aggregates that average columns, and keep the order of rows."""
    return {name: f"mean({name})" for name in columns} | {"order": "min(order)"}


def filled_by_dvc(figure: ModuleType) -> dict[str, Any]:
    """Return a figure's template as Vega-Lite.

    Args:
        figure: a module of a figure, with `template`.
    """
    template: Template = figure.template()
    found: dict[str, Any] = template.drawn.to_dict()
    kinds = {field.name: field.type for field in template.schema}
    numbers = [name for name, kind in kinds.items() if pa.types.is_integer(kind) or pa.types.is_floating(kind)]
    shown = _marks(source=template.source)
    return found | {
        "title": {"text": figure.TITLE, "subtitle": wrap(template.reading, _LINE), "anchor": "start"},
        "data": {"values": "<DVC_METRIC_DATA>", "format": {"parse": dict.fromkeys(numbers, "number")}},
        "transform": [*_read(template.schema), *found["transform"]],
        # As in the script of the report's page.
        "config": {
            "axis": {"labelSeparation": 4, "titleFontWeight": 400},
            "header": {"labelFontWeight": 700},
            "legend": {"symbolOpacity": 1, "symbolSize": 60, "symbolStrokeWidth": 2},
            "range": {
                "category": [mark.colour for mark in shown],
                "symbol": [SHAPES[mark.marker] for mark in shown],
            },
            "view": {"stroke": None, "fill": template.background},
        },
    }


def _read(schema: pa.Schema) -> list[dict[str, Any]]:
    """Return the transforms that read a table's texts: the rows' order, what is true, short names of categories."""
    transforms: list[dict[str, Any]] = [{"window": [{"op": "row_number", "as": "order"}]}]
    for field in schema:
        if pa.types.is_boolean(field.type):
            transforms.append({"calculate": f"lower(toString(datum.{field.name})) == 'true'", "as": field.name})
    if "category" in schema.names:
        names = ", ".join(f"'{full}': '{short}'" for short, full in SHORT_NAMES.items())
        transforms.append({"calculate": f"{{{names}}}[datum.category] || datum.category", "as": "category"})
    return transforms


def _marks(*, source: bool) -> list[Any]:
    return list((language_marks(["source", *_OTHERS], "source") if source else marks(_OTHERS)).values())
