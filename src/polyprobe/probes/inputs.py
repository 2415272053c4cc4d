"""Hidden states as a probe's inputs."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor


def inputs_of(
    embeddings: NDArray[np.floating], splits: Iterable[str], standardise: str = "none", device: str = "cpu"
) -> Float[Tensor, "word neuron"]:
    """Return hidden states as float32, standardised or not.

    Args:
        embeddings: hidden states [word, neuron] of one language.
        splits: each word's split.
        standardise: `none`, or `language`: mean 0 and variance 1 of each neuron over all train words of the language,
            so that no neuron attracts a probe by its variance alone; a constant neuron is only centred.
        device: where the tensor goes.

    Raises:
        ValueError: `standardise` is something else.
    """
    if standardise not in ("none", "language"):
        raise ValueError(f"unknown standardise {standardise!r}, expected none or language")
    inputs = embeddings.astype(np.float64)
    if standardise == "language":
        train = inputs[np.asarray(list(splits)) == "train"]
        deviation = train.std(0)
        inputs = (inputs - train.mean(0)) / np.where(deviation > 0, deviation, 1)
    return torch.from_numpy(inputs.astype(np.float32)).to(device)
