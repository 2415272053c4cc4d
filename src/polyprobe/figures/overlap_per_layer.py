"""Figure 2: overlap of neurons per layer at the last checkpoint."""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from polyprobe.artefacts.dimensions import short_name
from polyprobe.figures.style import REFERENCE_COLOUR, legend_beside, marks, panels, styled
from polyprobe.figures.tables import Tables

NAME: Final = "overlap_per_layer"
TITLE: Final = "Overlap of neurons per layer"
READING: Final = (
    "The last checkpoint, layer by layer: layer 1 is the embedding output, the highest number the model's output. Each "
    "line is one category, averaged over pairs of languages, with the 95 % interval of the bootstrap over languages. "
    "The dotted line is what two random sets share."
)


def data(tables: Tables) -> pd.DataFrame:
    """model, checkpoint, category (short name), layer, overlap, low, high, expected."""
    proper = tables.layers[tables.layers["control"] == "none"]
    proper = proper.assign(category=proper["category"].map(short_name))
    columns = ["model", "checkpoint", "category", "layer", "overlap", "low", "high", "expected"]
    return proper[columns].sort_values("layer", kind="stable", ignore_index=True)


def draw(data: pd.DataFrame, tables: Tables) -> Figure:
    """One panel per model."""
    with styled():
        models = list(dict.fromkeys(data["model"]))
        categories = list(dict.fromkeys(tables.means["category"].map(short_name)))
        figure, axes = panels(1, len(models), legend_width=1.3)
        for model, panel in zip(models, axes[0], strict=True):
            rows = data[data["model"] == model]
            for category, mark in marks(categories).items():
                line = rows[rows["category"] == category]
                if len(line):
                    panel.errorbar(
                        line["layer"],
                        line["overlap"],
                        yerr=[line["overlap"] - line["low"], line["high"] - line["overlap"]],
                        label=category,
                        elinewidth=0.7,
                        **mark.line(),
                    )
            panel.axhline(
                rows["expected"].mean(), color=REFERENCE_COLOUR, linestyle=":", linewidth=1, label="expected by chance"
            )
            panel.set_xticks(sorted(set(rows["layer"])))
            panel.set_ylim(bottom=0)
            panel.set_xlabel("layer")
            panel.set_title(f"{model}, {rows['checkpoint'].iloc[-1]}")
        axes[0][0].set_ylabel("overlap rate")
        legend_beside(figure, categories)
        return figure
