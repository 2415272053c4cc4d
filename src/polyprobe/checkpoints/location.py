"""Where a checkpoint's files lie: in a folder of the study, or in the hub's local cache."""

from dataclasses import dataclass
from pathlib import Path

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.converting import in_safetensors
from polyprobe.checkpoints.hub import fetch, fetch_tokenizer


@dataclass(frozen=True)
class HubCommit:
    """What a repository of the hub holds at a commit."""

    repository: str
    commit: str


@dataclass(frozen=True)
class Location:
    """The folders of one checkpoint."""

    weights: Path
    """The weights as safetensors, and config.json."""
    tokenizer: Path
    """tokenizer.json and its settings; the same folder, unless the tokenizer is another repository's."""


def locate(weights: Path | HubCommit, tokenizer: HubCommit | None) -> Location:
    """Return the folders of a checkpoint; what is on the hub is fetched, and pickled weights are converted.

    Args:
        weights: a folder in transformers' layout, or where on the hub it is.
        tokenizer: where it is on the hub; None where it lies with the weights.

    Raises:
        BadInputError: there is no such folder, or it holds no weights; the hub does not have them or cannot be reached;
            pickled weights are damaged.
    """
    if isinstance(weights, HubCommit):
        folder = in_safetensors(fetch(weights.repository, weights.commit), weights.commit)
    else:
        folder = in_safetensors(weights, None)
    return Location(folder, folder if tokenizer is None else fetch_tokenizer(tokenizer.repository, tokenizer.commit))


def location_of(manifest: Manifest, folder: Path) -> Location:
    """Return the folders of a checkpoint that has been resolved.

    Args:
        manifest: the checkpoint's.
        folder: the study's `weights` of it, which a checkpoint on the hub does without.

    Raises:
        BadInputError: as for `locate`.
    """
    weights = _on_the_hub(manifest.repository, manifest.commit)
    return locate(weights or folder, _on_the_hub(manifest.tokenizer_repository, manifest.tokenizer_commit))


def _on_the_hub(repository: str | None, commit: str | None) -> HubCommit | None:
    return None if repository is None or commit is None else HubCommit(repository, commit)
