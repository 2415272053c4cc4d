"""`data/checkpoints/<ckpt>.json`: what a checkpoint is, by the hashes of its weights, settings and tokenizer.

`data/verified/<ckpt>.json` is the same without the hashes of single tensors, once `verify_checkpoints` has compared all
of them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import write_json

FOLDER: Final = Path("data/checkpoints")
VERIFIED: Final = Path("data/verified")


@dataclass(frozen=True)
class Manifest:
    """One checkpoint."""

    checkpoint: str
    """Its key in params.yaml."""
    model: str
    repository: str | None
    """The hub's repository; None for a folder."""
    commit: str | None
    folder: str | None
    """The folder of the weights, relative to the study; None for the hub."""
    weights_sha256: str
    """Hash of the tensors (names, types, shapes, numbers in name order), not of files; see `checkpoints.hashing`."""
    config_sha256: str
    """Hash of the model's settings, but for those that cannot matter; see `checkpoints.config`."""
    tokenizer_sha256: str
    """Hash of the tokenizer that runs; see `checkpoints.tokenizer`."""
    parameters: int
    layers: int
    """The embedding output counted: blocks + 1."""
    width: int
    dtype: str
    step: int
    tokens_seen: int | None
    converged: bool
    dropped: bool = False
    """A duplicate that verify_checkpoints took out of the study."""
    tokenizer_repository: str | None = None
    """The hub's repository of the tokenizer, where it is not with the weights."""
    tokenizer_commit: str | None = None
    zeros: Sequence[str] = field(default=(), hash=False)
    """Matrices of nothing but zeros, which are so by design."""
    tensors: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The hash of each tensor's numbers, but for those that are all one number; empty once all are compared."""


def path(checkpoint: str, folder: Path = VERIFIED) -> Path:
    """Return where a checkpoint's manifest lies.

    Args:
        checkpoint: its key in params.yaml.
        folder: `VERIFIED`, or `FOLDER` for the manifest with the hashes of single tensors.
    """
    return folder / f"{checkpoint}.json"


def write(file: Path, manifest: Manifest) -> None:
    """Write a manifest.

    Args:
        file: where it goes.
        manifest: the checkpoint's.
    """
    write_json(file, asdict(manifest))


def read(file: Path) -> Manifest:
    """Read a manifest.

    Raises:
        BadInputError: there is no such file, or it is none.
    """
    try:
        return Manifest(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BadInputError(f"{file}: no such manifest; has resolve been run?") from None
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{file}: no manifest of a checkpoint: {error}") from None
