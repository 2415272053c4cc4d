"""Hashes of a checkpoint's weights and tokenizer that depend on their contents alone, not on files or sharding."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyprobe.running.errors import BadInputError

WEIGHTS: Final = "model.safetensors"
WEIGHTS_INDEX: Final = "model.safetensors.index.json"
TOKENIZER: Final = "tokenizer.json"

_DTYPES: Final = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16",
    "I32": "int32", "U32": "uint32", "F32": "float32", "F64": "float64", "I64": "int64", "U64": "uint64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip
_CHUNK: Final = 1 << 24


@dataclass(frozen=True)
class WeightsSummary:
    """What the stored tensors are."""

    sha256: str
    parameters: int
    """Numbers stored; weights that two parts of the model share count once."""
    dtype: str
    """The type of most of them, as torch names it."""


@dataclass(frozen=True)
class _StoredTensor:
    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    length: int


def weights_summary(folder: Path) -> WeightsSummary:
    """The hash, the size and the type of a folder's weights (`model.safetensors`, whole or in shards).

    The hash is SHA-256 over each tensor's name, type, shape and bytes, in the order of the names.

    Raises:
        BadInputError: the folder has no weights, or they are damaged.
    """
    digest = hashlib.sha256()
    numbers: Counter[str] = Counter()
    for tensor in sorted(_stored_tensors(folder), key=lambda tensor: tensor.name):
        numbers[tensor.dtype] += math.prod(tensor.shape)
        digest.update(json.dumps([tensor.name, tensor.dtype, tensor.shape]).encode() + b"\n")
        with tensor.file.open("rb") as stream:
            stream.seek(tensor.start)
            left = tensor.length
            while left:
                chunk = stream.read(min(left, _CHUNK))
                if not chunk:
                    raise BadInputError(f"{tensor.file}: damaged: ends before tensor {tensor.name} does")
                digest.update(chunk)
                left -= len(chunk)
    if not numbers:
        raise BadInputError(f"{folder}: its weights hold no tensors")
    most = max(sorted(numbers), key=lambda dtype: numbers[dtype])
    return WeightsSummary(digest.hexdigest(), numbers.total(), _DTYPES.get(most, most.lower()))


def tokenizer_hash(folder: Path) -> str:
    """SHA-256 over `tokenizer.json` as parsed, so that neither layout nor the order of keys matters.

    Truncation and padding are left out: they are settings of the last call, not of the tokenizer.

    Raises:
        BadInputError: there is no such file, or it is no JSON.
    """
    tokenizer = read_json(folder / TOKENIZER, "a fast tokenizer")
    parts = {name: part for name, part in tokenizer.items() if name not in ("truncation", "padding")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def read_json(file: Path, expected: str) -> dict[str, Any]:
    """A JSON object from a file of a checkpoint.

    Raises:
        BadInputError: there is no such file, or it holds no JSON object.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInputError(f"{file.parent}: no {file.name}, expected {expected}") from None
    except ValueError as error:
        raise BadInputError(f"{file}: no valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInputError(f"{file}: expected a JSON object")
    return value


def _stored_tensors(folder: Path) -> Iterable[_StoredTensor]:
    if (folder / WEIGHTS).exists():
        yield from _tensors_of(folder / WEIGHTS)
        return
    if not (folder / WEIGHTS_INDEX).exists():
        found = "no such folder" if not folder.is_dir() else "no weights"
        raise BadInputError(f"{folder}: {found}, expected {WEIGHTS} or {WEIGHTS_INDEX} with its shards")
    shards: dict[str, str] = read_json(folder / WEIGHTS_INDEX, "an index of shards").get("weight_map", {})
    for shard in sorted(set(shards.values())):
        if not (folder / shard).exists():
            raise BadInputError(f"{folder}: no {shard}, which {WEIGHTS_INDEX} names")
        yield from (tensor for tensor in _tensors_of(folder / shard) if shards.get(tensor.name) == shard)


def _tensors_of(file: Path) -> Iterable[_StoredTensor]:
    """The tensors that a safetensors file's header lists (8 bytes of length, then JSON, then the tensors' bytes)."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > file.stat().st_size:
            raise BadInputError(f"{file}: damaged: no safetensors file")
        header = stream.read(length)
    try:
        entries: dict[str, Any] = json.loads(header)
        for name, entry in entries.items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                yield _StoredTensor(name, entry["dtype"], tuple(entry["shape"]), file, 8 + length + start, end - start)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInputError(f"{file}: damaged: no safetensors file") from None
