"""Portuguese."""

from typing import Final

ENDING: Final = 3


def adapt(tags: set[str], form: str) -> set[str]:
    """Amend a token's base tags by the rules of Portuguese.

    Participles are past and no verbs; the gerund is the present participle; finite verbs get their aspect.

    Args:
        tags: the token's base tags.
        form: the last three characters of its form.
    """
    if "V.PTCP" in tags:
        tags = _participle(tags, form)
    if tags == {"V", "V.MSDR"}:
        tags = {"PRS", "V.PTCP"}
    if "V" in tags:
        tags = _verb(tags, form)
    return tags


def _participle(tags: set[str], form: str) -> set[str]:
    tags = tags - {"V"}
    if "PASS" in tags:
        tags = (tags - {"PASS"}) | {"PST"}
    if "PRS" not in tags:
        tags |= {"PST"}
    if form.endswith(("do", "to")) and tags == {"PST", "V.PTCP"}:
        tags |= {"MASC", "SG"}
    return tags


def _verb(tags: set[str], form: str) -> set[str]:
    tags = tags - {"FIN"}
    if "PST" in tags and "IPFV" not in tags:
        tags |= {"PFV"}
    if "IPFV" in tags:
        tags |= {"PST"}
    if form.endswith("ram") and tags == {"3", "IND", "PL", "V"}:
        tags |= {"PFV", "PST"}
    tags -= {"PASS"}
    if "PST+PRF" in tags:
        tags = (tags - {"PST+PRF"}) | {"PST", "PRF"}
    return tags
