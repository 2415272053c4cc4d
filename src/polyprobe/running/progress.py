"""Progress bars, quiet where the error stream is no terminal."""

from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Iterable[Item] | None = None, *, description: str, **settings: Any) -> "tqdm[Item]":
    """Return a tqdm bar over `items`, or one to advance by hand where `items` is None.

    Args:
        items: what the bar counts while it yields them.
        description: the text before the bar.
        **settings: tqdm's own, such as `total` (how many items there are, where `items` does not tell) and `unit`.
    """
    given: Any = items
    return tqdm(given, desc=description, disable=None, dynamic_ncols=True, leave=False, **settings)
