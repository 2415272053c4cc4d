"""Checkpoints on the hub: the commit of a revision, and the files that are needed of it."""

from collections.abc import Sequence
from pathlib import Path

from polyprobe.checkpoints.layout import CONFIG, PICKLED, TOKENIZER, WEIGHTS, settings_files, weights_files
from polyprobe.downloads.hub import COMMIT, commit_of, model_files
from polyprobe.running.errors import BadInputError


def pinned_commit(pins: Path | None, repository: str, revision: str) -> str:
    """The commit that a revision stands for.

    It is the revision itself, else what the study's pins say, else what `downloads.lock` says, else what the hub says,
    which `downloads.lock` then records.

    Args:
        pins: a YAML file of lines `repository@revision: commit`, be it none; None for no file.
        repository: such as bigscience/bloom-560m.
        revision: a commit, branch or tag.

    Raises:
        BadInputError: no such file, a line that is no commit, no such revision, or the hub cannot be reached.
    """
    from ruamel.yaml import YAML, YAMLError

    if pins is None:
        return commit_of(repository, revision)
    name = f"{repository}@{revision}"
    try:
        table = YAML(typ="safe").load(pins.read_text(encoding="utf-8")) or {}
    except (FileNotFoundError, IsADirectoryError):
        raise BadInputError(
            f"{pins}: no such file, expected YAML with lines such as `{name}: commit`, or none"
        ) from None
    except YAMLError as error:
        raise BadInputError(f"{pins}: no valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(table, dict):
        raise BadInputError(f"{pins}: expected lines such as `{name}: commit`")
    commit = str(table.get(name) or commit_of(repository, revision))
    if not COMMIT.fullmatch(commit):
        raise BadInputError(f"{pins}: {name}: expected a commit of 40 hexadecimal digits, got {commit!r}")
    return commit


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
