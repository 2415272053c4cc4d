"""What one UniMorph tag says, and the canonical order of tags (Sylak-Glassman 2016)."""

from functools import cache
from typing import Final, NamedTuple

from polyprobe.artefacts.dimensions import dimensions

PART_OF_SPEECH: Final = "Part of Speech"
POSSESSION: Final = "Possession"


class Attribute(NamedTuple):
    """A dimension and the value that a tag gives it."""

    dimension: str
    value: str


_BY_DEFINITION: Final = {
    # Its parts are of two dimensions (PRF is an aspect), so the rule for sums does not reach it.
    "PST+PRF": Attribute("Tense", "PST+PRF"),
    "NDEF": Attribute("Definiteness", "INDF"),
}


def read_tag(tag: str) -> Attribute | None:
    """Return the attribute that a tag sets; None for a disjunction, a language-specific or an unknown tag.

    Raises:
        ValueError: a tag of agreement lacks the argument's person or number, or a tag joins values of several
            dimensions.
    """
    if "/" in tag or tag.startswith("LGSPEC"):
        return None
    tag = tag.strip("{}")
    if tag in _BY_DEFINITION:
        return _BY_DEFINITION[tag]
    if tag.startswith("ARG"):
        return _argument(tag)
    if "PSS" in tag:
        return Attribute(POSSESSION, tag)
    if "+" in tag:
        return _sum(tag)
    return Attribute(_places()[tag][0], tag) if tag in _places() else None


def canonical_key(tag: str) -> tuple[int, int, int, str]:
    """Return the key that sorts a tag into the canonical order.

    Part of Speech comes first, then the schema's other dimensions and their values in order, then all tags that stand
    outside the schema.
    """
    try:
        attribute = None if "{" in tag else read_tag(tag)
    except ValueError:
        attribute = None
    if attribute is None:
        return (len(_dimension_order()), 0, 0, tag)
    parts = attribute.value.split("+")
    outside = len(dimensions()[attribute.dimension])
    position = min(_places()[part][1] if _in_dimension(part, attribute) else outside for part in parts)
    return (_dimension_order()[attribute.dimension], position, len(parts), tag)


def _argument(tag: str) -> Attribute:
    rest = tag.removeprefix("ARG")
    if rest not in _places():
        raise ValueError(f"agreement {tag} has no UniMorph reading, expected person and number of the argument")
    return Attribute(_places()[rest][0], rest)


def _sum(tag: str) -> Attribute | None:
    parts = sorted(tag.split("+"))
    if not all(part in _places() for part in parts):
        return None
    found = sorted({_places()[part][0] for part in parts})
    if len(found) > 1:
        raise ValueError(f"tag {tag} joins values of {' and '.join(found)}, expected one dimension")
    return Attribute(found[0], "+".join(parts))


def _in_dimension(value: str, attribute: Attribute) -> bool:
    return value in _places() and _places()[value][0] == attribute.dimension


@cache
def _places() -> dict[str, tuple[str, int]]:
    """Return each value's dimension and its place in it, from 0."""
    return {value: (name, position) for name, values in dimensions().items() for position, value in enumerate(values)}


@cache
def _dimension_order() -> dict[str, int]:
    others = [name for name in dimensions() if name != PART_OF_SPEECH]
    return {name: position for position, name in enumerate([PART_OF_SPEECH, *others])}
