"""From a checkpoint of params.yaml to its manifest: which weights it is, by their hash."""

from pathlib import Path

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.architecture import layers_and_width
from polyprobe.checkpoints.hashing import read_json, tokenizer_hash, weights_summary
from polyprobe.checkpoints.hub import fetch, pinned_commit
from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Checkpoint

TRAINING = "training.json"
"""What a folder may say of its training: `step` and `tokens_seen`."""


def resolve(key: str, checkpoint: Checkpoint) -> Manifest:
    """The manifest of a checkpoint in a folder or on the hub.

    `tokens_seen` is that of params.yaml or, where it is null, of the folder's `training.json`.

    Raises:
        BadInputError: no folder, weights, config, tokenizer or pinned commit, or the folder is of another step.
    """
    commit = None
    if checkpoint.repository is not None and checkpoint.revision is not None:
        commit = pinned_commit(checkpoint.weights, checkpoint.repository, checkpoint.revision)
    folder = checkpoint.weights if commit is None else fetch(str(checkpoint.repository), commit)
    weights = weights_summary(folder)
    layers, width = layers_and_width(folder)
    training = read_json(folder / TRAINING, "numbers of the training") if (folder / TRAINING).exists() else {}
    if training.get("step", checkpoint.step) != checkpoint.step:
        raise BadInputError(
            f"{PARAMS}: checkpoints.{key}.step: {checkpoint.step}, but {folder / TRAINING} says {training['step']}"
        )
    return Manifest(
        checkpoint=key,
        model=checkpoint.model,
        repository=checkpoint.repository,
        commit=commit,
        folder=folder.as_posix() if commit is None else None,
        weights_sha256=weights.sha256,
        tokenizer_sha256=tokenizer_hash(folder),
        parameters=weights.parameters,
        layers=layers,
        width=width,
        dtype=weights.dtype,
        step=checkpoint.step,
        tokens_seen=training.get("tokens_seen") if checkpoint.tokens_seen is None else checkpoint.tokens_seen,
        converged=checkpoint.converged,
    )


def weights_folder(manifest: Manifest) -> Path:
    """The folder that a manifest's weights lie in, fetched from the hub where it has to be."""
    if manifest.commit is None:
        return Path(str(manifest.folder))
    return fetch(str(manifest.repository), manifest.commit)
