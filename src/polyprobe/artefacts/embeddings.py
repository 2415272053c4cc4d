"""`data/embeddings/<ckpt>/layer-<l>/<lang>.safetensors`: hidden states of a language's words at one layer.

Tensors: `embeddings` float16 [word, neuron]; `row` int32 [word], the word's row in `data/words/<lang>.parquet`,
ascending. Metadata (one JSON object of texts): weights_sha256, layer, tokenisation, shared_subwords (the share of
sub-words that two words share), split_sentences (how many were longer than the model's limit).
"""

import json
import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

FOLDER: Final = Path("data/embeddings")

_METADATA: Final = "polyprobe"


def path(folder: Path, layer: int, language: str) -> Path:
    """Where a language's embeddings at a layer lie, in one checkpoint's folder."""
    return folder / f"layer-{layer}" / f"{language}.safetensors"


def layers(folder: Path) -> list[int]:
    """The layers of one checkpoint's folder, ascending."""
    found = (re.fullmatch(r"layer-(\d+)", entry.name) for entry in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)


def write(file: Path, embeddings: NDArray[np.float16], rows: NDArray[np.int32], metadata: dict[str, str]) -> None:
    """Writes one language's embeddings at one layer, whole or not at all."""
    from safetensors.numpy import save_file

    if embeddings.dtype != np.float16 or rows.dtype != np.int32 or embeddings.shape[:1] != rows.shape:
        raise ValueError(f"expected float16 [word, neuron] and int32 [word], got {embeddings.dtype}, {rows.dtype}")
    with new_file(file) as temporary:
        tensors = {"embeddings": np.ascontiguousarray(embeddings), "row": np.ascontiguousarray(rows)}
        # One entry: safetensors writes several in an order that differs from run to run.
        save_file(tensors, temporary, {_METADATA: json.dumps(metadata, sort_keys=True)})


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
