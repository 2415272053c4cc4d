"""Appendix B.2: the overlap of each target language with the source language over training steps, per layer."""

from typing import Any, Final

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts import overlap
from polyprobe.figures import charts, templates
from polyprobe.figures.style import chance, from_zero, language_marks, legend_beside, panels, step_axis, styled
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_with_source_over_steps"
TITLE: Final = "Overlap with the source language over training"
READING: Final = (
    "Each line is one target language: the share of the k most informative neurons that it has in common with the "
    "source language, averaged over those of the study's categories that both have, so that languages differ in what "
    "they are averaged over. One panel per model and layer. The dotted line is what two random sets of k neurons share."
)

_VALUES: Final = ("overlap", "corrected", "expected")


def data(tables: Tables) -> pd.DataFrame:
    """Return the overlap of each target language with the source language, averaged over the study's categories.

    Returns:
        One row per model, checkpoint, layer and language, in the study's order of languages: columns model, checkpoint,
        step, tokens_seen (may be missing), layer, language (the target), categories (how many are averaged), overlap,
        corrected (for chance), and expected (by chance).
    """
    source = tables.source_language
    rows = tables.pairs[tables.pairs["studied"].astype(bool) & (tables.pairs["control"] == "none")]
    rows = rows[((rows["language_a"] == source) | (rows["language_b"] == source))]
    rows = rows[rows["language_a"] != rows["language_b"]]
    language = rows["language_a"].where(rows["language_b"] == source, rows["language_b"])
    rows = rows.assign(language=language, tokens_seen=rows["tokens_seen"].astype("Int64"))
    where = ["model", "layer", "checkpoint", "language"]
    averaged = rows.groupby(where, sort=False, as_index=False).agg(
        step=("step", "first"),
        tokens_seen=("tokens_seen", "first"),
        categories=("category", "nunique"),
        **{name: (name, "mean") for name in _VALUES},
    )
    position = {code: number for number, code in enumerate(tables.languages)}
    averaged = averaged.sort_values("language", key=lambda codes: codes.map(position), kind="stable", ignore_index=True)
    return averaged[["model", "checkpoint", "step", "tokens_seen", "layer", "language", "categories", *_VALUES]]


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """Draw one row of panels per model and one column per layer, on one scale of overlap.

    Args:
        data: what `data` returns.
        tables: the study's tables, for its languages.
    """
    with styled():
        models = list(dict.fromkeys(data["model"]))
        layers = {model: sorted(set(data.loc[data["model"] == model, "layer"])) for model in models}
        columns = max((len(found) for found in layers.values()), default=1)
        figure, axes = panels(len(models), columns, legend_width=1.4, share_y=True)
        for model, row in zip(models, axes, strict=True):
            for panel in row[len(layers[model]) :]:
                panel.set_axis_off()
            for layer, panel in zip(layers[model], row, strict=False):
                rows = data[(data["model"] == model) & (data["layer"] == layer)]
                for code, mark in language_marks(tables.languages, tables.source_language).items():
                    line = rows[rows["language"] == code].sort_values("step", kind="stable")
                    if len(line):
                        panel.plot(line["step"], line["overlap"], label=code, **mark.line())
                chance(panel, rows)
                step_axis(panel, rows["step"].tolist())
                panel.set_title(f"{model}, layer {layer}")
            row[0].set_ylabel(f"overlap rate with {tables.source_language}")
        from_zero(axes)
        legend_beside(figure, tables.languages)
        return figure


def chart(data: pd.DataFrame, tables: Tables) -> charts.Chart:
    """Return the interactive chart, with one panel per model and layer, and one line per target language.

    Args:
        data: what `data` returns.
        tables: the study's tables, for its languages.
    """
    models = {model: position for position, model in enumerate(dict.fromkeys(data["model"]))}
    data = data.assign(panel=data["model"] + ", layer " + data["layer"].astype(str), place=data["model"].map(models))
    data = data.sort_values(["place", "layer"], kind="stable").drop(columns="place")
    marks = charts.present(language_marks(tables.languages, tables.source_language), data["language"])
    kinds = charts.kinds("language", marks)
    return charts.charts_over_steps(data, lambda x: _chart(x, kinds, data["panel"], tables.source_language))


def template() -> templates.Template:
    """Return the chart of `plots/overlap/pairs.csv`."""
    kinds = templates.of_table("language", domain=templates.TARGETS)
    where = ["rev", "model", "checkpoint", "step", "layer", "language"]
    drawn = (
        _chart(templates.STEPS, kinds, templates.TABLE_ORDER, "the source language")
        .transform_filter("datum.studied && datum.control == 'none' && datum.language_a != datum.language_b")
        .transform_filter("datum.language_a == source || datum.language_b == source")
        .transform_calculate(language="datum.language_a == source ? datum.language_b : datum.language_a")
        .transform_aggregate(**templates.means(_VALUES), categories="distinct(category)", groupby=where)
        .transform_calculate(panel=templates.panel("datum.model + ', layer ' + datum.layer"))
        .add_params(*templates.STUDY)
    )
    return templates.Template(drawn, overlap.PAIRS.schema, READING)


def _chart(x: alt.X, kinds: charts.Kinds, order: Any, source: str) -> Any:
    base = alt.Chart().encode(x=x)
    y = charts.rate(title=f"overlap rate with {source}")
    tooltips = ("model:N", "layer:O", "language:N", "step:Q", "overlap:Q", "corrected:Q", "categories:O")
    by_chance = charts.reference(base, "mean(expected):Q")
    return charts.panelled(alt.layer(by_chance, *kinds.lines(base, y, *tooltips)), order)
