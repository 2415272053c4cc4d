"""Layered features, `Number[psor]=Sing`: the possessor's become one PSS tag, each argument's one ARG tag."""

import re
from collections.abc import Sequence
from typing import Final

_LAYERED: Final = re.compile(r"([^\[=]*)\[([^\]]*)\]=(.*)")
_ARGUMENTS: Final = {"erg": "ER", "dat": "DA", "abs": "AB"}
_WITHOUT_TAG: Final = ("psed", "gram")
_NUMBERS: Final = {"Sing": "S", "Plur": "P", "Dual": "D"}
_POSSESSOR: Final = "psor"


def is_layered(item: str) -> bool:
    """Whether an item of FEATS names a layer."""
    return "[" in item


def layered_tags(items: Sequence[str]) -> set[str]:
    """The tags of the layered items among those of FEATS.

    Raises:
        ValueError: an unknown layer, or more than two features of the possessor.
    """
    layers: dict[str, dict[str, str]] = {}
    for item in filter(is_layered, items):
        if not (found := _LAYERED.fullmatch(item)):
            raise ValueError(f"feature {item}: expected Feature[layer]=Value")
        layers.setdefault(found[2], {})[found[1]] = found[3]
    return {tag for layer, features in layers.items() if (tag := _tag(layer, features))}


def _tag(layer: str, features: dict[str, str]) -> str | None:
    if layer in _WITHOUT_TAG:
        return None
    if layer == _POSSESSOR:
        return _possessor(features)
    if layer not in _ARGUMENTS:
        raise ValueError(f"unknown layer [{layer}], expected {', '.join([_POSSESSOR, *_ARGUMENTS, *_WITHOUT_TAG])}")
    return "ARG" + _ARGUMENTS[layer] + _person_and_number(features)


def _possessor(features: dict[str, str]) -> str | None:
    if len(features) > 2:
        raise ValueError(f"expected at most two features of [{_POSSESSOR}], found {', '.join(features)}")
    if "None" in features.values():
        return "PSSD"
    marked = _person_and_number(features)
    return f"PSS{marked}" if marked else None


def _person_and_number(features: dict[str, str]) -> str:
    """Only these two count; gender and politeness do not."""
    return features.get("Person", "") + _NUMBERS.get(features.get("Number", ""), "")
