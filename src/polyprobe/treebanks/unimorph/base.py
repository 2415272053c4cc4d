"""From UPOS and FEATS to UniMorph tags, the same in every language (McCarthy et al. 2018)."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from polyprobe.treebanks.unimorph.layers import ARGUMENTS, is_layered, is_read, layered_tags

NOTHING: Final = "_"
"""An empty column."""
_TABLE: Final = Path(__file__).with_name("base.yaml")
_UPOS: Final = "UPOS"


def base_tags(upos: str, feats: str, arguments: Mapping[str, str] = ARGUMENTS) -> set[str]:
    """Return the tags of a token before its language's rules.

    Args:
        upos: the UPOS column.
        feats: the FEATS column, `_` where it is empty.
        arguments: the language's layers of arguments, with UniMorph's names of the arguments.

    Raises:
        ValueError: a bracketed layer is unknown or overfull.
    """
    items = _items(feats)
    tags = {tag for item in [upos, *items] if not is_layered(item) for tag in _tags(item)}
    return tags | layered_tags(items, arguments)


def unmapped_items(upos: str, feats: str) -> tuple[str, ...]:
    """Return what of a token has no tag: its UPOS, or values of features (each value of a list by itself).

    Of a layer, what is not read counts: gender, politeness, whole layers without a tag.

    Args:
        upos: the UPOS column.
        feats: the FEATS column, `_` where it is empty.

    Returns:
        UPOS as written, features as `Feature=Value`.
    """
    items = _items(feats)
    single = [
        f"{feature}={value}"
        for feature, _, values in (item.partition("=") for item in items if not is_layered(item))
        for value in values.split(",")
    ]
    lost = [item for item in [upos, *single] if item != NOTHING and not _table().get(item)]
    return (*lost, *(item for item in items if is_layered(item) and not is_read(item)))


def _items(feats: str) -> list[str]:
    return [] if feats == NOTHING else feats.split("|")


@cache
def _table() -> dict[str, tuple[str, ...]]:
    """Return the tags of each item, which is looked up whole: `Number=Sing`, or the bare UPOS `NOUN`."""
    import yaml

    features: dict[str, dict[str, str]] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return {
        value if feature == _UPOS else f"{feature}={value}": tuple(tags.split(";"))
        for feature, values in features.items()
        for value, tags in values.items()
    }


def _tags(item: str) -> tuple[str, ...]:
    return _alternatives(item) if "," in item else _table().get(item, ())


def _alternatives(item: str) -> tuple[str, ...]:
    """Return the tag of a feature with several values: `Case=Acc,Dat` gives `{ACC/DAT}`.

    A value's second tag (Case=Add) is no alternative and is left out.
    """
    feature, _, values = item.partition("=")
    tags = [found[0] for value in values.split(",") if (found := _table().get(f"{feature}={value}"))]
    return ("{" + "/".join(tags) + "}",) if tags else ()
