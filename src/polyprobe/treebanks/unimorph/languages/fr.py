"""French."""

from typing import Final

from polyprobe.treebanks.unimorph.languages._romance import adapt_finite_verb

ENDING: Final = 0


def adapt(tags: set[str], form: str) -> set[str]:
    """Participles are neither verbs nor do they agree; the gerund is the present converb."""
    if "V.PTCP" in tags:
        tags = tags - {"V", "MASC", "FEM", "SG", "PL"}
    tags = adapt_finite_verb(tags)
    if tags == {"V", "V.MSDR"}:
        tags = {"PRS", "V.CVB"}
    return tags
