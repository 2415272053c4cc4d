"""Overlap of neurons against zero-shot transfer: the points, the correlation table, drops, and the study's summary."""

from polyprobe.analysis.at_chance import at_chance
from polyprobe.analysis.cluster_bootstrap import cluster_bootstrap
from polyprobe.analysis.correlation_table import correlation_table
from polyprobe.analysis.coverage import measured_coverage, simulated_coverage
from polyprobe.analysis.drops import drop_table
from polyprobe.analysis.missing import files_there
from polyprobe.analysis.mixed_model import MixedModel, mixed_model
from polyprobe.analysis.partial import partial_correlation
from polyprobe.analysis.pearson import pearson
from polyprobe.analysis.permutation import permutation_test
from polyprobe.analysis.points import Part, choose_overlap, points, points_of_parts
from polyprobe.analysis.predictors import predictor_points, predictor_table
from polyprobe.analysis.spearman import spearman
from polyprobe.analysis.summary import summary
from polyprobe.analysis.transfer_table import transfer_table
from polyprobe.analysis.within import within_checkpoints, within_languages

__all__ = [
    "MixedModel",
    "Part",
    "at_chance",
    "choose_overlap",
    "cluster_bootstrap",
    "correlation_table",
    "drop_table",
    "files_there",
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
