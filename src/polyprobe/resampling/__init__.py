"""Uncertainty of means over pairs of languages, which depend on each other through the languages they share."""

from polyprobe.resampling.jackknife import standard_error, standard_error_of_two
from polyprobe.resampling.language_bootstrap import language_bootstrap

__all__ = ["language_bootstrap", "standard_error", "standard_error_of_two"]
