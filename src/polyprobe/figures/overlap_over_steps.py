"""Figure 1: overlap of neurons over training steps, per category."""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts.dimensions import short_name
from polyprobe.figures.style import REFERENCE_COLOUR, legend_beside, marks, panels, step_axis, styled
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_over_steps"
TITLE: Final = "Overlap of neurons over training"
READING: Final = (
    "Each line is one category: the share of its k most informative neurons that two languages have in common, "
    "averaged over pairs of languages and over the study's layers; the band is the 95 % interval of the bootstrap over "
    "languages. The dotted line is what two random sets of k neurons share; the dashed one what probes trained on "
    "shuffled labels share. Only what lies above both is alignment."
)

_SHUFFLED: Final = "shuffled labels"


def data(tables: Tables) -> pd.DataFrame:
    """model, step, series (a category's short name, or shuffled labels), overlap, low, high, expected."""
    studied = tables.means[tables.means["studied"] & tables.means["control"].isin(["none", "shuffled_labels"])]
    series = studied["category"].map(short_name).where(studied["control"] == "none", _SHUFFLED)
    grouped = studied.assign(series=series).groupby(["model", "series", "step"], sort=False, as_index=False)
    return grouped[["overlap", "low", "high", "expected"]].mean()


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """One panel per model."""
    with styled():
        models = list(dict.fromkeys(data["model"]))
        categories = [name for name in dict.fromkeys(data["series"]) if name != _SHUFFLED]
        figure, axes = panels(1, len(models), legend_width=1.3)
        for model, panel in zip(models, axes[0], strict=True):
            rows = data[data["model"] == model].sort_values("step")
            for category, mark in marks(categories).items():
                line = rows[rows["series"] == category]
                panel.plot(line["step"], line["overlap"], label=category, **mark.line())
                panel.fill_between(
                    line["step"],
                    line["low"],
                    line["high"],
                    color=mark.colour,
                    alpha=0.15,
                    linewidth=0,
                )
            null = rows[rows["series"] == _SHUFFLED]
            if len(null):
                panel.plot(
                    null["step"], null["overlap"], color=REFERENCE_COLOUR, linestyle="--", linewidth=1, label=_SHUFFLED
                )
            panel.axhline(
                rows["expected"].mean(), color=REFERENCE_COLOUR, linestyle=":", linewidth=1, label="expected by chance"
            )
            step_axis(panel, rows["step"].tolist())
            panel.set_ylim(bottom=0)
            panel.set_title(model)
        axes[0][0].set_ylabel("overlap rate")
        legend_beside(figure, categories)
        return figure
