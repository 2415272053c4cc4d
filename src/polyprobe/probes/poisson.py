"""The Poisson latent-variable probe: each neuron is masked independently (Eq. 1 and 2; Stanczak et al. 2022).

Minimised per datapoint: -E_q[log p(y | h * m)] - entropy_scale * H(q) + l1 |W|_1 + l2 |W|_2^2, with Adam; H in nats
over all neurons. Early stopping reads the same objective, penalties left out, on words held out of the train set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from polyprobe.probes import logit_gaussian, reinforce
from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import TrainingSettings, train
from polyprobe.probes.checks import check_at_least
from polyprobe.probes.probe import Data, LinearProbe


@runtime_checkable
class Estimator(Protocol):
    """How the expectation over masks in Eq. 2 is estimated: a module with these functions."""

    def fixed(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Float[Tensor, "word any"]:
        """Draw, once per fit, the random numbers of each place of a batch.

        Args:
            generator: the probe's own.
            words: places of a batch.
            neurons: of the probe.
            dtype: of the numbers.
        """

    def draw(self, generator: Generator, samples: int, words: int, neurons: int, dtype: torch.dtype) -> Tensor:
        """Draw the random numbers of one step of one probe.

        Args:
            generator: the probe's own.
            samples: of the expectation over masks.
            words: of the batch.
            neurons: of the probe.
            dtype: of the numbers.
        """

    def loss(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word any"],
        draws: Float[Tensor, "probe ..."],
    ) -> Float[Tensor, " probe"]:
        """Return -E_q[log p(y | h * m)] in nats, averaged over words and samples.

        Args:
            parameters: of the probes.
            inputs: hidden states of each probe's words.
            target: 1 where a word is of the class, else 0.
            fixed: from `fixed`, for each probe.
            draws: from `draw`, for each probe.
        """

    def gradient(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word any"],
        draws: Float[Tensor, "probe ..."],
    ) -> Parameters:
        """Return the gradient of the expected loss.

        Args:
            parameters: of the probes.
            inputs: hidden states of each probe's words.
            target: 1 where a word is of the class, else 0.
            fixed: from `fixed`, for each probe.
            draws: from `draw`, for each probe.
        """


ESTIMATORS: Final[dict[str, Estimator]] = {"logit_gaussian": logit_gaussian, "reinforce": reinforce}


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """How a Poisson probe is trained (fidelity rows 1 to 5)."""

    estimator: Literal["logit_gaussian", "reinforce"] = "logit_gaussian"
    monte_carlo_samples: int = 5
    entropy_scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 1, "monte_carlo_samples")
        check_at_least(self, 0, "entropy_scale")


@dataclass(frozen=True, kw_only=True)
class PoissonProbe(LinearProbe):
    """The best epoch's probe by the loss on the words held out."""

    log_odds: Float[Tensor, " neuron"]
    """phi: a neuron is kept with probability sigmoid(phi)."""
    loss: float
    """The loss on the words held out, in nats."""


def fit(
    inputs: Float[Tensor, "word neuron"],
    labels: Sequence[Int[Tensor, " word"]],
    dev: Data | None,
    seeds: Sequence[int],
    settings: Settings,
) -> list[PoissonProbe]:
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
        PoissonProbe(epochs=one.epochs, weight=one.weight, bias=one.bias, log_odds=one.log_odds, loss=one.loss)
        for one in train(Eq2(settings), inputs, labels, seeds, settings)
    ]


@dataclass(frozen=True)
class Eq2:
    """Eq. 2 for independent masks; see `_training.Objective`."""

    settings: Settings
    masks = True

    @property
    def _estimator(self) -> Estimator:
        return ESTIMATORS[self.settings.estimator]

    def fixed(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Float[Tensor, "word any"]:
        """Draw the estimator's random numbers of each place of a batch.

        Args:
            generator: the probe's own.
            words: places of a batch.
            neurons: of the probe.
            dtype: of the numbers.
        """
        return self._estimator.fixed(generator, words, neurons, dtype)

    def draw(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Tensor:
        """Draw the estimator's random numbers of one step of one probe.

        Args:
            generator: the probe's own.
            words: of the batch.
            neurons: of the probe.
            dtype: of the numbers.
        """
        return self._estimator.draw(generator, self.settings.monte_carlo_samples, words, neurons, dtype)

    def loss(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word any"],
        draws: Float[Tensor, "probe ..."],
    ) -> Float[Tensor, " probe"]:
        """Return the expected loss less the scaled entropy, in nats per word.

        Args:
            parameters: of the probes.
            inputs: hidden states of each probe's words.
            target: 1 where a word is of the class, else 0.
            fixed: from `fixed`, for each probe.
            draws: from `draw`, for each probe.
        """
        expected = self._estimator.loss(parameters, inputs, target, fixed, draws)
        return expected - self.settings.entropy_scale * entropy(parameters.log_odds)

    def gradient(
        self,
        parameters: Parameters,
        inputs: Float[Tensor, "probe word neuron"],
        target: Float[Tensor, "probe class word"],
        fixed: Float[Tensor, "probe word any"],
        draws: Float[Tensor, "probe ..."],
    ) -> Parameters:
        """Return the estimator's gradient less that of the scaled entropy.

        Args:
            parameters: of the probes.
            inputs: hidden states of each probe's words.
            target: 1 where a word is of the class, else 0.
            fixed: from `fixed`, for each probe.
            draws: from `draw`, for each probe.
        """
        gradient = self._estimator.gradient(parameters, inputs, target, fixed, draws)
        gradient.log_odds.sub_(entropy_gradient(parameters.log_odds), alpha=self.settings.entropy_scale)
        return gradient


def entropy(log_odds: Float[Tensor, "*probe neuron"]) -> Float[Tensor, "*probe"]:
    """Return H(q) in nats over all neurons, of independent Bernoulli(sigmoid(log_odds)) masks."""
    return (torch.nn.functional.softplus(log_odds) - log_odds * log_odds.sigmoid()).sum(-1)


def entropy_gradient(log_odds: Float[Tensor, "*probe neuron"]) -> Float[Tensor, "*probe neuron"]:
    """Return the gradient of `entropy`."""
    inclusion = log_odds.sigmoid()
    return -log_odds * inclusion * (1 - inclusion)
