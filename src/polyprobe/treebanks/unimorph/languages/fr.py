"""French."""

from polyprobe.treebanks.unimorph.languages._romance import adapt_finite_verb


def adapt(tags: set[str], form: str) -> set[str]:
    """Amend a token's base tags by the rules of French.

    Participles are neither verbs nor do they agree; the gerund is the present converb.

    Args:
        tags: the token's base tags.
        form: the end of its form, which no rule of this language reads.
    """
    if "V.PTCP" in tags:
        tags = tags - {"V", "MASC", "FEM", "SG", "PL"}
    tags = adapt_finite_verb(tags)
    if tags == {"V", "V.MSDR"}:
        tags = {"PRS", "V.CVB"}
    return tags
