"""What every probe family returns, and the data that it is fitted to."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from polyprobe.probes.greedy import Selection, select_greedily
from polyprobe.probes.information import Scores, score_prefixes

Data = tuple[Float[Tensor, "_word neuron"], Int[Tensor, "_word"]]
"""Inputs [word, neuron] and labels [word] (0, 1, ...) of the same words; `_`: sets differ in size."""


@dataclass(frozen=True, kw_only=True)
class Probe(ABC):
    """A probe that can judge any set of neurons."""

    epochs: int
    """Epochs trained, those after the best one included; 0 where nothing is iterated."""

    @abstractmethod
    def select(self, inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"], k: int) -> Selection:
        """Pick k neurons greedily by the mutual information on these words (the dev set, Eq. 3).

        Args:
            inputs: hidden states.
            labels: classes 0, 1, ...
            k: how many neurons.

        Returns:
            The neurons in the order picked, with the mutual information of each prefix.

        Raises:
            ValueError: k is not between 1 and the number of neurons, or the labels have one class only.
        """

    @abstractmethod
    def score_prefixes(
        self, neurons: Int[Tensor, " rank"], inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"]
    ) -> Scores:
        """Score the first neuron, the first two, and so on, on these words.

        Args:
            neurons: in the order of their ranks.
            inputs: hidden states, all neurons.
            labels: classes 0, 1, ...

        Returns:
            The mutual information and the accuracy of each prefix.

        Raises:
            ValueError: the labels have one class only.
        """


@dataclass(frozen=True, kw_only=True)
class LinearProbe(Probe):
    """A linear softmax probe, Eq. 4 with a bias: p(class | h) = softmax(weight @ h + bias); other neurons are zero."""

    weight: Float[Tensor, "class neuron"]
    bias: Float[Tensor, " class"]

    def select(self, inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"], k: int) -> Selection:
        """Pick k neurons greedily; see `Probe.select`.

        Args:
            inputs: hidden states.
            labels: classes 0, 1, ...
            k: how many neurons.
        """
        return select_greedily(self.weight, self.bias, inputs, labels, k)

    def score_prefixes(
        self, neurons: Int[Tensor, " rank"], inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"]
    ) -> Scores:
        """Score the first neuron, the first two, and so on; see `Probe.score_prefixes`.

        Args:
            neurons: in the order of their ranks.
            inputs: hidden states, all neurons.
            labels: classes 0, 1, ...
        """
        return score_prefixes(self.weight, self.bias, neurons, inputs, labels)


@dataclass(frozen=True, kw_only=True)
class TrainedProbe(LinearProbe):
    """The best epoch's probe by the loss on the words held out."""

    log_odds: Float[Tensor, " masked_neuron"]
    """phi, the parameters of the distribution over masks; none where nothing is masked."""
    loss: float
    """The objective on the words held out, in nats."""
