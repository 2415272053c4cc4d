"""Overlap for every k, interactive."""

from typing import Any

import altair as alt

from polyprobe.figures import Tables, overlap_by_size
from polyprobe.figures.style import marks
from polyprobe.report.charts import _parts as parts


def chart(tables: Tables) -> parts.Chart:
    """Return a chart with one panel per model and one line per k."""
    data = overlap_by_size.data(tables)
    data = data.assign(panel=data["model"], size="k = " + data["k"].astype(str))
    kinds = marks([*dict.fromkeys(data["size"])])

    def draw(x: alt.X) -> Any:
        chosen = parts.highlighted("size")
        proper = alt.Chart().encode(x=x, color=parts.colour(kinds, "size"), opacity=parts.faded(chosen))
        y = parts.rate("corrected", "overlap corrected for chance")
        line = proper.mark_line().encode(y=y, strokeDash=parts.dash(kinds, "size"))
        points = proper.mark_point(filled=True, size=45).encode(
            y=y,
            shape=parts.shape(kinds, "size"),
            tooltip=parts.tooltip("model:N", "k:O", "step:Q", "corrected:Q", "overlap:Q", "expected:Q"),
        )
        return parts.panelled(alt.layer(line, points.add_params(chosen)), data["panel"])

    return parts.charts_over_steps(data, draw)
