"""Figure 5 and Appendix B.3: zero-shot transfer over training steps, per language.

The paper shows two models and keeps the others for B.3; here every model has its row.
"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts.scores import MAIN_METRIC
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
