"""Intrinsic probes over arrays: which neurons tell a label (section 2)."""

from polyprobe.probes.families import FAMILIES, fit, fit_side_by_side
from polyprobe.probes.greedy import Selection, select_greedily
from polyprobe.probes.information import Scores, label_entropy, score_prefixes
from polyprobe.probes.inputs import inputs_of
from polyprobe.probes.intrinsic import Dataset, Run, probe_dataset
from polyprobe.probes.probe import Data, LinearProbe, Probe, TrainedProbe

__all__ = [
    "FAMILIES",
    "Data",
    "Dataset",
    "LinearProbe",
    "Probe",
    "Run",
    "Scores",
    "Selection",
    "TrainedProbe",
    "fit",
    "fit_side_by_side",
    "inputs_of",
    "label_entropy",
    "probe_dataset",
    "score_prefixes",
    "select_greedily",
]
