"""Figure 3, interactive."""

from typing import Any

import altair as alt

from polyprobe.figures import Tables, overlap_and_transfer_over_steps
from polyprobe.figures.style import SOURCE_COLOUR, marks
from polyprobe.report.charts import _parts as parts


def chart(tables: Tables) -> parts.Chart:
    """Return a chart with a panel for overlap, then one per task, and one line per model."""
    data = overlap_and_transfer_over_steps.data(tables)
    kinds = marks([*dict.fromkeys(data["model"])])

    def draw(x: alt.X) -> Any:
        chosen = parts.highlighted("model")
        base = alt.Chart().encode(
            x=x,
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
            color=parts.colour(kinds, "model"),
            opacity=parts.faded(chosen),
        )
        line = base.mark_line().encode(strokeDash=parts.dash(kinds, "model"))
        points = base.mark_point(filled=True, size=45).encode(
            shape=parts.shape(kinds, "model"), tooltip=parts.tooltip("model:N", "step:Q", "panel:N", "value:Q")
        )
        # All points, most of them unseen: Vega warns of a panel in which a layer is empty.
        rings = base.mark_point(size=180).encode(
            color=alt.value(SOURCE_COLOUR),
            opacity=alt.condition(alt.datum.falls, alt.value(1), alt.value(0)),
        )
        falling = [rings] if data["falls"].any() else []
        return parts.panelled(alt.layer(line, *falling, points.add_params(chosen)), data["panel"], shared_y=False)

    return parts.charts_over_steps(data, draw)
