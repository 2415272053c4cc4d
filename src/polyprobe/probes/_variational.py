"""What estimators of the expectation over masks have in common."""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Generator, Tensor


@dataclass
class Parameters:
    """Parameters of several probes, or the gradient in them."""

    weight: Float[Tensor, "probe class neuron"]
    bias: Float[Tensor, "probe class"]
    log_odds: Float[Tensor, "probe neuron"]
    """phi: a neuron's mask is 1 with probability sigmoid(phi)."""

    def flat(self) -> Float[Tensor, "probe parameter"]:
        """Everything in one row per probe (a copy)."""
        return torch.cat([self.weight.flatten(1), self.bias, self.log_odds], dim=1)

    @staticmethod
    def views(flat: Float[Tensor, "probe parameter"], classes: int, neurons: int) -> "Parameters":
        """The parts of such rows, as views."""
        weight, bias = flat[:, : classes * neurons], flat[:, classes * neurons : -neurons]
        return Parameters(weight.view(-1, classes, neurons), bias, flat[:, -neurons:])


class Estimator(Protocol):
    """How the expectation over masks in Eq. 2 is estimated: a module with these functions."""

    def fixed(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Float[Tensor, "word any"]:
        """The random numbers of each place of a batch that are drawn once per fit."""

    def draw(self, generator: Generator, samples: int, words: int, neurons: int, dtype: torch.dtype) -> Tensor:
        """The random numbers of one step of one probe."""

    def loss(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word any"],
        draws: Float[Tensor, "probe ..."],
    ) -> Float[Tensor, " probe"]:
        """-E_q[log p(y | h * m)] in nats, averaged over words and samples."""

    def gradient(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word any"],
        draws: Float[Tensor, "probe ..."],
    ) -> Parameters:
        """The gradient of the expected loss."""


def entropy(log_odds: Float[Tensor, "*probe neuron"]) -> Float[Tensor, "*probe"]:
    """H(q) in nats over all neurons, of independent Bernoulli(sigmoid(log_odds)) masks."""
    return (torch.nn.functional.softplus(log_odds) - log_odds * log_odds.sigmoid()).sum(-1)


def entropy_gradient(log_odds: Float[Tensor, "*probe neuron"]) -> Float[Tensor, "*probe neuron"]:
    """The gradient of `entropy`."""
    inclusion = log_odds.sigmoid()
    return -log_odds * inclusion * (1 - inclusion)
