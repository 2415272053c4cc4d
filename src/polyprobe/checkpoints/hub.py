"""Checkpoints on the hub: the files that are needed of a commit."""

from collections.abc import Sequence
from pathlib import Path

from polyprobe.checkpoints.layout import CONFIG, TOKENIZER, TOKENIZER_FILES, index, is_index, weights_entry
from polyprobe.downloads.hub import model_files
from polyprobe.running.errors import BadInputError


def fetch(repository: str, commit: str) -> Path:
    """Fetch a commit's weights (safetensors where there are any), config and tokenizer into the local cache.

    Shards have the names that their index gives them, so the index comes first.

    Args:
        repository: such as bigscience/bloom-560m.
        commit: of 40 hexadecimal digits.

    Returns:
        Their folder.

    Raises:
        BadInputError: as for `downloads.hub.model_files`, or there are no weights or no config, or a shard is missing.
    """
    where = f"{repository} at {commit}"

    def settings(names: Sequence[str]) -> list[str]:
        if CONFIG not in names:
            raise BadInputError(f"{where}: no {CONFIG}, expected a model of transformers")
        entry = weights_entry(names, where)
        return [CONFIG, *_tokenizer_files(names), *([entry] if is_index(entry) else [])]

    folder = model_files(repository, commit, settings)

    def weights(names: Sequence[str]) -> list[str]:
        entry = weights_entry(names, where)
        shards = sorted(set(index(folder / entry).values())) if is_index(entry) else [entry]
        for shard in shards:
            if shard not in names:
                raise BadInputError(f"{where}: no {shard}, which {entry} names")
        return shards

    return model_files(repository, commit, weights)


def fetch_tokenizer(repository: str, commit: str) -> Path:
    """Fetch a commit's tokenizer into the local cache.

    Args:
        repository: such as bigscience/bloom-560m.
        commit: of 40 hexadecimal digits.

    Returns:
        Its folder.

    Raises:
        BadInputError: as for `downloads.hub.model_files`, or there is no fast tokenizer.
    """

    def files_needed(names: Sequence[str]) -> list[str]:
        if TOKENIZER not in names:
            raise BadInputError(f"{repository} at {commit}: no {TOKENIZER}, expected a fast tokenizer")
        return _tokenizer_files(names)

    return model_files(repository, commit, files_needed)


def _tokenizer_files(names: Sequence[str]) -> list[str]:
    return [name for name in TOKENIZER_FILES if name in names]
