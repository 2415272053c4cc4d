"""The few numbers at the head of the page, each with what it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from polyprobe.artefacts.scores import MAIN_METRIC, TASKS
from polyprobe.figures import Tables
from polyprobe.report.listings import number

_NAMES: Final = {
    "overlap_first": "overlap, first checkpoint",
    "overlap_last": "overlap, last checkpoint",
    "overlap_chance": "overlap by chance",
    "overlap_null": "corrected overlap, shuffled labels",
    "ceiling_last": "noise ceiling",
    "xnli_last": "XNLI zero-shot, last checkpoint",
    "pos_last": "POS zero-shot, last checkpoint",
    "xnli_average_r": "r of overlap and XNLI",
    "pos_average_r": "r of overlap and POS",
}


@dataclass(frozen=True)
class Entry:
    """One number."""

    name: str
    value: str
    detail: str
    """Its interval, its n, or why it is not there."""


def headline(summary: Mapping[str, float | None], tables: Tables) -> list[Entry]:
    """Return the summary's numbers for the study's first model, with intervals and n where tables know them.

    Args:
        summary: `metrics/summary.json`.
        tables: the study's tables.
    """
    details = _of_overlap(tables) | _of_transfer(tables) | _of_correlation(tables)
    return [
        Entry(_NAMES.get(name, name), number(value), details.get(name, "" if value is not None else "not there"))
        for name, value in summary.items()
    ]


def _of_overlap(tables: Tables) -> dict[str, str]:
    proper = tables.means[tables.means["studied"] & (tables.means["control"] == "none")]
    if proper.empty:
        return {}
    proper = proper[proper["model"] == proper["model"].iloc[0]]
    found = {}
    for name, checkpoint in zip(("overlap_first", "overlap_last"), proper["checkpoint"].iloc[[0, -1]], strict=True):
        rows = proper[proper["checkpoint"] == checkpoint]
        if rows[["low", "high"]].notna().all(axis=None):
            found[name] = (
                f"{number(rows['low'].mean())} to {number(rows['high'].mean())} over languages; "
                f"{rows['pairs'].max()} pairs"
            )
        else:
            found[name] = f"{rows['pairs'].max()} pairs"
    return found


def _of_transfer(tables: Tables) -> dict[str, str]:
    found = {}
    for task in TASKS:
        rows = tables.transfer[(tables.transfer["task"] == task) & (tables.transfer["metric"] == MAIN_METRIC[task])]
        rows = rows[rows["language"] != tables.source_language]
        if rows.empty:
            continue
        rows = rows[rows["model"] == rows["model"].iloc[0]]
        rows = rows[rows["checkpoint"] == rows["checkpoint"].iloc[-1]]
        baseline = rows[["majority", "untrained"]].max(axis=1).mean()
        found[f"{task}_last"] = (
            f"± {number(rows['standard_error'].mean())}; baseline {number(baseline)}; {len(rows)} languages"
        )
    return found


def _of_correlation(tables: Tables) -> dict[str, str]:
    found = {}
    for cell in tables.cells:
        name = f"{cell['task']}_average_r"
        if cell["aggregation"] == "average" and cell["category"] is None and name not in found:
            interval = cell["interval"]
            found[name] = cell["note"] or (
                (f"{number(interval[0])} to {number(interval[1])}; " if interval else "") + f"n = {cell['n']}"
            )
    return found
