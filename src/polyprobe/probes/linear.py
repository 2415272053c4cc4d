"""A linear softmax probe trained once on all neurons: what a set tells a probe that never saw a neuron missing.

Minimised per word: -log softmax(W h + b)[y] + l1 |W|_1 + l2 |W|_2^2, with Adam and the early stopping of the latent
probes. A lower bound for them: neurons share what they tell, so a few of them alone carry too little of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import TrainingSettings, train
from polyprobe.probes.probe import Data, LinearProbe


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """How a linear probe is trained (fidelity rows 4 and 5)."""


def fit(
    inputs: Float[Tensor, "word neuron"],
    labels: Sequence[Int[Tensor, " word"]],
    dev: Data | None,
    seeds: Sequence[int],
    settings: Settings,
) -> list[LinearProbe]:
    """Fit one probe per seed, each to its own labels of the same words.

    Those fitted beside it move a probe by rounding only.

    Args:
        inputs: hidden states of the train words.
        labels: one labelling per seed, classes 0, 1, ...
        dev: not read: early stopping holds words out of `inputs`, so that the dev set stays fresh for the selection of
            neurons.
        seeds: one per probe.
        settings: how the probes are trained.

    Raises:
        ValueError: there are too few words to hold some out, fewer than two classes, or fewer than two words of
            a class.
    """
    return [
        LinearProbe(epochs=one.epochs, weight=one.weight, bias=one.bias)
        for one in train(CrossEntropy(), inputs, labels, seeds, settings)
    ]


class CrossEntropy:
    """-log p(y | h); see `_training.Objective`. It has no random numbers."""

    masks = False

    def fixed(
        self, generator: Generator, words: int, neurons: int, dtype: torch.dtype
    ) -> Float[Tensor, "word nothing"]:
        """Return no numbers: nothing is random.

        Args:
            generator: not read.
            words: places of a batch.
            neurons: not read.
            dtype: of the empty tensor.
        """
        return torch.empty(words, 0, dtype=dtype)

    def draw(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Float[Tensor, " nothing"]:
        """Return no numbers: nothing is random.

        Args:
            generator: not read.
            words: not read.
            neurons: not read.
            dtype: of the empty tensor.
        """
        return torch.empty(0, dtype=dtype)

    def loss(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word nothing"],
        draws: Float[Tensor, "probe nothing"],
    ) -> Float[Tensor, " probe"]:
        """Return -log p(y | h) in nats, averaged over words.

        Args:
            parameters: of the probes.
            inputs: hidden states of each probe's words.
            target: 1 where a word is of the class, else 0.
            fixed: not read.
            draws: not read.
        """
        logits = _logits(parameters, inputs)
        return (logits.logsumexp(1) - (logits * target).sum(1)).mean(1)

    def gradient(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word nothing"],
        draws: Float[Tensor, "probe nothing"],
    ) -> Parameters:
        """Return the gradient of `loss`.

        Args:
            parameters: of the probes.
            inputs: hidden states of each probe's words.
            target: 1 where a word is of the class, else 0.
            fixed: not read.
            draws: not read.
        """
        error = _logits(parameters, inputs).softmax(1).sub_(target).div_(inputs.shape[1])
        return Parameters(weight=error @ inputs, bias=error.sum(2), log_odds=torch.zeros_like(parameters.log_odds))


def _logits(parameters: Parameters, inputs: Float[Tensor, "probe word neuron"]) -> Float[Tensor, "probe class word"]:
    return torch.baddbmm(parameters.bias[:, :, None], parameters.weight, inputs.transpose(1, 2))
