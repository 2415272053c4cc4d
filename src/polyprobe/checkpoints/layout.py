"""The files of a checkpoint in transformers' layout: which of them are read, and that nothing else is."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, Final, TypeVar

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

Stored = TypeVar("Stored")


def weights_entry(names: Iterable[str], where: str) -> str:
    """Return the file that a folder's weights begin with: the weights themselves, or the index of their shards.

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
    """Return the files that hold a folder's tensors; the names of shards are those that their index says.

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
    """Return `weights_files`, and their index where there is one: all that a library has to be given to load them.

    Raises:
        BadInputError: as for `weights_files`.
    """
    return list(dict.fromkeys([entry_of(folder), *weights_files(folder)]))


def entry_of(folder: Path) -> str:
    """Return the `weights_entry` of a folder.

    Raises:
        BadInputError: there is no such folder, or as for `weights_entry`.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder, expected {WEIGHTS} or {PICKLED}, whole or in shards")
    return weights_entry((file.name for file in folder.iterdir()), str(folder))


def is_index(entry: str) -> bool:
    """Return whether what the weights begin with names their shards."""
    return entry in _INDEXES


def index(file: Path) -> dict[str, str]:
    """Return the shard of each tensor that an index names.

    Raises:
        BadInputError: it is malformed, or names a file outside its own folder.
    """
    found = read_json(file, "an index of shards").get("weight_map")
    if not isinstance(found, dict) or not found or not all(_is_name(shard) for shard in found.values()):
        raise BadInputError(f"{file}: weight_map: expected tensors with the names of files of this folder")
    _check_names(file, found)
    return found


def tensors_of(folder: Path, read: Callable[[Path], Mapping[str, Stored]]) -> Iterator[tuple[str, Stored]]:
    """Yield the tensors of a folder's weights with their names, file by file.

    Args:
        folder: the weights.
        read: returns a file's tensors by their names.

    Raises:
        BadInputError: as for `weights_files` and `read`; a file is Git LFS's pointer, or a name no text of one line; a
            tensor is in two shards (which of them is loaded, nothing says) or not where the index of the shards says;
            there is no tensor.
    """
    places: dict[str, str] = {}
    for file in weights_files(folder):
        _check_content(folder / file)
        tensors = read(folder / file)
        _check_names(folder / file, tensors)
        for name in sorted(tensors):
            if name in places:
                raise BadInputError(f"{folder}: tensor {name} is in {places[name]} and in {file}, expected it once")
            places[name] = file
            yield name, tensors[name]
    entry = entry_of(folder)
    expected = index(folder / entry) if is_index(entry) else {}
    for name, file in expected.items():
        if places.get(name) != file:
            raise BadInputError(f"{folder / file}: no tensor {name}, which {entry} expects there")
    if not places:
        raise BadInputError(f"{folder}: its weights hold no tensors")


def is_pickled(folder: Path) -> bool:
    """Return whether a folder's weights are in PyTorch's pickled format only.

    Raises:
        BadInputError: as for `entry_of`.
    """
    return entry_of(folder) in (PICKLED, PICKLED_INDEX)


@contextmanager
def alone(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Yield a folder with some of a folder's files, for a library that looks for more by itself.

    It holds links only and lies where the system keeps what may go: a killed process leaves nothing in the project.

    Args:
        folder: the files'.
        names: the files wanted; those that are not there are left out.
    """
    with tempfile.TemporaryDirectory(prefix="polyprobe-") as view:
        for name in names:
            if (folder / name).is_file():
                Path(view, name).symlink_to((folder / name).resolve())
        yield Path(view)


def read_json(file: Path, expected: str) -> dict[str, Any]:
    """Read a JSON object from a file of a checkpoint.

    Args:
        file: the file.
        expected: what it should be, for errors.

    Raises:
        BadInputError: there is no such file, it is Git LFS's pointer, or it holds no JSON object.
    """
    try:
        _check_content(file)
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


def _check_content(file: Path) -> None:
    """Check that a file is not Git LFS's pointer to what should be there.

    Raises:
        BadInputError: it is one.
    """
    with file.open("rb") as opened:
        if opened.read(len(_POINTER)) == _POINTER:
            raise BadInputError(f"{file}: Git LFS's pointer, not the file itself; `git lfs pull` fetches it")


def _check_names(file: Path, tensors: Iterable[Any]) -> None:
    """Check that the names of a file's tensors are text of one line.

    Args:
        file: the file, for errors.
        tensors: their names.

    Raises:
        BadInputError: one is not.
    """
    for name in tensors:
        if not isinstance(name, str) or not name.isprintable():
            raise BadInputError(f"{file}: a tensor {name!r}, expected a name without control characters")


def _is_name(shard: Any) -> bool:
    return isinstance(shard, str) and 0 < len(shard) < 256 and shard.isprintable() and PurePath(shard).name == shard
