"""Weights that cannot be right: numbers that are not finite, and a checkpoint of zeros alone."""

from typing import Final

import numpy as np

_EXPONENTS: Final = {
    "F64": ("uint64", 0x7FF0000000000000),
    "F32": ("uint32", 0x7F800000),
    "F16": ("uint16", 0x7C00),
    "BF16": ("uint16", 0x7F80),
    "F8_E5M2": ("uint8", 0x7C),
    "F8_E4M3": ("uint8", 0x7F),  # no infinity; all of these bits are NaN
}
"""Per type: its bits as integers, and the bits that NaN and infinity have set, all of them and no finite number."""


def is_finite(chunk: memoryview, dtype: str) -> bool:
    """Whether all numbers are finite, by their bits; integers are.

    Args:
        chunk: whole numbers' bytes, little-endian.
        dtype: as safetensors names it.
    """
    if dtype not in _EXPONENTS or not len(chunk):
        return True
    integers, mask = _EXPONENTS[dtype]
    return bool((np.frombuffer(chunk, f"<{np.dtype(integers).str[1:]}") & mask).max() != mask)


def is_zero(chunk: memoryview, dtype: str) -> bool:
    """Whether all numbers are zero, be it negative zero."""
    if dtype not in _EXPONENTS:
        return not np.frombuffer(chunk, np.uint8).any()
    integers = np.dtype(_EXPONENTS[dtype][0])
    magnitude = (1 << (8 * integers.itemsize - 1)) - 1
    return not (np.frombuffer(chunk, integers) & integers.type(magnitude)).any()
