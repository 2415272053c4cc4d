"""Treebanks by their names of other releases: UD_French until 2.1 is UD_French-GSD from 2.2 on."""

from functools import cache
from pathlib import Path
from typing import Final

_TABLE: Final = Path(__file__).with_name("renamed.yaml")


def newest_name(treebank: str) -> str:
    """Return the newest name of a treebank."""
    return _renamed().get(treebank, treebank)


def other_names(treebank: str) -> tuple[str, ...]:
    """Return the other names that a treebank has or had, the newest first."""
    older = (old for old, new in _renamed().items() if new == newest_name(treebank))
    return tuple(name for name in (newest_name(treebank), *older) if name != treebank)


def find_folder(root: Path, treebank: str) -> Path:
    """Return a treebank's folder below `root`, by its name or another one of its names.

    Args:
        root: a folder that holds folders of treebanks.
        treebank: the treebank's name of any release.

    Returns:
        The first folder that is there; the one with the name given where none is.
    """
    candidates = [root / name for name in (treebank, *other_names(treebank))]
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


@cache
def _renamed() -> dict[str, str]:
    import yaml

    table: dict[str, str] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return table
