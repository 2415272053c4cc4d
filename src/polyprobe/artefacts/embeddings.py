"""`data/embeddings/<ckpt>/layer-<l>/<lang>.safetensors`: hidden states of a language's words at one layer.

Tensors: `embeddings` float16 [word, neuron]; `row` int32 [word], the word's row in `data/words/<lang>.parquet`,
ascending. Metadata (one JSON object of texts): weights_sha256, layer, tokenisation.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

FOLDER: Final = Path("data/embeddings")

_METADATA: Final = "polyprobe"


def path(folder: Path, layer: int, language: str) -> Path:
    """Return where a language's embeddings at a layer lie.

    Args:
        folder: one checkpoint's.
        layer: numbered from 1, the embedding output.
        language: the words' language.
    """
    return folder / f"layer-{layer}" / f"{language}.safetensors"


def layers(folder: Path) -> list[int]:
    """Return the layers that one checkpoint's folder holds, ascending."""
    found = (re.fullmatch(r"layer-(\d+)", entry.name) for entry in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)


class Writer:
    """A writer of one language's words at some layers, those of a layer one after the other."""

    def __init__(self, files: Mapping[int, "_File"]) -> None:
        self._files = files

    def append(self, embeddings: Mapping[int, NDArray[np.float16]]) -> None:
        """Append some more words [word, neuron] to those of each layer.

        Raises:
            ValueError: the layers are not the writer's, or a layer's states are no float16 matrix of the right width.
        """
        if embeddings.keys() != self._files.keys():
            raise ValueError(f"expected the layers {list(self._files)}, got {list(embeddings)}")
        for layer, states in embeddings.items():
            self._files[layer].append(states)


@contextmanager
def writing(
    folder: Path, layers: list[int], language: str, rows: NDArray[np.int32], width: int, metadata: dict[str, str]
) -> Iterator[Writer]:
    """Yield a writer of a language's embeddings, whose files appear when the block ends well.

    Args:
        folder: the checkpoint's.
        layers: those whose words are going to be appended.
        language: the words' language.
        rows: [word], the words' rows, in the order in which they are going to be appended.
        width: neurons of a layer.
        metadata: of all layers; `layer` is added to it.

    Raises:
        ValueError: the block ends well, but has not appended as many words to each layer as there are rows.
    """
    with ExitStack() as stack:
        files = {
            layer: _writing(path(folder, layer, language), rows, width, metadata | {"layer": str(layer)})
            for layer in layers
        }
        yield Writer({layer: stack.enter_context(file) for layer, file in files.items()})


def write(file: Path, embeddings: NDArray[np.float16], rows: NDArray[np.int32], metadata: dict[str, str]) -> None:
    """Write one language's embeddings at one layer, whole or not at all.

    Args:
        file: where they go.
        embeddings: [word, neuron].
        rows: [word], the words' rows, ascending.
        metadata: the file's.

    Raises:
        ValueError: the embeddings are not float16, or there are not as many of them as rows.
    """
    with _writing(file, rows, embeddings.shape[1], metadata) as writer:
        writer.append(embeddings)


@contextmanager
def _writing(file: Path, rows: NDArray[np.int32], width: int, metadata: dict[str, str]) -> Iterator["_File"]:
    with new_file(file) as temporary:
        with temporary.open("wb") as handle:
            writer = _File(handle, len(rows), width)
            handle.write(_header(len(rows), width, metadata))
            handle.write(np.ascontiguousarray(rows).data)
            yield writer
        writer.check()


class _File:
    """A safetensors file that is written word by word, in the bytes that the library would write."""

    def __init__(self, handle: BufferedWriter, words: int, width: int) -> None:
        self._handle, self._words, self._width, self._written = handle, words, width, 0

    def append(self, embeddings: NDArray[np.float16]) -> None:
        if embeddings.dtype != np.float16 or embeddings.ndim != 2 or embeddings.shape[1] != self._width:
            expected = f"float16 [word, {self._width}]"
            raise ValueError(f"expected {expected}, got {embeddings.dtype} {list(embeddings.shape)}")
        self._written += len(embeddings)
        self._handle.write(np.ascontiguousarray(embeddings).data)

    def check(self) -> None:
        if self._written != self._words:
            raise ValueError(f"expected {self._words} words, got {self._written}")


def _header(words: int, width: int, metadata: dict[str, str]) -> bytes:
    end = 4 * words
    tensors = {
        # One entry: safetensors writes several in an order that differs from run to run.
        "__metadata__": {_METADATA: json.dumps(metadata, sort_keys=True)},
        "row": {"dtype": "I32", "shape": [words], "data_offsets": [0, end]},
        "embeddings": {"dtype": "F16", "shape": [words, width], "data_offsets": [end, end + 2 * words * width]},
    }
    text = json.dumps(tensors, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read(file: Path) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """Read the embeddings [word, neuron] and the words' rows [word].

    Raises:
        BadInputError: there is no such file.
    """
    from safetensors.numpy import load_file

    if not file.exists():
        raise BadInputError(f"{file}: no such embeddings; has extract been run?")
    tensors = load_file(file)
    return tensors["embeddings"], tensors["row"]


def metadata(file: Path) -> dict[str, str]:
    """Read a file's metadata."""
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as opened:
        found: dict[str, str] = json.loads(opened.metadata()[_METADATA])
    return found
