"""Weights in PyTorch's pickled format (`pytorch_model.bin`), converted once to safetensors."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from pickle import UnpicklingError  # what torch raises at anything but tensors
from typing import Any, Final

import torch
from filelock import FileLock
from safetensors.torch import save_file
from torch import Tensor

from polyprobe.checkpoints.boundary import library_errors
from polyprobe.checkpoints.layout import (
    CONFIG,
    TOKENIZER_FILES,
    WEIGHTS,
    WEIGHTS_INDEX,
    is_pickled,
    tensors_of,
    weights_and_index,
)
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_folder
from polyprobe.running.scratch import scratch_root

_SHARD: Final = 2 << 30
"""Bytes of a converted file, and so of the memory that converting takes."""


def in_safetensors(folder: Path, commit: str | None) -> Path:
    """Return the folder itself or, where its weights are pickled, one with the same tensors in safetensors.

    That one lies below the scratch root; it is written whole or not at all, and again if it was removed.

    Args:
        folder: weights, config and tokenizer.
        commit: what the folder is on the hub; None for any other, which is known by its files' bytes then.

    Raises:
        BadInputError: the weights are damaged, hold anything but tensors, or there is no room for the converted ones.
    """
    if not is_pickled(folder):
        return folder
    target = scratch_root() / "converted" / (commit or _digest(folder))
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.guard"):
        if not target.exists():
            with new_folder(target) as unfinished:
                _write_shards(folder, unfinished)
                for name in _settings(folder):
                    shutil.copyfile(folder / name, unfinished / name)
    return target


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in weights_and_index(folder) + _settings(folder):
        with (folder / name).open("rb") as opened:
            digest.update(f"{name} {hashlib.file_digest(opened, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:40]


def _settings(folder: Path) -> list[str]:
    return [name for name in (CONFIG, *TOKENIZER_FILES) if (folder / name).is_file()]


def _write_shards(folder: Path, target: Path) -> None:
    places: dict[str, str] = {}
    total = 0
    for number, shard in enumerate(_shards(tensors_of(folder, _load)), 1):
        name = f"model-{number:05}.safetensors"
        save_file(shard, target / name, {"format": "pt"})
        places |= dict.fromkeys(shard, name)
        total += sum(tensor.nbytes for tensor in shard.values())
    if len(set(places.values())) == 1:
        (target / "model-00001.safetensors").rename(target / WEIGHTS)
    else:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
        (target / WEIGHTS_INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _shards(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """Yield the tensors by name, in portions of at most `_SHARD` bytes or one tensor."""
    shard: dict[str, Tensor] = {}
    for name, tensor in tensors:
        if shard and tensor.nbytes + sum(other.nbytes for other in shard.values()) > _SHARD:
            yield shard
            shard = {}
        # safetensors holds no memory twice: of tied weights each gets its own.
        storages = {other.untyped_storage().data_ptr() for other in shard.values()}
        tied = tensor.untyped_storage().data_ptr() in storages
        shard[name] = tensor.contiguous().clone() if tied else tensor.contiguous()
    yield shard


def _load(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a pickled file, mapped into memory rather than read where the format allows it.

    Raises:
        BadInputError: the file is damaged, or holds anything but names and tensors.
    """
    with library_errors(f"{file}: damaged"):
        try:
            loaded: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
        except UnpicklingError:
            raise BadInputError(f"{file}: refused: it holds more than weights, or is damaged") from None
    if not isinstance(loaded, dict) or not all(isinstance(tensor, Tensor) for tensor in loaded.values()):
        raise BadInputError(f"{file}: expected names and tensors, as `torch.save(model.state_dict())` writes them")
    return loaded
