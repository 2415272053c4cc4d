"""Checkpoints on the hub: the files that are needed of a commit."""

from collections.abc import Sequence
from pathlib import Path

from polyprobe.checkpoints.layout import CONFIG, PICKLED, TOKENIZER, WEIGHTS, settings_files, weights_files
from polyprobe.downloads.hub import model_files
from polyprobe.running.errors import BadInputError


def fetch(repository: str, commit: str) -> Path:
    """The folder of a commit's weights (safetensors where there are any), config and tokenizer in the local cache.

    Raises:
        BadInputError: as for `downloads.hub.model_files`, or there are no weights or no config.
    """

    def needed(names: Sequence[str]) -> list[str]:
        weights = weights_files(names)
        if not weights:
            raise BadInputError(
                f"{repository} at {commit}: no weights, expected {WEIGHTS} or {PICKLED}, whole or sharded"
            )
        if CONFIG not in names:
            raise BadInputError(f"{repository} at {commit}: no {CONFIG}, expected a model of transformers")
        return weights + settings_files(names)

    return model_files(repository, commit, needed)


def fetch_tokenizer(repository: str, commit: str) -> Path:
    """The folder of a commit's tokenizer in the local cache.

    Raises:
        BadInputError: as for `downloads.hub.model_files`, or there is no fast tokenizer.
    """

    def needed(names: Sequence[str]) -> list[str]:
        if TOKENIZER not in names:
            raise BadInputError(f"{repository} at {commit}: no {TOKENIZER}, expected a fast tokenizer")
        return settings_files(names)

    return model_files(repository, commit, needed)
