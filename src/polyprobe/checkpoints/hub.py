"""Checkpoints on the hub, fetched at a pinned commit."""

import re
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError

FILES: Final = ("config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*", "special_tokens_map.json",
                "vocab*", "merges.txt", "sentencepiece*")  # fmt: skip
"""What loading needs; the hub's repositories hold more."""


def pinned_commit(pins: Path, repository: str, revision: str) -> str:
    """The commit that a revision stands for, from a YAML file of lines `repository@revision: commit`.

    Raises:
        BadInputError: no such file, or no whole commit for this revision.
    """
    from ruamel.yaml import YAML, YAMLError

    name = f"{repository}@{revision}"
    try:
        table = YAML(typ="safe").load(pins.read_text(encoding="utf-8")) or {}
    except (FileNotFoundError, IsADirectoryError):
        raise BadInputError(f"{pins}: no such file, expected YAML with `{name}: commit`") from None
    except YAMLError as error:
        raise BadInputError(f"{pins}: no valid YAML: {str(error).splitlines()[0]}") from None
    commit = table.get(name) if isinstance(table, dict) else None
    if commit is None:
        raise BadInputError(f"{pins}: no line for {name}, expected `{name}: commit`")
    if not re.fullmatch(r"[0-9a-f]{40}", str(commit)):
        raise BadInputError(f"{pins}: {name}: expected a commit of 40 hexadecimal digits, got {commit!r}")
    return str(commit)


def fetch(repository: str, commit: str) -> Path:
    """The folder of a commit's files in the hub's local cache, downloaded where it is not there yet.

    Raises:
        BadInputError: the hub does not have it or cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(repository, revision=commit, allow_patterns=list(FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        problem = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise BadInputError(f"{repository} at {commit}: cannot be fetched from the hub: {problem}") from None
    return Path(folder)
