"""English."""


def adapt(tags: set[str], form: str) -> set[str]:
    """Amend a token's base tags by the rules of English.

    Neither finiteness nor the indicative is marked; the bare present is the infinitive's form, the gerund the
    participle's; verbs have no passive.

    Args:
        tags: the token's base tags.
        form: the end of its form, which no rule of this language reads.
    """
    tags = tags - {"FIN", "IND"}
    if tags == {"V", "PRS"}:
        tags = {"V", "NFIN"}
    if tags == {"V", "V.MSDR"}:
        tags = {"V", "V.PTCP", "PRS"}
    if "V" in tags:
        tags -= {"PASS"}
    return tags
