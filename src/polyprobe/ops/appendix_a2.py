"""The categories that the paper probes in each language: its Appendix A.2."""

from functools import cache
from pathlib import Path
from typing import Final

from polyprobe.artefacts.dimensions import dimension_name

_TABLE: Final = Path(__file__).with_name("appendix_a2.yaml")


@cache
def papers_categories() -> dict[str, frozenset[str]]:
    """Return the dimensions that the paper probes, by language."""
    import yaml

    table: dict[str, list[str]] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return {language: frozenset(map(dimension_name, names)) for language, names in table.items()}


def in_paper(language: str, category: str) -> bool | None:
    """Return whether the paper probes the category in the language; None for a language that it does not have."""
    known = papers_categories().get(language)
    return None if known is None else category in known
