"""The dimensions of the UniMorph schema (Sylak-Glassman 2016) and their values, in canonical order.

A category of the paper ("Number", "Gender") is a dimension here; its labels are the dimension's values.
"""

from functools import cache
from pathlib import Path
from typing import Final

_TABLE: Final = Path(__file__).with_name("dimensions.yaml")

SHORT_NAMES: Final = {
    "POS": "Part of Speech",
    "Gender": "Gender and Noun Class",
    "ArgumentMark": "Argument Marking",
    "InfoStructure": "Information Structure",
    "SwitchRef": "Switch-Reference",
}
"""Names that the paper's tables use, accepted in params.yaml."""


@cache
def dimensions() -> dict[str, tuple[str, ...]]:
    """Return each dimension with its values, both in canonical order."""
    import yaml

    table: dict[str, str] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return {name: tuple(values.split()) for name, values in table.items()}


def dimension_name(name: str) -> str:
    """Return the schema's name of a dimension that is given by this name or a short one.

    Raises:
        KeyError: no dimension has this name.
    """
    full = SHORT_NAMES.get(name, name)
    if full not in dimensions():
        raise KeyError(name)
    return full


def short_name(dimension: str) -> str:
    """Return the short name of a dimension for tables and figures ("POS", "Gender"), itself where it has none."""
    return {full: short for short, full in SHORT_NAMES.items()}.get(dimension, dimension)
