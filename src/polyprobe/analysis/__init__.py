"""Overlap of neurons against zero-shot transfer: the points, the correlation table, drops, and the study's summary."""

from polyprobe.analysis.cluster_bootstrap import cluster_bootstrap
from polyprobe.analysis.coefficients import pearson, spearman, within_checkpoints, within_languages
from polyprobe.analysis.correlation_table import at_chance, correlation_table
from polyprobe.analysis.coverage import measured_coverage, simulated_coverage
from polyprobe.analysis.drops import drop_table
from polyprobe.analysis.mixed_model import MixedModel, mixed_model
from polyprobe.analysis.partial_correlation import partial_correlation
from polyprobe.analysis.permutation import permutation_test
from polyprobe.analysis.points import Part, choose_overlap, points, points_of_parts
from polyprobe.analysis.predictors import predictor_points, predictor_table
from polyprobe.analysis.summary import summary
from polyprobe.analysis.transfer_table import transfer_table

__all__ = [
    "MixedModel",
    "Part",
    "at_chance",
    "choose_overlap",
    "cluster_bootstrap",
    "correlation_table",
    "drop_table",
    "measured_coverage",
    "mixed_model",
    "partial_correlation",
    "pearson",
    "permutation_test",
    "points",
    "points_of_parts",
    "predictor_points",
    "predictor_table",
    "simulated_coverage",
    "spearman",
    "summary",
    "transfer_table",
    "within_checkpoints",
    "within_languages",
]
