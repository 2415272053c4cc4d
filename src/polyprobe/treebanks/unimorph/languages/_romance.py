"""What Catalan and French share."""


def adapt_finite_verb(tags: set[str]) -> set[str]:
    """Amend the tags of a finite verb; those of other words stay as they are.

    Finiteness goes without saying; the past is perfective, the imperfect is past; the conditional and the imperative
    are not present, and the imperative is positive.
    """
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
