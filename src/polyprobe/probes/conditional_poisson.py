"""The conditional Poisson latent-variable probe: masks whose number of neurons is uniform (Stanczak et al. 2022).

Minimised per datapoint: -E_q[log p(y | h * m)] - entropy_scale * H(q) + l1 |W|_1 + l2 |W|_2^2 as for `poisson`, with q
of `conditional_bernoulli`. The expectation is sampled, without bias.

Each word of a batch has a size of its own and several masks of this size. They serve W and b as they are, and phi by
the score function (REINFORCE) with the mean loss of the word's other masks as the baseline, which is independent of the
mask. The score is m - pi^(k); as the masks of a word share k and their losses less baselines sum to zero, pi^(k) drops
out. The sizes of a batch are stratified: in random order one from each of as many equal parts of the sizes as there are
words, so that each is uniform.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import Batch, Objective, TrainingSettings
from polyprobe.probes.checks import check_at_least
from polyprobe.probes.conditional_bernoulli import Masks


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """How a conditional Poisson probe is trained (fidelity rows 1 to 5 and 10)."""

    monte_carlo_samples: int = 5
    """Masks per word and step; the baseline needs two."""
    entropy_scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 2, "monte_carlo_samples")
        check_at_least(self, 0, "entropy_scale")

    def objective(self) -> "Eq2":
        """Return Eq. 2."""
        return Eq2(self)


@dataclass(frozen=True)
class Eq2(Objective):
    """Eq. 2 for masks of uniform size."""

    settings: Settings

    def draw(
        self, generator: Generator, words: int, neurons: int, dtype: torch.dtype
    ) -> Float[Tensor, "size_and_neuron sample_word"]:
        """Draw a row of quantiles for the sizes, the same for all samples of a word, and a row for each neuron.

        Args:
            generator: the probe's own.
            words: of the batch.
            neurons: of a mask.
            dtype: of the numbers.

        Returns:
            Numbers between 0 and 1: the quantiles in row 0, stratified over the words, and a uniform number per neuron
            below them. Columns go through the words once per sample.
        """
        samples = self.settings.monte_carlo_samples
        part = torch.randperm(words, generator=generator)
        quantile = (part + torch.rand(words, generator=generator, dtype=dtype)) / words
        uniform = torch.rand(neurons, samples * words, generator=generator, dtype=dtype)
        return torch.cat([quantile.repeat(samples)[None], uniform])

    def loss(self, parameters: Parameters, batch: Batch) -> Float[Tensor, " probe"]:
        """Return the expected loss less the scaled entropy, in nats per word.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        distribution = Masks.of(parameters.log_odds)
        _, _, losses = _evaluate(parameters, batch, _sampled(distribution, batch.draws))
        return losses.mean((1, 2)) - self.settings.entropy_scale * distribution.entropy().to(losses.dtype)

    def gradient(self, parameters: Parameters, batch: Batch) -> Parameters:
        """Return the gradient of the objective, that of the expected loss estimated without bias.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        distribution = Masks.of(parameters.log_odds)
        masks = _sampled(distribution, batch.draws)
        masked, error, losses = _evaluate(parameters, batch, masks)
        samples, words = losses.shape[1:]
        above = (losses - losses.mean(1, keepdim=True)).flatten(1) / ((samples - 1) * words)
        of_loss = (masks @ above[:, :, None])[:, :, 0]
        _, of_entropy = distribution.inclusion_and_entropy_gradient()
        error = error / (samples * words)
        return Parameters(
            weight=error @ masked.transpose(1, 2),
            bias=error.sum(2),
            log_odds=of_loss.sub_(of_entropy.to(of_loss.dtype), alpha=self.settings.entropy_scale),
        )


def _sampled(
    distribution: Masks, draws: Float[Tensor, "probe size_and_neuron sample_word"]
) -> Float[Tensor, "probe neuron sample_word"]:
    neurons = draws.shape[1] - 1
    # Rounding makes a quantile of 1 now and then.
    sizes: Int[Tensor, "probe sample_word"] = (draws[:, 0] * neurons).long().clamp_(max=neurons - 1) + 1
    return distribution.sample(sizes, draws[:, 1:])


def _evaluate(
    parameters: Parameters, batch: Batch, masks: Float[Tensor, "probe neuron sample_word"]
) -> tuple[
    Float[Tensor, "probe neuron sample_word"],
    Float[Tensor, "probe class sample_word"],
    Float[Tensor, "probe sample word"],
]:
    """Return masked inputs, the gradient of each sample's loss in the logits, and the losses in nats.

    Args:
        parameters: of the probes.
        batch: their words.
        masks: 1 where a neuron is kept, else 0; columns go through the words once per sample.
    """
    samples = masks.shape[2] // batch.inputs.shape[1]
    masked = batch.inputs.transpose(1, 2).repeat(1, 1, samples) * masks
    logits = torch.baddbmm(parameters.bias[:, :, None], parameters.weight, masked)
    targets = batch.target.repeat(1, 1, samples)
    losses = logits.logsumexp(1) - (logits * targets).sum(1)
    return masked, logits.softmax(1) - targets, losses.view(len(losses), samples, -1)
