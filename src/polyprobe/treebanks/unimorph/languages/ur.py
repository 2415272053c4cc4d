"""Urdu."""


def adapt(tags: set[str], form: str) -> set[str]:
    """Amend a token's base tags by the rules of Urdu.

    There is no gender, and nouns have no person.

    Args:
        tags: the token's base tags.
        form: the end of its form, which no rule of this language reads.
    """
    tags = tags - {"MASC", "FEM", "NEUT"}
    if "PROPN" in tags or ("N" in tags and not tags.isdisjoint({"SG", "PL"})):
        tags -= {"3"}
    return tags
