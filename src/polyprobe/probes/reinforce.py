"""Expectation over masks by sampling: the reference's estimator, unbiased.

Each word of a batch has masks of its own: some for the likelihood, whose gradient trains the probe, and as many others
for the score function, whose average -log p(y | h * m) * (m - q) is the gradient in phi (REINFORCE, no baseline).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import Batch, Objective


@dataclass(frozen=True)
class Reinforce(Objective):
    """The expected loss over sampled masks."""

    samples: int
    """Masks per word and purpose."""

    def draw(
        self, generator: Generator, words: int, neurons: int, dtype: torch.dtype
    ) -> Float[Tensor, "purpose sample_word neuron"]:
        """Draw the random numbers of one step of one probe, for the likelihood and for the score function.

        Args:
            generator: the probe's own.
            words: of the batch.
            neurons: of a mask.
            dtype: of the numbers.

        Returns:
            Uniform numbers between 0 and 1. The axis `sample_word` goes through the words once per sample.
        """
        return torch.rand(2, self.samples * words, neurons, generator=generator, dtype=dtype)

    def loss(self, parameters: Parameters, batch: Batch) -> Float[Tensor, " probe"]:
        """Return -E_q[log p(y | h * m)] in nats, averaged over words and samples.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        _, log_likelihood, _, _ = _evaluate(parameters, batch, 0)
        return -log_likelihood.mean(1)

    def gradient(self, parameters: Parameters, batch: Batch) -> Parameters:
        """Return an unbiased estimate of the gradient of the expected loss.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        masked, _, logits, targets = _evaluate(parameters, batch, 0)
        error = logits.softmax(1).sub_(targets).div_(logits.shape[2])
        _, log_likelihood, _, _ = _evaluate(parameters, batch, 1)
        inclusion = parameters.log_odds.sigmoid()
        score = (batch.draws[:, 1] < inclusion[:, None]).to(inclusion.dtype).sub_(inclusion[:, None])
        return Parameters(
            weight=error @ masked,
            bias=error.sum(2),
            log_odds=-(log_likelihood[:, None] @ score)[:, 0] / log_likelihood.shape[1],
        )


def _evaluate(
    parameters: Parameters, batch: Batch, purpose: int
) -> tuple[
    Float[Tensor, "probe sample_word neuron"],
    Float[Tensor, "probe sample_word"],
    Float[Tensor, "probe class sample_word"],
    Float[Tensor, "probe class sample_word"],
]:
    """Return masked inputs, log-likelihoods in nats, logits and targets, once per sample.

    Args:
        parameters: of the probes.
        batch: their words.
        purpose: 0 for the masks of the likelihood, 1 for those of the score function.
    """
    uniform = batch.draws[:, purpose]
    samples = uniform.shape[1] // batch.inputs.shape[1]
    masked = batch.inputs.repeat(1, samples, 1).mul_(uniform < parameters.log_odds.sigmoid()[:, None])
    logits = torch.baddbmm(parameters.bias[:, :, None], parameters.weight, masked.transpose(1, 2))
    targets = batch.target.repeat(1, 1, samples)
    return masked, (logits * targets).sum(1) - logits.logsumexp(1), logits, targets
