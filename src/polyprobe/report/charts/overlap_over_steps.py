"""Figure 1, interactive."""

from typing import Any

import altair as alt

from polyprobe.figures import Tables, overlap_over_steps
from polyprobe.figures.style import SHUFFLED, category_marks
from polyprobe.report.charts import _parts as parts


def chart(tables: Tables) -> parts.Chart:
    """Return a chart with one panel per model and one line per category."""
    data = overlap_over_steps.data(tables)
    data = data.assign(panel=data["model"])
    kinds = parts.present(category_marks(tables.means), data["series"])

    def draw(x: alt.X) -> Any:
        chosen = parts.highlighted("series")
        base = alt.Chart().encode(x=x)
        proper = base.transform_filter(alt.datum.series != SHUFFLED).encode(
            color=parts.colour(kinds, "series"), opacity=parts.faded(chosen)
        )
        line = proper.mark_line().encode(y=parts.rate(), strokeDash=parts.dash(kinds, "series"))
        points = proper.mark_point(filled=True, size=45).encode(
            y=parts.rate(),
            shape=parts.shape(kinds, "series"),
            tooltip=parts.tooltip("model:N", "series:N", "step:Q", "overlap:Q", "low:Q", "high:Q", "expected:Q"),
        )
        band = proper.mark_area(opacity=0.13).encode(
            y=alt.Y("low:Q", title="overlap rate"),
            y2="high:Q",
            opacity=alt.condition(chosen, alt.value(0.13), alt.value(0)),
        )
        null = parts.reference(base.transform_filter(alt.datum.series == SHUFFLED), "overlap:Q", [6, 4])
        chance = parts.reference(base, "mean(expected):Q", [2, 3])
        return parts.panelled(alt.layer(band, null, chance, line, points.add_params(chosen)), data["panel"])

    return parts.charts_over_steps(data, draw)
