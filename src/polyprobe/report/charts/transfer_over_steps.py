"""Figure 5, interactive."""

from typing import Any

import altair as alt

from polyprobe.figures import Tables, transfer_over_steps
from polyprobe.figures.style import language_marks
from polyprobe.report.charts import _parts as parts


def chart(tables: Tables) -> parts.Chart:
    """Return a chart with one panel per model and task, and one line per language."""
    data = transfer_over_steps.data(tables)
    data = data.assign(
        panel=data["model"] + ", " + data["task"].str.upper() + " " + data["metric"].str.replace("_", " "),
        low=data["score"] - data["standard_error"],
        high=data["score"] + data["standard_error"],
    )
    kinds = parts.present(language_marks(tables.languages, tables.source_language), data["language"])

    def draw(x: alt.X) -> Any:
        chosen = parts.highlighted("language")
        base = alt.Chart().encode(x=x)
        proper = base.encode(color=parts.colour(kinds, "language"), opacity=parts.faded(chosen))
        y = alt.Y("score:Q", title="test score", scale=alt.Scale(zero=False))
        line = proper.mark_line().encode(y=y, strokeDash=parts.dash(kinds, "language"))
        error = proper.mark_rule(strokeWidth=1).encode(y=alt.Y("low:Q", title="test score"), y2="high:Q")
        points = proper.mark_point(filled=True, size=45).encode(
            y=y,
            shape=parts.shape(kinds, "language"),
            tooltip=parts.tooltip("model:N", "language:N", "step:Q", "score:Q", "standard_error:Q", "baseline:Q"),
        )
        baseline = parts.reference(base, "mean(baseline):Q", [2, 3])
        return parts.panelled(
            alt.layer(baseline, error, line, points.add_params(chosen)), data["panel"], shared_y=False
        )

    return parts.charts_over_steps(data, draw)
