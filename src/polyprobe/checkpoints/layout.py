"""The files of a checkpoint in transformers' layout."""

import json
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from polyprobe.running.errors import BadInputError

CONFIG: Final = "config.json"
TOKENIZER: Final = "tokenizer.json"
WEIGHTS: Final = "model.safetensors"
WEIGHTS_INDEX: Final = "model.safetensors.index.json"
PICKLED: Final = "pytorch_model.bin"
PICKLED_INDEX: Final = "pytorch_model.bin.index.json"

_TOKENIZER_FILES: Final = (
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "sentencepiece*"
)  # fmt: skip
_FORMATS: Final = (
    (WEIGHTS_INDEX, "model-*-of-*.safetensors"),
    (WEIGHTS, None),
    (PICKLED_INDEX, "pytorch_model-*-of-*.bin"),
    (PICKLED, None),
)
"""In the order of preference: the first file, and the pattern of its shards."""


def weights_files(names: Iterable[str]) -> list[str]:
    """Of a folder's files, the weights in the best format that is there; none if there are none."""
    names = sorted(names)
    for first, shards in _FORMATS:
        if first in names:
            return [first, *(name for name in names if shards and fnmatch(name, shards))]
    return []


def settings_files(names: Iterable[str]) -> list[str]:
    """Of a folder's files, the model's config and the tokenizer's files."""
    return [name for name in sorted(names) if name == CONFIG or any(fnmatch(name, one) for one in _TOKENIZER_FILES)]


def check_weights(folder: Path) -> None:
    """Raises BadInputError where there is no such folder, or it holds no weights."""
    if not folder.is_dir() or not weights_files(file.name for file in folder.iterdir()):
        problem = "no weights" if folder.is_dir() else "no such folder"
        raise BadInputError(
            f"{folder}: {problem}, expected {WEIGHTS} or {PICKLED}, whole or in shards with their index"
        )


def is_pickled(folder: Path) -> bool:
    """Whether a folder's weights are in PyTorch's pickled format only."""
    return weights_files(file.name for file in folder.iterdir())[:1] in ([PICKLED], [PICKLED_INDEX])


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
