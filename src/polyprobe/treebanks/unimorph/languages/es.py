"""Spanish."""

from typing import Final

ENDING: Final = 3


def adapt(tags: set[str], form: str) -> set[str]:
    """Amend a token's base tags by the rules of Spanish.

    Finiteness goes without saying; participles that agree are no verbs; the gerund is the present converb; the past
    gets its aspect, and the two imperfect subjunctives are told apart by their endings; the imperative is positive.

    Args:
        tags: the token's base tags.
        form: the last three characters of its form.
    """
    tags = tags - {"FIN"}
    if tags > {"V", "V.PTCP"}:
        tags -= {"V"}
    if tags == {"V", "V.MSDR"}:
        tags = {"PRS", "V.CVB"}
    if "PST" in tags and "V.PTCP" not in tags:
        tags |= {"PFV"}
    if tags > {"IND", "IPFV"}:
        tags |= {"PST"}
    if "IMP" in tags:
        tags |= {"POS"}
    if tags > {"IPFV", "SBJV"}:
        tags = (tags - {"IPFV"}) | {"PST"}
        if form.endswith(("ra", "ran")):
            tags |= {"LGSPEC1"}
    return tags
