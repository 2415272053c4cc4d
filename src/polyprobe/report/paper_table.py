"""Table 1 of the paper, and the study's own correlations beside it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from polyprobe.artefacts.correlation import Cell
from polyprobe.report.listings import MISSING, Listing, interval, listing, number, p_value, text, upper


@dataclass(frozen=True)
class PaperCell:
    """One cell of the table."""

    r: str
    """Pearson's, as printed."""
    p: str
    """As printed."""
    n: int
    """Points: not printed, but r and p admit no other number (the 1b7's pairwise XNLI: 28 to 33). It is that of the
    checkpoints and target languages; the pairwise POS points take in the converged model."""


TABLE: Final[dict[tuple[str, str, str], PaperCell]] = {
    ("560m", "xnli", "average"): PaperCell("0.808", "0.052", 6),
    ("560m", "xnli", "pairwise"): PaperCell("0.568", "8.774e-05", 6 * 7),
    ("560m", "pos", "average"): PaperCell("0.940", "0.005", 6),
    ("560m", "pos", "pairwise"): PaperCell("0.612", "3.277e-09", 7 * 11),
    ("1b1", "xnli", "average"): PaperCell("0.804", "0.016", 8),
    ("1b1", "xnli", "pairwise"): PaperCell("0.723", "3.081e-10", 8 * 7),
    ("1b1", "pos", "average"): PaperCell("0.831", "0.011", 8),
    ("1b1", "pos", "pairwise"): PaperCell("0.638", "1.204e-12", 9 * 11),
    ("1b7", "xnli", "average"): PaperCell("0.395", "0.605", 4),
    ("1b7", "xnli", "pairwise"): PaperCell("0.572", "0.001", 4 * 7),
    ("1b7", "pos", "average"): PaperCell("0.258", "0.742", 4),
    ("1b7", "pos", "pairwise"): PaperCell("0.534", "2.691e-05", 5 * 11),
}
"""By size of BLOOM, task and aggregation."""

_MODEL: Final = re.compile(r"(?:bloom[-_]?)?(560m|1b1|1b7)", re.IGNORECASE)


def paper_size(model: str) -> str | None:
    """Return which size of BLOOM in the paper's table a model of this name is; None for another model."""
    found = _MODEL.fullmatch(model)
    return found[1].lower() if found else None


def paper_comparison(cells: Sequence[Cell], models: Iterable[str]) -> Listing | None:
    """List the paper's r and p beside the study's, for the paper's models that the study has; None where it has none.

    Args:
        cells: `metrics/correlation.json`.
        models: names of the study's models.
    """
    ours = {
        (paper_size(cell["model"]), cell["task"], cell["aggregation"]): cell
        for cell in cells
        if cell["category"] is None and cell["layer"] is None
    }
    sizes = {size: model for model in models if (size := paper_size(model))}
    rows = [
        {
            "model": sizes[size],
            "task": task,
            "points": aggregation,
            "theirs": theirs,
            "ours": ours.get((size, task, aggregation), {}),
        }
        for (size, task, aggregation), theirs in TABLE.items()
        if size in sizes
    ]
    if not rows:
        return None
    return listing(
        "The paper's Table 1 and this study",
        rows,
        {
            "model": text("model"),
            "task": upper("task"),
            "points": text("points"),
            "n, paper": lambda row: str(row["theirs"].n),
            "n, here": lambda row: str(row["ours"].get("n", MISSING)),
            "r, paper": lambda row: row["theirs"].r,
            "r, here": lambda row: number(row["ours"].get("r")),
            "95% interval, here": lambda row: interval(row["ours"].get("interval")),
            "paper's r in it": lambda row: _inside(row["theirs"], row["ours"].get("interval")),
            "p, paper": lambda row: row["theirs"].p,
            "p, here": lambda row: p_value(row["ours"].get("p")),
            "": lambda row: row["ours"].get("note", "not run here") or "",
        },
        "r: Pearson's. p takes the points for independent. The paper prints no n: it is what its r and p admit.",
    )


def _inside(theirs: PaperCell, ends: Sequence[float] | None) -> str:
    if ends is None:
        return MISSING
    return "yes" if ends[0] <= float(theirs.r) <= ends[1] else "no"
