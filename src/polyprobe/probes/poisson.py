"""The Poisson latent-variable probe: each neuron is masked independently (Eq. 1 and 2; Stanczak et al. 2022).

Minimised per datapoint: -E_q[log p(y | h * m)] - entropy_scale * H(q) + l1 |W|_1 + l2 |W|_2^2, with Adam; H in nats
over all neurons. Early stopping reads the same objective, penalties left out, on words held out of the train set.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import Batch, Objective, TrainingSettings
from polyprobe.probes.checks import check_at_least
from polyprobe.probes.logit_gaussian import LogitGaussian
from polyprobe.probes.reinforce import Reinforce

ESTIMATORS: Final[dict[str, Callable[[int], Objective]]] = {"logit_gaussian": LogitGaussian, "reinforce": Reinforce}
"""How the expectation over masks in Eq. 2 is estimated, with so many samples."""


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

    def objective(self) -> "Eq2":
        """Return Eq. 2."""
        return Eq2(ESTIMATORS[self.estimator](self.monte_carlo_samples), self.entropy_scale)


@dataclass(frozen=True)
class Eq2(Objective):
    """Eq. 2 for independent masks."""

    expected: Objective
    """The loss expected over masks: one of `ESTIMATORS`."""
    entropy_scale: float

    def fixed(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Float[Tensor, "word any"]:
        """Draw the estimator's random numbers of each place of a batch.

        Args:
            generator: the probe's own.
            words: places of a batch.
            neurons: of the probe.
            dtype: of the numbers.
        """
        return self.expected.fixed(generator, words, neurons, dtype)

    def draw(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Tensor:
        """Draw the estimator's random numbers of one step of one probe.

        Args:
            generator: the probe's own.
            words: of the batch.
            neurons: of the probe.
            dtype: of the numbers.
        """
        return self.expected.draw(generator, words, neurons, dtype)

    def loss(self, parameters: Parameters, batch: Batch) -> Float[Tensor, " probe"]:
        """Return the expected loss less the scaled entropy, in nats per word.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        return self.expected.loss(parameters, batch) - self.entropy_scale * entropy(parameters.log_odds)

    def gradient(self, parameters: Parameters, batch: Batch) -> Parameters:
        """Return the estimator's gradient less that of the scaled entropy.

        Args:
            parameters: of the probes.
            batch: their words.
        """
        gradient = self.expected.gradient(parameters, batch)
        gradient.log_odds.sub_(entropy_gradient(parameters.log_odds), alpha=self.entropy_scale)
        return gradient


def entropy(log_odds: Float[Tensor, "*probe neuron"]) -> Float[Tensor, "*probe"]:
    """Return H(q) in nats over all neurons, of independent Bernoulli(sigmoid(log_odds)) masks."""
    return (torch.nn.functional.softplus(log_odds) - log_odds * log_odds.sigmoid()).sum(-1)


def entropy_gradient(log_odds: Float[Tensor, "*probe neuron"]) -> Float[Tensor, "*probe neuron"]:
    """Return the gradient of `entropy`."""
    inclusion = log_odds.sigmoid()
    return -log_odds * inclusion * (1 - inclusion)
