"""What is trained: a linear layer and, where neurons are masked, the masks' distribution."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

_ALIGNED: Final = 16
"""Rows of a multiple of so many numbers start where vector instructions like it: products of matrices round by where
their factors lie in memory, and a probe should not depend on those beside it."""


@dataclass
class Parameters:
    """Parameters of several probes, or the gradient in them."""

    weight: Float[Tensor, "probe class neuron"]
    bias: Float[Tensor, "probe class"]
    log_odds: Float[Tensor, "probe masked_neuron"]
    """phi, the parameters of a distribution over masks; none where nothing is masked."""

    def flat(self) -> Float[Tensor, "probe parameter"]:
        """Return everything in one row per probe (a copy)."""
        return torch.cat([self.weight.flatten(1), self.bias, self.log_odds], dim=1)

    def padded(self) -> Float[Tensor, "probe padded_parameter"]:
        """Return `flat` with zeros behind it, so that every row is aligned."""
        flat = self.flat()
        return torch.nn.functional.pad(flat, (0, -flat.shape[1] % _ALIGNED))

    @staticmethod
    def views(flat: Float[Tensor, "probe padded_parameter"], classes: int, neurons: int, masked: bool) -> "Parameters":
        """Return the parts of rows such as `flat` and `padded` give, as views.

        Args:
            flat: the rows.
            classes: of the probes.
            neurons: of the probes.
            masked: whether the rows have log odds, one per neuron.
        """
        linear = classes * neurons + classes
        ends = (classes * neurons, linear, linear + neurons * masked)
        weight, bias, log_odds, _ = flat.tensor_split(ends, dim=1)
        return Parameters(weight.view(-1, classes, neurons), bias, log_odds)
