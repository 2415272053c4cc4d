"""English."""

from typing import Final

ENDING: Final = 0


def adapt(tags: set[str], form: str) -> set[str]:
    """Neither finiteness nor the indicative is marked; the bare present is the infinitive's form, the gerund the
    participle's."""
    tags = tags - {"FIN", "IND"}
    if tags == {"V", "PRS"}:
        tags = {"V", "NFIN"}
    if tags == {"V", "V.MSDR"}:
        tags = {"V", "V.PTCP", "PRS"}
    if "V" in tags:
        tags -= {"PASS"}
    return tags
