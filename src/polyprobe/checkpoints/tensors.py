"""The tensors that a folder's safetensors files hold, read in chunks: memory does not grow with the model."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyprobe.checkpoints.layout import WEIGHTS, WEIGHTS_INDEX, check_weights, read_json
from polyprobe.running.errors import BadInputError

_CHUNK: Final = 1 << 24
"""Bytes; a multiple of every number's size."""


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies."""

    name: str
    dtype: str
    """As safetensors names it: F32, BF16, ..."""
    shape: tuple[int, ...]
    file: Path
    start: int
    length: int
    """In bytes."""

    def chunks(self) -> Iterator[memoryview]:
        """Its bytes in order. A chunk is good until the next one is asked for.

        Raises:
            BadInputError: the file ends before the tensor does.
        """
        buffer = memoryview(bytearray(min(self.length, _CHUNK)))
        with self.file.open("rb", buffering=0) as stream:
            stream.seek(self.start)
            left = self.length
            while left:
                wanted, filled = min(left, _CHUNK), 0
                while filled < wanted:
                    read = stream.readinto(buffer[filled:wanted])
                    if not read:
                        raise BadInputError(f"{self.file}: damaged: ends before tensor {self.name} does")
                    filled += read
                yield buffer[:wanted]
                left -= wanted


def stored_tensors(folder: Path) -> list[StoredTensor]:
    """The tensors of `model.safetensors`, or of the shards that its index names, in the order of their names.

    Raises:
        BadInputError: the folder has no such weights, or they are damaged.
    """
    if (folder / WEIGHTS_INDEX).exists():
        places: dict[str, str] = read_json(folder / WEIGHTS_INDEX, "an index of shards").get("weight_map", {})
        found = []
        for shard in sorted(set(places.values())):
            if not (folder / shard).exists():
                raise BadInputError(f"{folder}: no {shard}, which {WEIGHTS_INDEX} names")
            found += [tensor for tensor in _tensors_of(folder / shard) if places.get(tensor.name) == shard]
    else:
        check_weights(folder)
        found = list(_tensors_of(folder / WEIGHTS))
    if not found:
        raise BadInputError(f"{folder}: its weights hold no tensors")
    return sorted(found, key=lambda tensor: tensor.name)


def _tensors_of(file: Path) -> Iterator[StoredTensor]:
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
                yield StoredTensor(name, entry["dtype"], tuple(entry["shape"]), file, 8 + length + start, end - start)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInputError(f"{file}: damaged: no safetensors file") from None
