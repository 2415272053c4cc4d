"""Seeds for parts of a study, derived from the study's one seed and the part's name."""

import hashlib


def derive_seed(seed: int, *parts: str | int) -> int:
    """Return a seed that depends on `seed` and on every part, whatever is run beside it or before it.

    Args:
        seed: the study's, or one derived from it.
        *parts: what the seed is for, such as the names of a task and a checkpoint, in this order.

    Returns:
        A number in [0, 2**31).
    """
    text = "\x1f".join([str(seed), *map(str, parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 2**31
