"""Hashes of a checkpoint's weights and tokenizer that depend on their contents alone, not on files or sharding."""

import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from polyprobe.checkpoints.layout import TOKENIZER, read_json
from polyprobe.checkpoints.naming import full_names, without_tied
from polyprobe.checkpoints.soundness import is_finite, is_zero
from polyprobe.checkpoints.tensors import stored_tensors
from polyprobe.running.errors import BadInputError

_DTYPES: Final = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16",
    "I32": "int32", "U32": "uint32", "F32": "float32", "F64": "float64", "I64": "int64", "U64": "uint64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip


@dataclass(frozen=True)
class WeightsSummary:
    """What the stored tensors are."""

    sha256: str
    parameters: int
    """Numbers stored; weights that two parts of the model share count once."""
    dtype: str
    """The type of most of them, as torch names it."""


def weights_summary(folder: Path) -> WeightsSummary:
    """The hash, the size and the type of a folder's weights (`model.safetensors`, whole or in shards).

    The hash is SHA-256 over each tensor's name, type, shape and bytes, in the order of the names. The name is that in
    the model with a head, and a head's weights that are tied to the embeddings are left out: the same weights have one
    hash, saved with or without the head (see `naming`).

    Raises:
        BadInputError: the folder has no weights, they are damaged, a number is not finite, or a matrix is all zeros.
    """
    digest = hashlib.sha256()
    numbers: Counter[str] = Counter()
    tensors = without_tied(full_names(folder, stored_tensors(folder)))
    for name, tensor in tensors.items():
        numbers[tensor.dtype] += math.prod(tensor.shape)
        digest.update(json.dumps([name, tensor.dtype, tensor.shape]).encode() + b"\n")
        only_zeros = True
        for chunk in tensor.chunks():
            digest.update(chunk)
            if not is_finite(chunk, tensor.dtype):
                raise BadInputError(
                    f"{tensor.file}: tensor {tensor.name}: expected finite numbers, found NaN or infinity"
                )
            only_zeros = only_zeros and is_zero(chunk, tensor.dtype)
        # Biases begin at zero, matrices of weights do not.
        if only_zeros and len(tensor.shape) > 1:
            raise BadInputError(f"{tensor.file}: tensor {tensor.name}: all zeros, expected trained weights")
    most = max(sorted(numbers), key=lambda dtype: numbers[dtype])
    return WeightsSummary(digest.hexdigest(), numbers.total(), _DTYPES.get(most, most.lower()))


def tokenizer_hash(folder: Path) -> str:
    """SHA-256 over `tokenizer.json` as parsed, so that neither layout nor the order of keys matters.

    Truncation and padding are left out: they are settings of the last call, not of the tokenizer.

    Raises:
        BadInputError: there is no such file, or it is no JSON.
    """
    tokenizer = read_json(folder / TOKENIZER, "a fast tokenizer, here or in the repository that `tokenizer` names")
    parts = {name: part for name, part in tokenizer.items() if name not in ("truncation", "padding")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
