"""Expectation over masks by sampling: the reference's estimator, unbiased.

Each word of a batch has masks of its own: some for the likelihood, whose gradient trains the probe, and as many others
for the score function, whose average -log p(y | h * m) * (m - q) is the gradient in phi (REINFORCE, no baseline).
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from polyprobe.probes._parameters import Parameters


def fixed(generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Float[Tensor, "word nothing"]:
    """Return no numbers: all random numbers are drawn anew at each step.

    Args:
        generator: not read.
        words: places of a batch.
        neurons: not read.
        dtype: of the empty tensor.
    """
    return torch.empty(words, 0, dtype=dtype)


def draw(
    generator: Generator, samples: int, words: int, neurons: int, dtype: torch.dtype
) -> Float[Tensor, "purpose sample_word neuron"]:
    """Draw the random numbers of one step of one probe, for the likelihood and for the score function.

    Args:
        generator: the probe's own.
        samples: masks per word and purpose.
        words: of the batch.
        neurons: of a mask.
        dtype: of the numbers.

    Returns:
        Uniform numbers between 0 and 1. The axis `sample_word` goes through the words once per sample.
    """
    return torch.rand(2, samples * words, neurons, generator=generator, dtype=dtype)


def loss(
    parameters: Parameters,
    inputs: Float[Tensor, "probe word neuron"],
    target: Float[Tensor, "probe class word"],
    fixed: Float[Tensor, "probe word nothing"],
    draws: Float[Tensor, "probe purpose sample_word neuron"],
) -> Float[Tensor, " probe"]:
    """Return -E_q[log p(y | h * m)] in nats, averaged over words and samples.

    Args:
        parameters: of the probes.
        inputs: hidden states of each probe's words.
        target: 1 where a word is of the class, else 0.
        fixed: not read.
        draws: from `draw`, for each probe.
    """
    _, log_likelihood, _, _ = _evaluate(parameters, inputs, target, draws[:, 0])
    return -log_likelihood.mean(1)


def gradient(
    parameters: Parameters,
    inputs: Float[Tensor, "probe word neuron"],
    target: Float[Tensor, "probe class word"],
    fixed: Float[Tensor, "probe word nothing"],
    draws: Float[Tensor, "probe purpose sample_word neuron"],
) -> Parameters:
    """Return an unbiased estimate of the gradient of the expected loss.

    Args:
        parameters: of the probes.
        inputs: hidden states of each probe's words.
        target: 1 where a word is of the class, else 0.
        fixed: not read.
        draws: from `draw`, for each probe.
    """
    masked, _, logits, targets = _evaluate(parameters, inputs, target, draws[:, 0])
    error = logits.softmax(1).sub_(targets).div_(logits.shape[2])
    _, log_likelihood, _, _ = _evaluate(parameters, inputs, target, draws[:, 1])
    inclusion = parameters.log_odds.sigmoid()
    score = (draws[:, 1] < inclusion[:, None]).to(inclusion.dtype).sub_(inclusion[:, None])
    return Parameters(
        weight=error @ masked,
        bias=error.sum(2),
        log_odds=-(log_likelihood[:, None] @ score)[:, 0] / log_likelihood.shape[1],
    )


def _evaluate(
    parameters: Parameters,
    inputs: Float[Tensor, "probe word neuron"],
    target: Float[Tensor, "probe class word"],
    uniform: Float[Tensor, "probe sample_word neuron"],
) -> tuple[
    Float[Tensor, "probe sample_word neuron"],
    Float[Tensor, "probe sample_word"],
    Float[Tensor, "probe class sample_word"],
    Float[Tensor, "probe class sample_word"],
]:
    samples = uniform.shape[1] // inputs.shape[1]
    masked = inputs.repeat(1, samples, 1).mul_(uniform < parameters.log_odds.sigmoid()[:, None])
    logits = torch.baddbmm(parameters.bias[:, :, None], parameters.weight, masked.transpose(1, 2))
    targets = target.repeat(1, 1, samples)
    return masked, (logits * targets).sum(1) - logits.logsumexp(1), logits, targets
