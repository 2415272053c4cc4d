"""Expectation over masks by Gaussian logits: the masks' exact mean and covariance, and gradients in phi as well.

Under independent masks m_j ~ Bernoulli(q_j) the logits W(h * m) + b have mean W(h * q) + b and covariance
sum_j q_j (1 - q_j) h_j^2 W_j W_j'. They are replaced by W(h * (q + s * e)) + b with s = sqrt(q (1 - q)) and standard
normal e, which is the Gaussian of that mean and covariance, differentiable in W and in q. The bias that remains is of
third order (`bias_bound`).

One e per sample serves all words of a batch, each place of the batch with random signs of its own, fixed for the fit
(Wen et al. 2018, "Flipout"): for each word it is still standard normal, words are uncorrelated, and a sample costs one
product of matrices.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import Batch, Objective


@dataclass(frozen=True)
class LogitGaussian(Objective):
    """The expected loss of Gaussian logits."""

    samples: int

    def fixed(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Float[Tensor, "word neuron"]:
        """Draw the signs of each place of a batch.

        Args:
            generator: the probe's own.
            words: places of a batch.
            neurons: of the probe.
            dtype: of the signs.

        Returns:
            1 or -1, each with probability 1/2.
        """
        return torch.randint(0, 2, (words, neurons), generator=generator, dtype=torch.int8).to(dtype).mul_(2).sub_(1)

    def draw(
        self, generator: Generator, words: int, neurons: int, dtype: torch.dtype
    ) -> Float[Tensor, "sample neuron"]:
        """Draw the random numbers of one step of one probe.

        Args:
            generator: the probe's own.
            words: not read: one sample serves all words of a batch.
            neurons: of the probe.
            dtype: of the numbers.

        Returns:
            Standard normal numbers.
        """
        return torch.randn(self.samples, neurons, generator=generator, dtype=dtype)

    def loss(self, parameters: Parameters, batch: Batch) -> Float[Tensor, " probe"]:
        """Return -E_q[log p(y | h * m)] in nats, averaged over words and samples.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        logits = _evaluate(parameters, batch)[0]
        return (logits.logsumexp(2) - (logits * batch.target[:, None]).sum(2)).mean((1, 2))

    def gradient(self, parameters: Parameters, batch: Batch) -> Parameters:
        """Return the gradient of `loss`.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        weight, inclusion = parameters.weight, parameters.log_odds.sigmoid()
        logits, signed, deviation, scale = _evaluate(parameters, batch)
        samples, classes, words = logits.shape[1:]
        error = logits.softmax(2).sub_(batch.target[:, None]).div_(samples * words)
        mean_error = error.sum(1)
        of_mean = mean_error @ batch.inputs
        of_noise = (error.flatten(1, 2) @ signed).reshape(-1, samples, classes, weight.shape[2])
        of_inclusion = (of_mean * weight).sum(1) * deviation.square()
        of_inclusion += ((of_noise * weight[:, None]).sum(2) * batch.draws).sum(1) * deviation * (0.5 - inclusion)
        return Parameters(
            weight=(of_noise * scale[:, :, None]).sum(1).addcmul_(of_mean, inclusion[:, None]),
            bias=mean_error.sum(2),
            log_odds=of_inclusion,
        )


def _evaluate(
    parameters: Parameters, batch: Batch
) -> tuple[
    Float[Tensor, "probe sample class word"],
    Float[Tensor, "probe word neuron"],
    Float[Tensor, "probe neuron"],
    Float[Tensor, "probe sample neuron"],
]:
    """Return the logits, the signed inputs, the masks' standard deviations, and these times the draws.

    Args:
        parameters: of the probes.
        batch: their words.
    """
    weight, inclusion = parameters.weight, parameters.log_odds.sigmoid()
    signed = batch.inputs * batch.fixed
    deviation = (inclusion * (1 - inclusion)).sqrt()
    scale = deviation[:, None] * batch.draws
    mean = torch.baddbmm(parameters.bias[:, :, None], weight * inclusion[:, None], batch.inputs.transpose(1, 2))
    noise = (weight[:, None] * scale[:, :, None]).flatten(1, 2) @ signed.transpose(1, 2)
    logits = noise.reshape(len(noise), scale.shape[1], *mean.shape[1:]).add_(mean[:, None])
    return logits, signed, deviation, scale


def bias_bound(
    weight: Float[Tensor, "class neuron"], inclusion: Float[Tensor, " neuron"], inputs: Float[Tensor, "word neuron"]
) -> Float[Tensor, " word"]:
    """Return a bound on |E over masks - E over Gaussian logits| of log p(y | h * m), in nats.

    Masks are exchanged for normal variables one neuron at a time (Lindeberg); the first two terms of Taylor's series
    agree. The third derivative of log-sum-exp along r = h_j W_j is the third cumulant of r under a softmax, at most
    (max r - min r)^3 / (6 sqrt 3).

    Args:
        weight: the probe's weights.
        inclusion: each neuron's probability of being kept.
        inputs: hidden states.
    """
    reach = inputs.abs() * (weight.amax(0) - weight.amin(0))
    variance = inclusion * (1 - inclusion)
    third_of_mask = variance * (inclusion.square() + (1 - inclusion).square())
    third_of_normal = variance.pow(1.5) * (8 / torch.pi) ** 0.5
    bound: Tensor = (reach.pow(3) * (third_of_mask + third_of_normal)).sum(1) / (36 * 3**0.5)
    return bound
