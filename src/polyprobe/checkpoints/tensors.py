"""The tensors that a folder's safetensors files hold, read in chunks: memory does not grow with the model."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyprobe.checkpoints.boundary import library_errors
from polyprobe.checkpoints.layout import check_content, check_names, check_new, check_places, weights_files
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
    """Return the tensors of a folder's safetensors files, in the order of their names.

    Raises:
        BadInputError: the folder has no such weights, they are damaged, or their index is that of other shards.
    """
    found: list[StoredTensor] = []
    files: dict[str, str] = {}
    for file in weights_files(folder):
        for tensor in _tensors_of(folder / file):
            check_new(folder, tensor.name, file, files)
            files[tensor.name] = file
            found.append(tensor)
    check_places(folder, files)
    if not found:
        raise BadInputError(f"{folder}: its weights hold no tensors")
    return sorted(found, key=lambda tensor: tensor.name)


def _tensors_of(file: Path) -> Iterator[StoredTensor]:
    """Yield the tensors that a safetensors file's header lists.

    The file is 8 bytes of the header's length, then the header as JSON, then the tensors' bytes.
    """
    from safetensors import safe_open

    check_content(file)
    # Opening checks the header: its types, and that the tensors fill the file.
    with library_errors(f"{file}: damaged: no safetensors file"), safe_open(file, framework="numpy"):
        pass
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        entries: dict[str, Any] = json.loads(stream.read(length))
    entries.pop("__metadata__", None)
    check_names(file, entries)
    for name, entry in entries.items():
        start, end = entry["data_offsets"]
        yield StoredTensor(name, entry["dtype"], tuple(entry["shape"]), file, 8 + length + start, end - start)
