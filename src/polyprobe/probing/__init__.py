"""Probes of a study's words: from tables of words and embeddings to the rows of `artefacts.probes`."""

from polyprobe.probing.cell import Cell, probe_cell, values_to_tell

__all__ = ["Cell", "probe_cell", "values_to_tell"]
