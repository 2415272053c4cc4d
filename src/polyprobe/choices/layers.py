"""Layers by their numbers: 1 is the embedding output, the last one a model's number of blocks plus 1."""

import math
from collections.abc import Sequence

from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Study


def resolve_layers(layers: Sequence[int | float], available: int, where: str) -> list[int]:
    """Return the numbers of layers that are given as numbers or as relative depths.

    Relative depth r of a model with b blocks is layer 1 + round(r * b), so that 13 and 17 of 25 are 0.5 and 0.667.

    Args:
        layers: numbers (int) and relative depths between 0 and 1 (float).
        available: layers of the model, the embedding output counted (blocks + 1).
        where: what an error's message begins with.

    Returns:
        The numbers, ascending, none twice.

    Raises:
        BadInputError: the model lacks one of them.
    """
    numbers = {layer if isinstance(layer, int) else 1 + math.floor(layer * (available - 1) + 0.5) for layer in layers}
    for layer in sorted(numbers):
        if layer > available:
            raise BadInputError(f"{where}: no layer {layer}, the model has layers 1 to {available}")
    return sorted(numbers)


def study_layers(study: Study, key: str, available: int) -> list[int]:
    """Return the study's own layers at a checkpoint, ascending.

    Args:
        study: the study.
        key: the checkpoint's key in the study.
        available: layers of its model, the embedding output counted.

    Raises:
        BadInputError: the model lacks one of them.
    """
    return resolve_layers(study.layers, available, _where(key))


def layers_of(study: Study, key: str, available: int) -> list[int]:
    """Return the layers probed at a checkpoint, ascending: the study's and its own.

    Args:
        study: the study.
        key: the checkpoint's key in the study.
        available: layers of its model, the embedding output counted.

    Raises:
        BadInputError: the model lacks one of them, or the study has no such checkpoint.
    """
    return resolve_layers([*study.layers, *study.checkpoint(key).layers], available, _where(key))


def correlated_layers(study: Study, available: int) -> list[int]:
    """Return the layers that overlap is averaged over when it is correlated, ascending.

    Args:
        study: the study.
        available: layers of a model, the embedding output counted.

    Raises:
        BadInputError: the model lacks one of them.
    """
    return resolve_layers(study.correlate.layers or study.layers, available, f"{PARAMS}: correlate.layers")


def _where(key: str) -> str:
    return f"{PARAMS}: layers of checkpoint {key}"
