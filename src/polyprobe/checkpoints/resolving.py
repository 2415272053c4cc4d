"""From a checkpoint of params.yaml to its manifest: which weights it is, by their hash."""

from pathlib import Path
from typing import Any

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.config import config_hash, layers_and_width, load_config
from polyprobe.checkpoints.hashing import weights_summary
from polyprobe.checkpoints.layout import read_json
from polyprobe.checkpoints.location import HubCommit, locate
from polyprobe.checkpoints.tokenizer import load_tokenizer, tokenizer_hash
from polyprobe.choices.repositories import repository_of
from polyprobe.downloads.hub import commit_of
from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Checkpoint, Model, Study

TRAINING = "training.json"
"""What a folder may say of its training: `step` and `tokens_seen`."""


def resolve(study: Study, key: str) -> Manifest:
    """Return the manifest of a checkpoint in a folder or on the hub.

    Args:
        study: the study.
        key: the checkpoint.

    Raises:
        BadInputError: no folder, commit, weights, config or tokenizer; weights that cannot be right; another step.
    """
    checkpoint, model = study.checkpoint(key), study.models[study.checkpoint(key).model]
    weights = _at(repository_of(study, key), checkpoint.revision)
    tokenizer = None if model.tokenizer is None else _at(model.tokenizer.repository, model.tokenizer.revision)
    location = locate(weights or checkpoint.weights, tokenizer)
    config = load_config(location.weights)
    layers, width = layers_and_width(config, location.weights)
    tokenizer_sha256 = tokenizer_hash(load_tokenizer(location))
    summary = weights_summary(location.weights, trained=checkpoint.step > 0)
    return Manifest(
        checkpoint=key,
        model=checkpoint.model,
        repository=None if weights is None else weights.repository,
        commit=None if weights is None else weights.commit,
        folder=None if weights or checkpoint.weights.is_absolute() else checkpoint.weights.as_posix(),
        weights_sha256=summary.sha256,
        config_sha256=config_hash(config),
        tokenizer_sha256=tokenizer_sha256,
        parameters=summary.parameters,
        layers=layers,
        width=width,
        dtype=summary.dtype,
        step=checkpoint.step,
        tokens_seen=_tokens_seen(checkpoint, model, _training(key, checkpoint)),
        converged=checkpoint.converged,
        tokenizer_repository=None if tokenizer is None else tokenizer.repository,
        tokenizer_commit=None if tokenizer is None else tokenizer.commit,
        zeros=summary.zeros,
        tensors=summary.tensors,
    )


def _at(repository: str | None, revision: str | None) -> HubCommit | None:
    if repository is None or revision is None:
        return None
    return HubCommit(repository, commit_of(repository, revision))


def _training(key: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what the checkpoint's folder says of its training.

    Args:
        key: the checkpoint's.
        checkpoint: its entry in params.yaml.

    Raises:
        BadInputError: it says another step.
    """
    file: Path = checkpoint.weights / TRAINING
    training = read_json(file, "numbers of the training") if file.exists() else {}
    if training.get("step", checkpoint.step) != checkpoint.step:
        raise BadInputError(f"{PARAMS}: checkpoints.{key}.step: {checkpoint.step}, but {file} says {training['step']}")
    return training


def _tokens_seen(checkpoint: Checkpoint, model: Model, training: dict[str, Any]) -> int | None:
    if checkpoint.tokens_seen is not None:
        return checkpoint.tokens_seen
    if (tokens := training.get("tokens_seen")) is not None:
        if isinstance(tokens, bool) or not isinstance(tokens, int):
            raise BadInputError(f"{checkpoint.weights / TRAINING}: tokens_seen: expected a number, got {tokens!r}")
        return tokens
    return None if model.tokens_per_step is None else checkpoint.step * model.tokens_per_step
