"""What Catalan and French share."""


def adapt_finite_verb(tags: set[str]) -> set[str]:
    """Finite verbs: the past is perfective, the imperfect is past, finiteness goes without saying."""
    if "V" not in tags:
        return tags
    tags = tags - {"FIN"}
    if "PST" in tags:
        tags |= {"PFV"}
    # After the former rule, so that the imperfect is not perfective as well.
    if "IPFV" in tags:
        tags |= {"PST"}
    if "COND" in tags:
        tags -= {"PRS"}
    if "IMP" in tags:
        tags = (tags | {"POS"}) - {"PRS"}
    return tags
