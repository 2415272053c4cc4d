"""Catalan."""

from polyprobe.treebanks.unimorph.languages._romance import adapt_finite_verb


def adapt(tags: set[str], form: str) -> set[str]:
    """Amend a token's base tags by the rules of Catalan.

    Participles are no verbs; the gerund is the present participle; the subjunctive has no aspect.

    Args:
        tags: the token's base tags.
        form: the end of its form, which no rule of this language reads.
    """
    if "V.PTCP" in tags:
        tags = tags - {"V"}
    tags = adapt_finite_verb(tags)
    if tags == {"V", "V.MSDR"}:
        tags = {"PRS", "V.PTCP"}
    if tags > {"IPFV", "SBJV"}:
        tags = tags - {"IPFV"}
    return tags
