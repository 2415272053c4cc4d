"""The files of a checkpoint in transformers' layout: which of them are read, and that nothing else is."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, Final

from polyprobe.running.errors import BadInputError

CONFIG: Final = "config.json"
TOKENIZER: Final = "tokenizer.json"
TOKENIZER_FILES: Final = (TOKENIZER, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
"""All that the tokenizer is made from."""
WEIGHTS: Final = "model.safetensors"
WEIGHTS_INDEX: Final = "model.safetensors.index.json"
PICKLED: Final = "pytorch_model.bin"
PICKLED_INDEX: Final = "pytorch_model.bin.index.json"

_ORDER: Final = (WEIGHTS, WEIGHTS_INDEX, PICKLED, PICKLED_INDEX)
"""transformers' own order of preference."""
_INDEXES: Final = (WEIGHTS_INDEX, PICKLED_INDEX)
_ADAPTER: Final = "adapter_config.json"
_POINTER: Final = b"version https://git-lfs.github.com/spec/"


def weights_entry(names: Iterable[str], where: str) -> str:
    """Of a folder's files, the one that its weights begin with: the weights themselves, or the index of their shards.

    Args:
        names: the folder's files.
        where: the folder, for errors.

    Raises:
        BadInputError: there are no weights, or an adapter lies beside them, which transformers would apply.
    """
    names = set(names)
    found = next((name for name in _ORDER if name in names), None)
    if _ADAPTER in names:
        raise BadInputError(
            f"{where}: {_ADAPTER}: an adapter, which transformers would apply to the weights; expected a folder of "
            "weights alone, the adapter merged into them or left out"
        )
    if found is None:
        raise BadInputError(
            f"{where}: no weights, expected {WEIGHTS} or {PICKLED}, whole or in shards with their index"
        )
    return found


def weights_files(folder: Path) -> list[str]:
    """The files that hold a folder's tensors; the names of shards are those that their index says.

    Raises:
        BadInputError: there is no such folder, or as for `weights_entry`; the index is malformed, or lacks a shard.
    """
    entry = entry_of(folder)
    if not is_index(entry):
        return [entry]
    files = sorted(set(index(folder / entry).values()))
    for file in files:
        if not (folder / file).is_file():
            raise BadInputError(f"{folder}: no {file}, which {entry} names")
    return files


def weights_and_index(folder: Path) -> list[str]:
    """`weights_files`, and their index where there is one: all that a library has to be given to load them.

    Raises:
        BadInputError: as for `weights_files`.
    """
    return list(dict.fromkeys([entry_of(folder), *weights_files(folder)]))


def entry_of(folder: Path) -> str:
    """`weights_entry` of a folder.

    Raises:
        BadInputError: there is no such folder, or as for `weights_entry`.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder, expected {WEIGHTS} or {PICKLED}, whole or in shards")
    return weights_entry((file.name for file in folder.iterdir()), str(folder))


def places(folder: Path) -> dict[str, str]:
    """The file of each tensor as the index of the shards says; empty where the weights are one file.

    Raises:
        BadInputError: as for `entry_of`, or the index is malformed.
    """
    entry = entry_of(folder)
    return index(folder / entry) if is_index(entry) else {}


def is_index(entry: str) -> bool:
    """Whether what the weights begin with names their shards."""
    return entry in _INDEXES


def index(file: Path) -> dict[str, str]:
    """The shard of each tensor that an index names.

    Raises:
        BadInputError: it is malformed, or names a file outside its own folder.
    """
    found = read_json(file, "an index of shards").get("weight_map")
    if not isinstance(found, dict) or not found or not all(_is_name(shard) for shard in found.values()):
        raise BadInputError(f"{file}: weight_map: expected tensors with the names of files of this folder")
    check_names(file, found)
    return found


def check_names(file: Path, tensors: Iterable[Any]) -> None:
    """Raises BadInputError where a file has tensors whose names are no text of one line."""
    for name in tensors:
        if not isinstance(name, str) or not name.isprintable():
            raise BadInputError(f"{file}: a tensor {name!r}, expected a name without control characters")


def check_places(folder: Path, found: dict[str, str]) -> None:
    """Raises BadInputError where the index of the shards is not of these shards.

    Args:
        folder: the weights.
        found: the file in which each tensor was found.
    """
    for name, file in places(folder).items():
        if found.get(name) != file:
            raise BadInputError(f"{folder / file}: no tensor {name}, which {entry_of(folder)} expects there")


def check_new(folder: Path, name: str, file: str, found: dict[str, str]) -> None:
    """Raises BadInputError where a tensor lies in one more shard: which of the two is loaded, nothing says."""
    if name in found:
        raise BadInputError(f"{folder}: tensor {name} is in {found[name]} and in {file}, expected it once")


def is_pickled(folder: Path) -> bool:
    """Whether a folder's weights are in PyTorch's pickled format only."""
    return entry_of(folder) in (PICKLED, PICKLED_INDEX)


@contextmanager
def alone(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """A folder with some of a folder's files (those that are there), for a library that looks for more by itself.

    It holds links only and lies where the system keeps what may go: a killed process leaves nothing in the project.
    """
    with tempfile.TemporaryDirectory(prefix="polyprobe-") as view:
        for name in names:
            if (folder / name).is_file():
                Path(view, name).symlink_to((folder / name).resolve())
        yield Path(view)


def check_content(file: Path) -> None:
    """Raises BadInputError where a file is Git LFS's pointer to what should be there."""
    with file.open("rb") as opened:
        if opened.read(len(_POINTER)) == _POINTER:
            raise BadInputError(f"{file}: Git LFS's pointer, not the file itself; `git lfs pull` fetches it")


def read_json(file: Path, expected: str) -> dict[str, Any]:
    """A JSON object from a file of a checkpoint.

    Raises:
        BadInputError: there is no such file, or it holds no JSON object.
    """
    try:
        check_content(file)
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInputError(f"{file.parent}: no {file.name}, expected {expected}") from None
    except IsADirectoryError:
        raise BadInputError(f"{file}: a folder, expected {expected}") from None
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{file}: no valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInputError(f"{file}: expected a JSON object")
    return value


def _is_name(shard: Any) -> bool:
    return isinstance(shard, str) and 0 < len(shard) < 256 and shard.isprintable() and PurePath(shard).name == shard
