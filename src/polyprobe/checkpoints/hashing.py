"""The hash of a checkpoint's weights, over their numbers: files, shards and number formats do not matter."""

import hashlib
import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from polyprobe.checkpoints.naming import full_names, without_tied
from polyprobe.checkpoints.tensors import StoredTensor, stored_tensors
from polyprobe.running.errors import BadInputError

_DTYPES: Final = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16",
    "I32": "int32", "U32": "uint32", "F32": "float32", "F64": "float64", "I64": "int64", "U64": "uint64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip
"""torch's names of safetensors' types."""

_IN_A_BLOCK: Final = re.compile(r"\.\d+\.")
_NOT_OF_THE_TEXT: Final = re.compile(r"(^|[._])(vision|visual|audio|image|video|speech)")


@dataclass(frozen=True)
class WeightsSummary:
    """What the stored tensors are."""

    sha256: str
    parameters: int
    """Numbers stored; weights that two parts of the model share count once."""
    dtype: str
    """The type of most of them, as torch names it."""
    zeros: tuple[str, ...]
    """Matrices of nothing but zeros, which are so by design."""
    tensors: dict[str, str]
    """The hash of each tensor's numbers, but for those that are all one number."""


def weights_summary(folder: Path, *, trained: bool = True) -> WeightsSummary:
    """Return the hash, the size and the type of a folder's weights (`model.safetensors`, whole or in shards).

    The hash is SHA-256 over each tensor's name, type, shape and numbers, in the order of the names. The name is that in
    the model with a head, and a head's weights that are tied to the embeddings are left out: the same weights have one
    hash, saved with or without the head (see `naming`). Numbers are float32, which 16 bits fit into, and zero has no
    sign: the same numbers in another format have one hash too.

    Args:
        folder: the weights.
        trained: whether this is a later step than 0, where some recipes begin with matrices of zeros.

    Raises:
        BadInputError: the folder has no weights, they are damaged, torch does not know a tensor's type, a number is not
            finite, or a matrix of the model's blocks is all zeros.
    """
    digest = hashlib.sha256()
    numbers: Counter[str] = Counter()
    zeros, hashes = [], {}
    for name, tensor in without_tied(full_names(folder, stored_tensors(folder))).items():
        numbers[tensor.dtype] += math.prod(tensor.shape)
        sha256, kind, only = _content(tensor)
        digest.update(json.dumps([name, kind, tensor.shape, sha256]).encode() + b"\n")
        if only is None:
            hashes[name] = sha256
        elif only == 0 and len(tensor.shape) > 1:
            zeros.append(name)
            if trained and not _zero_by_design(name):
                raise BadInputError(f"{tensor.file}: tensor {tensor.name}: all zeros, expected trained weights")
    if not numbers:
        raise BadInputError(f"{folder}: no weights but buffers, expected those of a model")
    most = max(sorted(numbers), key=lambda dtype: numbers[dtype])
    return WeightsSummary(digest.hexdigest(), numbers.total(), _DTYPES[most], tuple(zeros), hashes)


def _zero_by_design(name: str) -> bool:
    """Return whether a matrix of zeros is no fault: it is none of the weights of the text model's blocks.

    RoBERTa's converter writes segments' embeddings so, heads and poolers may be untrained, biases begin at zero, I-BERT
    keeps room for its weights as integers, and what sees or hears plays no part.
    """
    return not _IN_A_BLOCK.search(name) or name.endswith(("bias", "_integer")) or bool(_NOT_OF_THE_TEXT.search(name))


def _content(tensor: StoredTensor) -> tuple[str, str, float | None]:
    """Return a tensor's hash, the type that its numbers are hashed in, and its number where all are one.

    Raises:
        BadInputError: torch does not know the tensor's type, or a number is not finite.
    """
    if tensor.dtype not in _DTYPES:
        raise BadInputError(f"{tensor.file}: tensor {tensor.name}: type {tensor.dtype}, expected one that torch knows")
    stored = getattr(torch, _DTYPES[tensor.dtype])
    kind = torch.float32 if stored.is_floating_point and stored != torch.float64 else stored
    digest = hashlib.sha256()
    first: Tensor | None = None
    one = True
    for chunk in tensor.chunks():
        values = torch.frombuffer(chunk, dtype=stored).to(kind)
        if kind.is_floating_point:
            if not values.isfinite().all():
                raise BadInputError(
                    f"{tensor.file}: tensor {tensor.name}: expected finite numbers, found NaN or infinity"
                )
            values = values + 0.0  # -0.0 becomes 0.0
        # A copy: the next chunk may be read into the same memory.
        first = values[0].clone() if first is None else first
        one = one and bool((values == first).all())
        digest.update(values.view(torch.uint8).numpy().data)
    only = float(first) if one and first is not None else None
    return digest.hexdigest(), str(kind).removeprefix("torch."), only
