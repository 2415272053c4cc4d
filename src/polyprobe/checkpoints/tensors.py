"""The tensors that a folder's safetensors files hold, read in chunks: memory does not grow with the model."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from safetensors import safe_open

from polyprobe.checkpoints.boundary import library_errors
from polyprobe.checkpoints.layout import tensors_of
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
        """Yield the tensor's bytes in order; a chunk is good until the next one is asked for.

        Raises:
            BadInputError: the file ends before the tensor does.
        """
        buffer = memoryview(bytearray(min(self.length, _CHUNK)))
        with self.file.open("rb") as stream:
            stream.seek(self.start)
            for left in range(self.length, 0, -_CHUNK):
                chunk = buffer[:left]
                if stream.readinto(chunk) < len(chunk):
                    raise BadInputError(f"{self.file}: damaged: ends before tensor {self.name} does")
                yield chunk


def stored_tensors(folder: Path) -> list[StoredTensor]:
    """Return the tensors of a folder's safetensors files, in the order of their names.

    Raises:
        BadInputError: the folder has no such weights, they are damaged, or their index is that of other shards.
    """
    return [tensor for _, tensor in sorted(tensors_of(folder, _tensors_in))]


def _tensors_in(file: Path) -> dict[str, StoredTensor]:
    """Return the tensors that a safetensors file's header lists.

    The file is 8 bytes of the header's length, then the header as JSON, then the tensors' bytes.
    """
    # Opening checks the header: its types, and that the tensors fill the file.
    with library_errors(f"{file}: damaged: no safetensors file"), safe_open(file, framework="numpy"):
        pass
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        entries: dict[str, Any] = json.loads(stream.read(length))
    entries.pop("__metadata__", None)
    tensors = {}
    for name, entry in entries.items():
        start, end = entry["data_offsets"]
        tensors[name] = StoredTensor(name, entry["dtype"], tuple(entry["shape"]), file, 8 + length + start, end - start)
    return tensors
