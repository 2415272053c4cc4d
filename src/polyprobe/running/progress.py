"""Progress bars, quiet where the error stream is no terminal."""

from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(
    items: Iterable[Item] | None = None,
    *,
    description: str,
    total: int | None = None,
    unit: str = "it",
    unit_scale: bool = False,
) -> "tqdm[Item]":
    """Return a tqdm bar over `items`, or one to advance by hand where `items` is None.

    Args:
        items: what the bar counts while it yields them.
        description: the text before the bar.
        total: how many items there are, where `items` does not tell.
        unit: what an item is called.
        unit_scale: whether great numbers are shown with prefixes, such as 1.2M.
    """
    given: Any = items
    return tqdm(
        given,
        desc=description,
        total=total,
        unit=unit,
        unit_scale=unit_scale,
        disable=None,
        dynamic_ncols=True,
        leave=False,
    )
