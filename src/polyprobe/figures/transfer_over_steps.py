"""Figure 5 and Appendix B.3: zero-shot transfer over training steps, per language.

The paper shows two models and keeps the others for B.3; here every model has its row.
"""

from typing import Any, Final

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts import scores
from polyprobe.artefacts.scores import MAIN_METRIC
from polyprobe.figures import charts, templates
from polyprobe.figures.style import language_marks, legend_beside, panels, reference, score_name, step_axis, styled
from polyprobe.figures.tables import Tables

NAME: Final = "transfer_over_steps"
TITLE: Final = "Zero-shot transfer over training, per language"
READING: Final = (
    "Each line is one language's test score after fine-tuning that checkpoint on the source language, which is black "
    "with stars: the distance to it is what transfer loses. The dotted line is the baseline (the better of the "
    "majority class and the untrained head, averaged over languages)."
)


def data(tables: Tables) -> pd.DataFrame:
    """Return each language's test score in the main metric of each task, at each checkpoint.

    Returns:
        One row per model, checkpoint, task and language: columns model, checkpoint, step, tokens_seen (may be missing),
        task, metric, language, score, standard_error, and baseline (the better of the majority class and the untrained
        head).
    """
    rows = tables.transfer[tables.transfer["metric"] == tables.transfer["task"].map(MAIN_METRIC)]
    baseline = rows[["majority", "untrained"]].max(axis=1)
    rows = rows.assign(baseline=baseline, tokens_seen=rows["tokens_seen"].astype("Int64"))
    where = ["model", "checkpoint", "step", "tokens_seen", "task", "metric", "language"]
    return rows[[*where, "score", "standard_error", "baseline"]].reset_index(drop=True)


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """Draw one row of panels per model and one column per task, with one line per language.

    Args:
        data: what `data` returns.
        tables: the study's tables, for its languages.
    """
    with styled():
        models, tasks = (list(dict.fromkeys(data[name])) for name in ("model", "task"))
        figure, axes = panels(len(models), len(tasks), legend_width=0.9, share_y="col")
        labels = [_label(code, tables.source_language) for code in tables.languages]
        for model, row in zip(models, axes, strict=True):
            for task, panel in zip(tasks, row, strict=True):
                rows = data[(data["task"] == task) & (data["model"] == model)]
                for code, mark in language_marks(tables.languages, tables.source_language).items():
                    line = rows[rows["language"] == code].sort_values("step", kind="stable")
                    if len(line):
                        panel.errorbar(
                            line["step"],
                            line["score"],
                            yerr=line["standard_error"],
                            label=_label(code, tables.source_language),
                            elinewidth=0.7,
                            **mark.line(),
                        )
                reference(panel, rows, "baseline", "baseline", ":")
                step_axis(panel, rows["step"].tolist())
                panel.set_title(f"{model}, {task.upper()}")
                panel.set_ylabel(score_name(data.loc[data["task"] == task, "metric"].iloc[0]))
        legend_beside(figure, labels)
        return figure


def _label(code: str, source_language: str) -> str:
    return f"{code} (source)" if code == source_language else code


def chart(data: pd.DataFrame, tables: Tables) -> charts.Chart:
    """Return the interactive chart, with one panel per model and task, and one line per language.

    Args:
        data: what `data` returns.
        tables: the study's tables, for its languages.
    """
    data = data.assign(
        panel=data["model"] + ", " + data["task"].str.upper() + " " + data["metric"].str.replace("_", " "),
        low=data["score"] - data["standard_error"],
        high=data["score"] + data["standard_error"],
    )
    marks = charts.present(language_marks(tables.languages, tables.source_language), data["language"])
    kinds = charts.kinds("language", marks)
    return charts.charts_over_steps(data, lambda x: _chart(x, kinds, data["panel"]))


def template() -> templates.Template:
    """Return the chart of `plots/transfer.csv`."""
    main = ", ".join(f"{task}: '{metric}'" for task, metric in MAIN_METRIC.items())
    kinds = templates.of_table("language", domain=templates.SOURCE_FIRST, source=True)
    name = "datum.model + ', ' + upper(datum.task) + ' ' + replace(datum.metric, '_', ' ')"
    drawn = (
        _chart(templates.STEPS, kinds, templates.TABLE_ORDER)
        .transform_filter(f"datum.metric == {{{main}}}[datum.task]")
        .transform_calculate(baseline="max(datum.majority, datum.untrained)")
        .transform_calculate(low="datum.score - datum.standard_error", high="datum.score + datum.standard_error")
        .transform_calculate(panel=templates.panel(name))
        .add_params(*templates.STUDY)
    )
    return templates.Template(drawn, scores.PLOT.schema, READING, source=True)


def _chart(x: alt.X, kinds: charts.Kinds, order: Any) -> Any:
    base = alt.Chart().encode(x=x)
    y = alt.Y("score:Q", title="test score", scale=alt.Scale(zero=False))
    error = kinds.coloured(base).mark_rule(strokeWidth=1).encode(y=charts.rate("low", "test score"), y2="high:Q")
    lines = kinds.lines(base, y, "model:N", "language:N", "step:Q", "score:Q", "standard_error:Q", "baseline:Q")
    baseline = charts.reference(base, "mean(baseline):Q")
    return charts.panelled(alt.layer(baseline, error, *lines), order, shared_y=False)
