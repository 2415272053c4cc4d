"""Appendix B.1, interactive: the page hands in the rows of the checkpoint, layer and category that are chosen."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from polyprobe.report.charts import _parts as parts


def specification(languages: Sequence[str]) -> dict[str, Any]:
    """Return one map as Vega-Lite, its languages in this order."""
    base = alt.Chart(parts.source()).encode(
        x=alt.X("language_x:N", title=None, scale=alt.Scale(domain=languages), axis=alt.Axis(grid=False)),
        y=alt.Y("language_y:N", title=None, scale=alt.Scale(domain=languages), axis=alt.Axis(grid=False)),
    )
    cells = base.mark_rect().encode(
        color=alt.Color("overlap:Q", title="overlap rate", scale=alt.Scale(scheme="blues", domain=[0, 1])),
        tooltip=[
            alt.Tooltip("pair:N", title="pair"),
            alt.Tooltip("overlap:Q", title="overlap rate", format=".3f"),
            alt.Tooltip("corrected:Q", title="corrected", format=".3f"),
            alt.Tooltip("p:N", title="p, adjusted"),
            alt.Tooltip("neurons:N", title="shared neurons"),
        ],
    )
    dots = (
        base.transform_filter(alt.datum.significant)
        .mark_point(filled=True, size=36, color="#e69f00", stroke="#ffffff", strokeWidth=0.5, opacity=1, tooltip=None)
        .encode()
    )
    return parts.specification(alt.layer(cells, dots).properties(width=alt.Step(26), height=alt.Step(26)))
