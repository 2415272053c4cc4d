"""Urdu."""

from typing import Final

ENDING: Final = 0


def adapt(tags: set[str], form: str) -> set[str]:
    """No gender, and nouns have no person."""
    tags = tags - {"MASC", "FEM", "NEUT"}
    if "PROPN" in tags or ("N" in tags and not tags.isdisjoint({"SG", "PL"})):
        tags -= {"3"}
    return tags
