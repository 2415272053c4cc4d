"""From UPOS and FEATS to UniMorph tags, the same in every language (McCarthy et al. 2018)."""

from functools import cache
from pathlib import Path
from typing import Final

from polyprobe.treebanks.unimorph.layers import is_layered, layered_tags

_TABLE: Final = Path(__file__).with_name("base.yaml")


def base_tags(upos: str, feats: str) -> set[str]:
    """The tags of a token before its language's rules.

    Args:
        upos: the UPOS column.
        feats: the FEATS column, `_` where it is empty.

    Raises:
        ValueError: a bracketed layer that is unknown or overfull.
    """
    tags = set(_tags("UPOS", upos))
    items = [] if feats == "_" else feats.split("|")
    for item in items:
        if not is_layered(item):
            feature, _, value = item.partition("=")
            tags.update(_alternatives(feature, value) if "," in value else _tags(feature, value))
    return tags | layered_tags(items)


@cache
def _table() -> dict[str, dict[str, str]]:
    import yaml

    # BaseLoader keeps every scalar as text: `Yes` and `0` are values of features.
    table: dict[str, dict[str, str]] = yaml.load(_TABLE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return table


def _tags(feature: str, value: str) -> list[str]:
    return list(filter(None, _table().get(feature, {}).get(value, "").split(";")))


def _alternatives(feature: str, values: str) -> list[str]:
    """`Acc,Dat` gives `{ACC/DAT}`; a value's second tag (Case=Add) is no alternative and is left out."""
    tags = [found[0] for value in values.split(",") if (found := _tags(feature, value))]
    return ["{" + "/".join(tags) + "}"] if tags else []
