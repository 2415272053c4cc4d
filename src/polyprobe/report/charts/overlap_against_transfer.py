"""Figure 4, interactive."""

from typing import Final

import altair as alt
import pandas as pd

from polyprobe.figures import Tables, overlap_against_transfer
from polyprobe.figures.style import REFERENCE_COLOUR, language_marks
from polyprobe.report.charts import _parts as parts

_ENDS: Final = {"overlap": "overlap", "score": "score", "low": "score", "high": "score"}


def chart(tables: Tables) -> parts.Chart:
    """Return a chart with one panel per model and task, and one point per checkpoint and language."""
    data = overlap_against_transfer.data(tables)
    data = data.assign(panel=data["model"] + ", " + data["task"].str.upper())
    fitted = {
        (cell["model"], cell["task"])
        for cell in tables.cells
        if cell["aggregation"] == "pairwise" and cell["category"] is None and cell["r"] is not None
    }
    lines = [
        _line(rows, fitted=place in fitted)
        for place, rows in data.groupby(["model", "task"], sort=False)
        if len(fitted) and rows["used"].any()
    ]
    data = pd.concat([data.assign(fit=False), *lines], ignore_index=True)
    kinds = parts.present(language_marks(tables.languages, tables.source_language), data["language"].dropna())
    chosen = parts.highlighted("language")
    base = alt.Chart().encode(
        x=alt.X("overlap:Q", title=f"overlap rate with {tables.source_language}", scale=alt.Scale(zero=False)),
        y=alt.Y("score:Q", title="zero-shot score", scale=alt.Scale(zero=False)),
    )
    scale = parts.colours(kinds)
    points = (
        base.transform_filter("!datum.fit")
        .mark_point(size=50, strokeWidth=1.5)
        .encode(
            stroke=alt.Stroke("language:N", title=None, scale=scale),
            fill=alt.condition(
                alt.datum.used, alt.Fill("language:N", legend=None, scale=scale), alt.value("transparent")
            ),
            shape=parts.shape(kinds, "language"),
            opacity=parts.faded(chosen),
            tooltip=parts.tooltip("model:N", "checkpoint:N", "language:N", "overlap:Q", "score:Q", "used:N"),
        )
    )
    fit = base.transform_filter(alt.datum.fit)
    low = alt.Y("low:Q", title="zero-shot score")
    drawn = [
        fit.mark_area(color=REFERENCE_COLOUR, opacity=0.15).encode(y=low, y2="high:Q"),
        fit.mark_line(color=REFERENCE_COLOUR),
    ]
    layers = [*(drawn if lines else []), points.add_params(chosen)]
    return parts.chart(data, parts.panelled(alt.layer(*layers), data["panel"], shared_y=False))


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
    line = overlap_against_transfer.regression(used) if fitted else means
    return line.assign(panel=points["panel"].iloc[0], fit=True)
