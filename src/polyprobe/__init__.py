"""Reproducible experiments on how language models align languages."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_results"]


def load_results(root: str | Path = ".") -> "dict[str, pd.DataFrame]":
    """Every table of the study under `root` as pandas frames, by name, for notebooks.

    Tables that the study has not computed yet are left out. See `polyprobe.artefacts.results` for names and grains.
    """
    from polyprobe.artefacts.results import load

    return load(Path(root))
