"""Seeds for parts of a study, derived from the study's one seed and the part's name."""

import hashlib


def derive_seed(seed: int, *parts: str | int) -> int:
    """A seed in [0, 2**31) that depends on `seed` and on every part, whatever is run beside it or before it."""
    text = "\x1f".join([str(seed), *map(str, parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 2**31
