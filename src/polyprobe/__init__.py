"""Reproducible experiments on how language models align languages."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["__version__", "load_results"]


def __getattr__(name: str) -> str:
    """Return the version as the package's metadata says it, for `__version__`.

    Raises:
        AttributeError: another name was asked for.
    """
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("polyprobe")


def load_results(root: str | Path = ".") -> "dict[str, pd.DataFrame]":
    """Return every table of the study under `root` as pandas frames, by name, for notebooks.

    Tables that the study has not computed yet are left out. See `polyprobe.artefacts.results` for names and grains.
    """
    from polyprobe.artefacts.results import load

    return load(Path(root))
