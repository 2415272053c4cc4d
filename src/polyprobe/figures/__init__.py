"""Every figure of the study, each as tidy data, as a matplotlib drawing for print, and as an interactive chart.

A figure is a module with NAME, TITLE, READING (how to read it), `data(tables)` (tidy rows, none where the study has
nothing to draw), `draw(data, tables)` for print, `chart(data, tables)` for the report's page, and, where one table is
enough for it, `template()` for `dvc plots`. The map of pairs has `chart_of_map(languages)` for the page's own choosers.
"""

from types import ModuleType
from typing import Final

from polyprobe.figures import (
    overlap_against_transfer,
    overlap_and_transfer_over_steps,
    overlap_by_size,
    overlap_over_steps,
    overlap_per_layer,
    overlap_with_source_over_steps,
    pairwise_heatmap,
    transfer_over_steps,
)
from polyprobe.figures.drawing import draw_all
from polyprobe.figures.saving import save
from polyprobe.figures.tables import Tables, read_tables

FIGURES: Final[tuple[ModuleType, ...]] = (
    overlap_over_steps,
    overlap_per_layer,
    overlap_and_transfer_over_steps,
    overlap_against_transfer,
    transfer_over_steps,
    pairwise_heatmap,
    overlap_with_source_over_steps,
    overlap_by_size,
)
"""In the paper's order: Figures 1 to 5 (5 is Appendix B.3 too), Appendix B.1 and B.2; then what the paper has not."""

__all__ = ["FIGURES", "Tables", "draw_all", "read_tables", "save"]
