"""Layered features, `Number[psor]=Sing`: the possessor's become one PSS tag, each argument's one ARG tag."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_LAYERED: Final = re.compile(r"([^\[=]*)\[([^\]]*)\]=(.*)")
ARGUMENTS: Final = {"erg": "ER", "dat": "DA", "abs": "AB"}
"""The layers of arguments that every language may have, and UniMorph's names of the arguments."""
_WITHOUT_TAG: Final = ("psed", "gram")
_NUMBERS: Final = {"Sing": "S", "Plur": "P", "Dual": "D"}
_POSSESSOR: Final = "psor"


def is_layered(item: str) -> bool:
    """Return whether an item of FEATS names a layer."""
    return "[" in item and "[" in item.partition("=")[0]


def is_read(item: str) -> bool:
    """Return whether a layered item has a part in its layer's tag.

    Person and number have, gender and politeness have not.
    """
    found = _LAYERED.fullmatch(item)
    return found is not None and found[2] not in _WITHOUT_TAG and found[1] in ("Person", "Number")


def layered_tags(items: Sequence[str], arguments: Mapping[str, str] = ARGUMENTS) -> set[str]:
    """Return the tags of the layered items among those of FEATS.

    Args:
        items: all items of FEATS.
        arguments: the language's layers of arguments, with UniMorph's names of the arguments.

    Raises:
        ValueError: a layer is unknown, the possessor has more than two features, or an item is no
            Feature[layer]=Value.
    """
    layers: dict[str, list[tuple[str, str]]] = {}
    for item in filter(is_layered, items):
        if not (found := _LAYERED.fullmatch(item)):
            raise ValueError(f"feature {item}: expected Feature[layer]=Value")
        layers.setdefault(found[2], []).append((found[1], found[3]))
    return {tag for layer, features in layers.items() if (tag := _tag(layer, features, arguments))}


def _tag(layer: str, features: list[tuple[str, str]], arguments: Mapping[str, str]) -> str | None:
    if layer in _WITHOUT_TAG:
        return None
    if layer == _POSSESSOR:
        return _possessor(features)
    if layer not in arguments:
        raise ValueError(f"unknown layer [{layer}], expected {', '.join([_POSSESSOR, *arguments, *_WITHOUT_TAG])}")
    return "ARG" + arguments[layer] + _person_and_number(dict(features))


def _possessor(features: list[tuple[str, str]]) -> str | None:
    if len(features) > 2:
        names = ", ".join(name for name, _ in features)
        raise ValueError(f"expected at most two features of [{_POSSESSOR}], found {names}")
    if any(value == "None" for _, value in features):
        return "PSSD"
    marked = _person_and_number(dict(features))
    return f"PSS{marked}" if marked else None


def _person_and_number(features: dict[str, str]) -> str:
    """Return what person and number add to a layer's tag; gender and politeness do not count."""
    return features.get("Person", "") + _NUMBERS.get(features.get("Number", ""), "")
