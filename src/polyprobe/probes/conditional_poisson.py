"""The conditional Poisson latent-variable probe: masks whose number of neurons is uniform (Stanczak et al. 2022).

Minimised per datapoint: -E_q[log p(y | h * m)] - entropy_scale * H(q) + l1 |W|_1 + l2 |W|_2^2 as for `poisson`, with q
of `conditional_bernoulli`. The expectation is sampled, without bias.

Each word of a batch has a size of its own and several masks of this size. They serve W and b as they are, and phi by
the score function (REINFORCE) with the mean loss of the word's other masks as the baseline, which is independent of the
mask. The score is m - pi^(k); as the masks of a word share k and their losses less baselines sum to zero, pi^(k) drops
out. The sizes of a batch are stratified: in random order one from each of as many equal parts of the sizes as there are
words, so that each is uniform.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import TrainingSettings, train
from polyprobe.probes.checks import check_at_least
from polyprobe.probes.conditional_bernoulli import Masks
from polyprobe.probes.probe import Data, LinearProbe


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


@dataclass(frozen=True, kw_only=True)
class ConditionalPoissonProbe(LinearProbe):
    """The best epoch's probe by the loss on the words held out."""

    log_odds: Float[Tensor, " neuron"]
    """phi: `Masks.of(phi)` is the distribution over masks."""
    loss: float
    """The loss on the words held out, in nats."""


def fit(
    inputs: Float[Tensor, "word neuron"],
    labels: Sequence[Int[Tensor, " word"]],
    dev: Data | None,
    seeds: Sequence[int],
    settings: Settings,
) -> list[ConditionalPoissonProbe]:
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
        ConditionalPoissonProbe(
            epochs=one.epochs, weight=one.weight, bias=one.bias, log_odds=one.log_odds, loss=one.loss
        )
        for one in train(Eq2(settings), inputs, labels, seeds, settings)
    ]


@dataclass(frozen=True)
class Eq2:
    """Eq. 2 for masks of uniform size; see `_training.Objective`."""

    settings: Settings
    masks = True

    def fixed(
        self, generator: Generator, words: int, neurons: int, dtype: torch.dtype
    ) -> Float[Tensor, "word nothing"]:
        """Return no numbers: all random numbers are drawn anew at each step.

        Args:
            generator: not read.
            words: places of a batch.
            neurons: not read.
            dtype: of the empty tensor.
        """
        return torch.empty(words, 0, dtype=dtype)

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

    def loss(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word nothing"],
        draws: Float[Tensor, "probe size_and_neuron sample_word"],
    ) -> Float[Tensor, " probe"]:
        """Return the expected loss less the scaled entropy, in nats per word.

        Args:
            parameters: of the probes.
            inputs: hidden states of each probe's words.
            target: 1 where a word is of the class, else 0.
            fixed: not read.
            draws: from `draw`, for each probe.
        """
        distribution = Masks.of(parameters.log_odds)
        masks = _sampled(distribution, draws)
        _, _, losses = _evaluate(parameters, inputs, target, masks)
        return losses.mean((1, 2)) - self.settings.entropy_scale * distribution.entropy().to(losses.dtype)

    def gradient(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word nothing"],
        draws: Float[Tensor, "probe size_and_neuron sample_word"],
    ) -> Parameters:
        """Return the gradient of the objective, that of the expected loss estimated without bias.

        Args:
            parameters: of the probes.
            inputs: hidden states of each probe's words.
            target: 1 where a word is of the class, else 0.
            fixed: not read.
            draws: from `draw`, for each probe.
        """
        distribution = Masks.of(parameters.log_odds)
        masks = _sampled(distribution, draws)
        masked, error, losses = _evaluate(parameters, inputs, target, masks)
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
    parameters: Parameters,
    inputs: Float[Tensor, "probe word neuron"],
    target: Float[Tensor, "probe class word"],
    masks: Float[Tensor, "probe neuron sample_word"],
) -> tuple[
    Float[Tensor, "probe neuron sample_word"],
    Float[Tensor, "probe class sample_word"],
    Float[Tensor, "probe sample word"],
]:
    """Return masked inputs, the gradient of each sample's loss in the logits, and the losses in nats.

    Args:
        parameters: of the probes.
        inputs: hidden states of each probe's words.
        target: 1 where a word is of the class, else 0.
        masks: 1 where a neuron is kept, else 0; columns go through the words once per sample.
    """
    samples = masks.shape[2] // inputs.shape[1]
    masked = inputs.transpose(1, 2).repeat(1, 1, samples) * masks
    logits = torch.baddbmm(parameters.bias[:, :, None], parameters.weight, masked)
    targets = target.repeat(1, 1, samples)
    losses = logits.logsumexp(1) - (logits * targets).sum(1)
    return masked, logits.softmax(1) - targets, losses.view(len(losses), samples, -1)
