"""Tables in Markdown, as the pages of docs/ have them."""

from collections.abc import Iterable


def markdown_table(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table: numbers to three decimals, a dash for what is missing.

    Args:
        header: names of the columns.
        rows: as many cells each.
    """
    names = list(header)
    lines: list[Iterable[object]] = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(_text(cell) for cell in line)} |" for line in lines)


def _text(cell: object) -> str:
    # NaN alone differs from itself.
    if cell is None or cell != cell:
        return "–"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)
