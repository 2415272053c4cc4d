"""Long lists of names in a line."""

from collections.abc import Sequence
from pathlib import Path


def first_few(names: Sequence[str | Path], count: int = 3) -> str:
    """Return the first few names, and how many more there are.

    Args:
        names: all of them.
        count: how many are named.
    """
    more = len(names) - count
    return ", ".join(map(str, names[:count])) + (f" and {more} more" if more > 0 else "")
