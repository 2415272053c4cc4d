"""Appendix B.2, interactive."""

from typing import Any

import altair as alt

from polyprobe.figures import Tables, overlap_with_source_over_steps
from polyprobe.figures.style import language_marks
from polyprobe.report.charts import _parts as parts


def chart(tables: Tables) -> parts.Chart:
    """Return a chart with one panel per model and layer, and one line per target language."""
    data = overlap_with_source_over_steps.data(tables)
    data = data.assign(panel=data["model"] + ", layer " + data["layer"].astype(str))
    data = parts.in_order(data, ["model", "layer"])
    kinds = parts.present(language_marks(tables.languages, tables.source_language), data["language"])

    def draw(x: alt.X) -> Any:
        chosen = parts.highlighted("language")
        base = alt.Chart().encode(x=x)
        proper = base.encode(color=parts.colour(kinds, "language"), opacity=parts.faded(chosen))
        y = parts.rate(title=f"overlap rate with {tables.source_language}")
        line = proper.mark_line().encode(y=y, strokeDash=parts.dash(kinds, "language"))
        points = proper.mark_point(filled=True, size=45).encode(
            y=y,
            shape=parts.shape(kinds, "language"),
            tooltip=parts.tooltip(
                "model:N", "layer:O", "language:N", "step:Q", "overlap:Q", "corrected:Q", "categories:O"
            ),
        )
        chance = parts.reference(base, "mean(expected):Q", [2, 3])
        return parts.panelled(alt.layer(chance, line, points.add_params(chosen)), data["panel"])

    return parts.charts_over_steps(data, draw)
