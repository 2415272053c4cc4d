"""A linear softmax probe trained once on all neurons: what a set tells a probe that never saw a neuron missing.

Minimised per word: -log softmax(W h + b)[y] + l1 |W|_1 + l2 |W|_2^2, with Adam and the early stopping of the latent
probes. A lower bound for them: neurons share what they tell, so a few of them alone carry too little of it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import Batch, Objective, TrainingSettings


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """How a linear probe is trained (fidelity rows 4 and 5)."""

    def objective(self) -> "CrossEntropy":
        """Return the cross-entropy."""
        return CrossEntropy()


class CrossEntropy(Objective):
    """-log p(y | h). It has no random numbers."""

    masks = False

    def draw(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Float[Tensor, " nothing"]:
        """Return no numbers: nothing is random.

        Args:
            generator: not read.
            words: not read.
            neurons: not read.
            dtype: of the empty tensor.
        """
        return torch.empty(0, dtype=dtype)

    def loss(self, parameters: Parameters, batch: Batch) -> Float[Tensor, " probe"]:
        """Return -log p(y | h) in nats, averaged over words.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        logits = _logits(parameters, batch.inputs)
        return (logits.logsumexp(1) - (logits * batch.target).sum(1)).mean(1)

    def gradient(self, parameters: Parameters, batch: Batch) -> Parameters:
        """Return the gradient of `loss`.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        inputs = batch.inputs
        error = _logits(parameters, inputs).softmax(1).sub_(batch.target).div_(inputs.shape[1])
        return Parameters(weight=error @ inputs, bias=error.sum(2), log_odds=torch.zeros_like(parameters.log_odds))


def _logits(parameters: Parameters, inputs: Float[Tensor, "probe word neuron"]) -> Float[Tensor, "probe class word"]:
    return torch.baddbmm(parameters.bias[:, :, None], parameters.weight, inputs.transpose(1, 2))
