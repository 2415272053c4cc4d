"""From a checkpoint of params.yaml to its manifest: which weights it is, by their hash."""

from pathlib import Path

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.architecture import layers_and_width
from polyprobe.checkpoints.converting import in_safetensors
from polyprobe.checkpoints.hashing import tokenizer_hash, weights_summary
from polyprobe.checkpoints.hub import fetch, fetch_tokenizer, pinned_commit
from polyprobe.checkpoints.layout import check_weights, read_json
from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Checkpoint

TRAINING = "training.json"
"""What a folder may say of its training: `step` and `tokens_seen`."""


def resolve(key: str, checkpoint: Checkpoint) -> Manifest:
    """The manifest of a checkpoint in a folder or on the hub.

    `tokens_seen` is that of params.yaml or, where it is null, of the folder's `training.json`.

    Raises:
        BadInputError: no folder, commit, weights, config or tokenizer; weights that cannot be right; another step.
    """
    commit = tokenizer_commit = None
    if checkpoint.repository is not None and checkpoint.revision is not None:
        commit = pinned_commit(checkpoint.weights, checkpoint.repository, checkpoint.revision)
    tokenizer = folder = _weights(checkpoint.weights, checkpoint.repository, commit)
    if (own := checkpoint.tokenizer) is not None:
        pins = None if commit is None else checkpoint.weights
        tokenizer_commit = pinned_commit(pins, own.repository, own.revision)
        tokenizer = fetch_tokenizer(own.repository, tokenizer_commit)
    layers, width = layers_and_width(folder)
    tokenizer_sha256 = tokenizer_hash(tokenizer)
    weights = weights_summary(folder)
    trained = checkpoint.weights / TRAINING
    training = read_json(trained, "numbers of the training") if trained.exists() else {}
    if training.get("step", checkpoint.step) != checkpoint.step:
        raise BadInputError(
            f"{PARAMS}: checkpoints.{key}.step: {checkpoint.step}, but {trained} says {training['step']}"
        )
    return Manifest(
        checkpoint=key,
        model=checkpoint.model,
        repository=checkpoint.repository,
        commit=commit,
        folder=checkpoint.weights.as_posix() if commit is None else None,
        weights_sha256=weights.sha256,
        tokenizer_sha256=tokenizer_sha256,
        parameters=weights.parameters,
        layers=layers,
        width=width,
        dtype=weights.dtype,
        step=checkpoint.step,
        tokens_seen=training.get("tokens_seen") if checkpoint.tokens_seen is None else checkpoint.tokens_seen,
        converged=checkpoint.converged,
        tokenizer_repository=None if own is None else own.repository,
        tokenizer_commit=tokenizer_commit,
    )


def weights_folder(manifest: Manifest) -> Path:
    """The folder that a manifest's weights lie in as safetensors: fetched from the hub and converted where need be.

    Raises:
        BadInputError: as for `resolve`.
    """
    return _weights(Path(str(manifest.folder)), manifest.repository, manifest.commit)


def tokenizer_folder(manifest: Manifest) -> Path:
    """The folder that a manifest's tokenizer lies in: another repository's, or that of the weights.

    Raises:
        BadInputError: as for `resolve`.
    """
    if manifest.tokenizer_commit is None:
        return weights_folder(manifest)
    return fetch_tokenizer(str(manifest.tokenizer_repository), manifest.tokenizer_commit)


def _weights(folder: Path, repository: str | None, commit: str | None) -> Path:
    if commit is not None:
        return in_safetensors(fetch(str(repository), commit), commit)
    check_weights(folder)
    return in_safetensors(folder, None)
