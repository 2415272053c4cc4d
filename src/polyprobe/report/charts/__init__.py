"""Every figure as an interactive chart, made of the same rows as its drawing.

A chart is a module with the name of its figure and `chart(tables)`; the map of pairs is made by the page's own choosers
(`pairwise_heatmap.specification`).
"""

from collections.abc import Callable
from typing import Final

from polyprobe.figures import Tables
from polyprobe.report.charts import (
    overlap_against_transfer,
    overlap_and_transfer_over_steps,
    overlap_by_size,
    overlap_over_steps,
    overlap_per_layer,
    overlap_with_source_over_steps,
    transfer_over_steps,
)
from polyprobe.report.charts._parts import Chart

CHARTS: Final[dict[str, Callable[[Tables], Chart]]] = {
    module.__name__.rsplit(".", 1)[1]: module.chart
    for module in (
        overlap_over_steps,
        overlap_per_layer,
        overlap_and_transfer_over_steps,
        overlap_against_transfer,
        transfer_over_steps,
        overlap_with_source_over_steps,
        overlap_by_size,
    )
}
"""By the names of figures."""

__all__ = ["CHARTS", "Chart"]
