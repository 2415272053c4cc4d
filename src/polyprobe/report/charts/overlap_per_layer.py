"""Figure 2, interactive."""

from itertools import pairwise

import altair as alt

from polyprobe.figures import Tables, overlap_per_layer
from polyprobe.figures.style import category_marks
from polyprobe.report.charts import _parts as parts


def chart(tables: Tables) -> parts.Chart:
    """Return a chart with one panel per model and one line per category."""
    data = overlap_per_layer.data(tables)
    data = data.assign(panel=data["model"] + ", " + data["checkpoint"])
    kinds = parts.present(category_marks(tables.means), data["category"])
    layers = sorted({int(layer) for layer in data["layer"]})
    # Side by side, so that intervals of one layer can be told apart.
    gap = min((after - before for before, after in pairwise(layers)), default=1)
    aside = {name: (place - (len(kinds) - 1) / 2) * 0.5 * gap / len(kinds) for place, name in enumerate(kinds)}
    data["place"] = data["layer"] + data["category"].map(aside)
    chosen = parts.highlighted("category")
    x = alt.X(
        "place:Q",
        title="layer",
        axis=alt.Axis(values=layers, format="d", grid=False),
        scale=alt.Scale(zero=False, padding=12),
    )
    proper = alt.Chart().encode(x=x, color=parts.colour(kinds, "category"), opacity=parts.faded(chosen))
    line = proper.mark_line().encode(y=parts.rate(), strokeDash=parts.dash(kinds, "category"))
    points = proper.mark_point(filled=True, size=45).encode(
        y=parts.rate(),
        shape=parts.shape(kinds, "category"),
        tooltip=parts.tooltip("model:N", "category:N", "layer:O", "overlap:Q", "low:Q", "high:Q", "expected:Q"),
    )
    error = proper.mark_rule(strokeWidth=1).encode(y=alt.Y("low:Q", title="overlap rate"), y2="high:Q")
    chance = parts.reference(alt.Chart().encode(x=x), "mean(expected):Q", [2, 3])
    return parts.chart(data, parts.panelled(alt.layer(chance, error, line, points.add_params(chosen)), data["panel"]))
