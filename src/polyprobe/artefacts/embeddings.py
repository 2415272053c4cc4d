"""`data/embeddings/<ckpt>/layer-<l>/<lang>.safetensors`: hidden states of a language's words at one layer.

Tensors: `embeddings` float16 [word, neuron]; `row` int32 [word], the word's row in `data/words/<lang>.parquet`,
ascending. Metadata (one JSON object of texts): weights_sha256, layer, tokenisation, shared_subwords (the share of
sub-words that two words share), split_sentences (how many were longer than the model's limit).
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

FOLDER: Final = Path("data/embeddings")

_METADATA: Final = "polyprobe"
_BLOCK: Final = 1 << 24


def path(folder: Path, layer: int, language: str) -> Path:
    """Where a language's embeddings at a layer lie, in one checkpoint's folder."""
    return folder / f"layer-{layer}" / f"{language}.safetensors"


def layers(folder: Path) -> list[int]:
    """The layers of one checkpoint's folder, ascending."""
    found = (re.fullmatch(r"layer-(\d+)", entry.name) for entry in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)


class Writer:
    """Writes the words of one language at some layers, those of a layer one after the other."""

    def __init__(self, files: Mapping[int, "_File"]) -> None:
        self._files = files

    def append(self, embeddings: Mapping[int, NDArray[np.float16]]) -> None:
        """Some more words [word, neuron] of each layer."""
        if embeddings.keys() != self._files.keys():
            raise ValueError(f"expected the layers {list(self._files)}, got {list(embeddings)}")
        for layer, states in embeddings.items():
            self._files[layer].append(states)

    def finish(self, metadata: dict[str, str]) -> None:
        """To be called after the last word; `layer` is added to the metadata."""
        for layer, file in self._files.items():
            file.finish(metadata | {"layer": str(layer)})


@contextmanager
def writing(folder: Path, layers: list[int], language: str, rows: NDArray[np.int32], width: int) -> Iterator[Writer]:
    """A writer of a language's embeddings in one checkpoint's folder, whose files appear when the block ends well.

    Args:
        folder: the checkpoint's.
        layers: whose words are going to be appended.
        language: the words'.
        rows: of the words, in the order in which they are going to be appended.
        width: neurons of a word.
    """
    with ExitStack() as stack:
        files = {layer: _writing(path(folder, layer, language), rows, width) for layer in layers}
        yield Writer({layer: stack.enter_context(file) for layer, file in files.items()})


def write(file: Path, embeddings: NDArray[np.float16], rows: NDArray[np.int32], metadata: dict[str, str]) -> None:
    """Writes one language's embeddings at one layer, whole or not at all."""
    with _writing(file, rows, embeddings.shape[1]) as writer:
        writer.append(embeddings)
        writer.finish(metadata)


@contextmanager
def _writing(file: Path, rows: NDArray[np.int32], width: int) -> Iterator["_File"]:
    with new_file(file) as temporary:
        with temporary.open("w+b") as handle:
            writer = _File(handle, rows, width)
            yield writer
        writer.check()


class _File:
    """A safetensors file that is written word by word, in the bytes that the library would write.

    Its header comes first, but the metadata is known after the last word: a gap of the usual length is left for the
    header, and widened or narrowed at the end if need be.
    """

    def __init__(self, handle: BufferedRandom, rows: NDArray[np.int32], width: int) -> None:
        self._handle, self._words, self._width, self._written = handle, len(rows), width, 0
        self._finished = False
        sample = {"layer": "10", "shared_subwords": "0.000000", "split_sentences": "0", "tokenisation": "natural"}
        self._gap = len(self._header(sample | {"weights_sha256": "0" * 64}))
        handle.seek(self._gap)
        handle.write(np.ascontiguousarray(rows).data)

    def append(self, embeddings: NDArray[np.float16]) -> None:
        if embeddings.dtype != np.float16 or embeddings.ndim != 2 or embeddings.shape[1] != self._width:
            expected = f"float16 [word, {self._width}]"
            raise ValueError(f"expected {expected}, got {embeddings.dtype} {list(embeddings.shape)}")
        self._written += len(embeddings)
        self._handle.write(np.ascontiguousarray(embeddings).data)

    def finish(self, metadata: dict[str, str]) -> None:
        header = self._header(metadata)
        _move(self._handle, self._gap, len(header) - self._gap)
        self._handle.seek(0)
        self._handle.write(header)
        self._finished = True

    def check(self) -> None:
        if not self._finished or self._written != self._words:
            raise ValueError(f"expected {self._words} words, got {self._written}")

    def _header(self, metadata: dict[str, str]) -> bytes:
        rows = 4 * self._words
        tensors = {
            # One entry: safetensors writes several in an order that differs from run to run.
            "__metadata__": {_METADATA: json.dumps(metadata, sort_keys=True)},
            "row": {"dtype": "I32", "shape": [self._words], "data_offsets": [0, rows]},
            "embeddings": {
                "dtype": "F16",
                "shape": [self._words, self._width],
                "data_offsets": [rows, rows + 2 * self._words * self._width],
            },
        }
        text = json.dumps(tensors, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text


def _move(handle: BufferedRandom, start: int, distance: int) -> None:
    """Moves what lies behind `start` towards the file's end (or its beginning, for a negative distance)."""
    end = handle.seek(0, 2)
    places = range(start, end, _BLOCK) if distance else range(0)
    for place in reversed(places) if distance > 0 else places:
        handle.seek(place)
        block = handle.read(min(_BLOCK, end - place))
        handle.seek(place + distance)
        handle.write(block)
    handle.truncate(end + distance)


def read(file: Path) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """The embeddings [word, neuron] and the words' rows [word]."""
    from safetensors.numpy import load_file

    if not file.exists():
        raise BadInputError(f"{file}: no such embeddings; has extract been run?")
    tensors = load_file(file)
    return tensors["embeddings"], tensors["row"]


def metadata(file: Path) -> dict[str, str]:
    """The file's metadata."""
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as opened:
        found: dict[str, str] = json.loads(opened.metadata()[_METADATA])
    return found
