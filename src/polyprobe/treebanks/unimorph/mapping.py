"""From a token to its UniMorph tags, and from tags to one value per dimension."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from polyprobe.treebanks.unimorph.base import base_tags
from polyprobe.treebanks.unimorph.languages import rules
from polyprobe.treebanks.unimorph.layers import ARGUMENTS
from polyprobe.treebanks.unimorph.tags import PART_OF_SPEECH, canonical_key, read_tag

NO_TAGS: Final = "_"
_VERBAL_NOUNS: Final = ("V.PTCP", "V.MSDR", "V.CVB")
"""They win over any plain part of speech: a participle is a participle, whatever else it is."""


class Analysis(NamedTuple):
    """What UniMorph says of one token."""

    unimorph: str
    """The tags in canonical order joined by `;`, `_` where there are none."""
    attributes: tuple[tuple[str, str], ...]
    """One value per dimension that has one."""


def to_unimorph(upos: str, feats: str, language: str, form: str = "") -> tuple[str, ...]:
    """Return every UniMorph tag of one token, in canonical order; empty where it has none.

    Args:
        upos: the UPOS column.
        feats: the FEATS column, `_` where it is empty.
        language: ISO code; a language without rules of its own has the base mapping.
        form: the word, whose ending some rules of Portuguese and Spanish read.

    Raises:
        ValueError: a bracketed layer of FEATS is unknown or overfull.
    """
    own = rules().get(language)
    if own is None:
        tags = base_tags(upos, feats)
    else:
        tags = own.adapt(base_tags(upos, feats, {**ARGUMENTS, **own.layers}), _ending(form, language))
    return tuple(sorted(tags, key=canonical_key))


def attributes(tags: Iterable[str]) -> dict[str, str]:
    """Return one value per dimension for which the tags give one.

    Where tags compete, V.PTCP, V.MSDR and V.CVB win among parts of speech, else the one that stands first in the
    canonical order.

    Raises:
        ValueError: a tag of agreement lacks the argument's person or number, or a tag joins values of several
            dimensions.
    """
    found: dict[str, str] = {}
    for tag in sorted(tags, key=_preference):
        if attribute := read_tag(tag):
            found.setdefault(attribute.dimension, attribute.value)
    return found


def analyse(upos: str, feats: str, language: str, form: str) -> Analysis:
    """Return tags and attributes of one token, remembered for the next one like it.

    Args:
        upos: the UPOS column.
        feats: the FEATS column, `_` where it is empty.
        language: ISO code; a language without rules of its own has the base mapping.
        form: the word, whose ending some rules of Portuguese and Spanish read.

    Raises:
        ValueError: the features have no UniMorph reading.
    """
    return _analyse(upos, feats, language, _ending(form, language))


def combine(whole: Analysis, parts: tuple[Analysis, ...]) -> Analysis:
    """Return a multiword range's analysis: its own tags, and each attribute that exactly one of its parts has.

    Args:
        whole: the analysis of the range itself.
        parts: the analyses of its syntactic words.
    """
    held: dict[str, list[str]] = {}
    for part in parts:
        for dimension, value in part.attributes:
            held.setdefault(dimension, []).append(value)
    return Analysis(
        whole.unimorph, tuple((dimension, values[0]) for dimension, values in held.items() if len(values) == 1)
    )


def _ending(form: str, language: str) -> str:
    found = rules().get(language)
    return form[-found.ending :] if found and found.ending else ""


@lru_cache(maxsize=1 << 16)
def _analyse(upos: str, feats: str, language: str, ending: str) -> Analysis:
    tags = to_unimorph(upos, feats, language, ending)
    return Analysis(";".join(tags) or NO_TAGS, tuple(attributes(tags).items()))


def _preference(tag: str) -> tuple[int, tuple[int, int, int, str]]:
    attribute = read_tag(tag)
    if attribute and attribute.dimension == PART_OF_SPEECH and attribute.value in _VERBAL_NOUNS:
        return (_VERBAL_NOUNS.index(attribute.value), canonical_key(tag))
    return (len(_VERBAL_NOUNS), canonical_key(tag))
