"""Training of probes side by side: Adam, early stopping on words held out of the train set, the best epoch returned."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from polyprobe.probes._parameters import Parameters
from polyprobe.probes.checks import check_at_least, check_between, check_positive, class_count
from polyprobe.probes.probe import TrainedProbe


@dataclass(frozen=True)
class TrainingSettings(ABC):
    """How a probe is trained (fidelity rows 4 and 5)."""

    epochs: int = 5000
    patience: int = 50
    """Training ends after this many epochs without a better loss on the words held out."""
    batch_size: int = 256
    learning_rate: float = 0.01
    l1: float = 0.0
    l2: float = 0.0
    held_out: float = 0.1
    """The share of the train words that early stopping reads and training does not."""

    @abstractmethod
    def objective(self) -> "Objective":
        """Return what the family minimises, penalties left out."""

    def __post_init__(self) -> None:
        check_at_least(self, 1, "epochs", "patience", "batch_size")
        check_at_least(self, 0, "l1", "l2")
        check_positive(self, "learning_rate")
        check_between(self, 0, 1, "held_out")


@dataclass(frozen=True)
class Batch:
    """Words of several probes, with the random numbers that the objective takes for them."""

    inputs: Float[Tensor, "probe word neuron"]
    """Hidden states of each probe's words."""
    target: Float[Tensor, "probe class word"]
    """1 where a word is of the class, else 0."""
    fixed: Float[Tensor, "probe word any"]
    """From `Objective.fixed`, for each probe."""
    draws: Float[Tensor, "probe ..."]
    """From `Objective.draw`, for each probe."""


class Objective(ABC):
    """What a family minimises, penalties left out. Random numbers are drawn apart, per probe and on the CPU."""

    masks: ClassVar[bool] = True
    """Whether neurons are masked, by a distribution with a parameter for each."""

    def fixed(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Float[Tensor, "word any"]:
        """Draw, once per fit, the random numbers of each place of a batch; none where all are drawn anew at each step.

        Args:
            generator: the probe's own.
            words: places of a batch.
            neurons: of the probe.
            dtype: of the numbers.
        """
        return torch.empty(words, 0, dtype=dtype)

    @abstractmethod
    def draw(self, generator: Generator, words: int, neurons: int, dtype: torch.dtype) -> Tensor:
        """Draw the random numbers of one step of one probe.

        Args:
            generator: the probe's own.
            words: of the batch.
            neurons: of the probe.
            dtype: of the numbers.
        """

    @abstractmethod
    def loss(self, parameters: Parameters, batch: Batch) -> Float[Tensor, " probe"]:
        """Return the objective in nats, averaged over words.

        Args:
            parameters: of the probes.
            batch: their words.
        """

    @abstractmethod
    def gradient(self, parameters: Parameters, batch: Batch) -> Parameters:
        """Return an estimate of the gradient of the objective.

        Args:
            parameters: of the probes.
            batch: their words.
        """


def train(
    inputs: Float[Tensor, "word neuron"],
    labels: Sequence[Int[Tensor, " word"]],
    seeds: Sequence[int],
    settings: TrainingSettings,
) -> list[TrainedProbe]:
    """Train one probe per seed, each on its own labels of the same words.

    Minimised is the objective + l1 |W|_1 + l2 |W|_2^2. The probes share tensor operations. Each has random numbers of
    its own and independent arithmetic: those beside it move a probe by rounding at most, since vectors' ends round
    differently on some processors. The same probes side by side give the same bits.

    Args:
        inputs: hidden states of the train words, some of which are held out for early stopping: the dev set stays fresh
            for the selection of neurons.
        labels: one labelling per seed, classes 0, 1, ...
        seeds: one per probe.
        settings: what is minimised, and how.

    Returns:
        Each probe at its best epoch, in the order of the seeds.

    Raises:
        ValueError: there are too few words to hold some out, fewer than two classes, or fewer than two words of
            a class.
    """
    words = len(inputs)
    held_out = max(1, round(settings.held_out * words))
    if held_out >= words:
        raise ValueError(f"expected more than {held_out} words, {held_out} of which are held out, got {words}")
    fits = Fits(inputs, labels, seeds, settings, held_out)
    for epoch in range(1, settings.epochs + 1):
        fits.train_epoch()
        if not fits.stop(epoch):
            break
    return fits.best()


_PER_PROBE: Final = "flat first_moment second_moment target words held_words fixed held_fixed held_draws".split()


class Fits:
    """Probes in training, those that are finished taken out."""

    def __init__(
        self,
        inputs: Float[Tensor, "word neuron"],
        labels: Sequence[Int[Tensor, " word"]],
        seeds: Sequence[int],
        settings: TrainingSettings,
        held_out: int,
    ) -> None:
        self.objective = settings.objective()
        self.settings = settings
        self.classes, self.neurons = class_count(labels), inputs.shape[1]
        self.inputs = inputs
        self.generators = [Generator().manual_seed(seed) for seed in seeds]
        shuffled = self._for_each(lambda generator: torch.randperm(len(inputs), generator=generator))
        self.held_words, self.words = shuffled[:, :held_out], shuffled[:, held_out:]
        # Words last: a softmax over a short last axis is many times slower.
        self.target = torch.stack([torch.nn.functional.one_hot(one, self.classes).T for one in labels]).to(inputs.dtype)
        self.flat = self._initial().padded()
        self.first_moment, self.second_moment = torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        self.steps = 0
        self.fixed = self._fixed(min(settings.batch_size, len(inputs) - held_out))
        # The same random numbers at every epoch: the losses differ by the probe alone.
        self.held_fixed, self.held_draws = self._fixed(held_out), self._draw(held_out)
        self.running = list(range(len(seeds)))
        self.best_loss = [float("inf")] * len(seeds)
        self.best_epoch, self.last_epoch = [0] * len(seeds), [0] * len(seeds)
        self.best_flat = self.flat.clone()

    def _for_each(self, random: Callable[[Generator], Tensor]) -> Tensor:
        return torch.stack([random(generator) for generator in self.generators]).to(self.inputs.device)

    def _fixed(self, words: int) -> Float[Tensor, "probe word any"]:
        return self._for_each(lambda generator: self.objective.fixed(generator, words, self.neurons, self.inputs.dtype))

    def _draw(self, words: int) -> Float[Tensor, "probe ..."]:
        return self._for_each(lambda generator: self.objective.draw(generator, words, self.neurons, self.inputs.dtype))

    def _initial(self) -> Parameters:
        """Draw torch's default for a linear layer, uniform within 1 / sqrt(neurons), and phi uniform on (0, 1)."""
        linear = self.classes * self.neurons + self.classes
        size = linear + self.neurons * self.objective.masks
        rows = self._for_each(lambda generator: torch.rand(size, generator=generator, dtype=self.inputs.dtype))
        rows[:, :linear].mul_(2).sub_(1).div_(self.neurons**0.5)
        return self._views(rows)

    def _views(self, flat: Float[Tensor, "probe padded_parameter"]) -> Parameters:
        return Parameters.views(flat, self.classes, self.neurons, self.objective.masks)

    def _inputs(self, words: Int[Tensor, "probe word"]) -> Float[Tensor, "probe word neuron"]:
        return self.inputs.index_select(0, words.flatten()).view(*words.shape, -1)

    def _target(self, words: Int[Tensor, "probe word"]) -> Float[Tensor, "probe class word"]:
        return self.target.gather(2, words[:, None].expand(-1, self.classes, -1))

    def train_epoch(self) -> None:
        """Make one pass over the train words in a new random order."""
        count = self.words.shape[1]
        words = self.words.gather(1, self._for_each(lambda generator: torch.randperm(count, generator=generator)))
        target = self._target(words)
        for start in range(0, count, self.settings.batch_size):
            batch = slice(start, start + self.settings.batch_size)
            self._step(words[:, batch], target[:, :, batch])

    def _step(self, words: Int[Tensor, "probe word"], target: Float[Tensor, "probe class word"]) -> None:
        parameters = self._views(self.flat)
        size = words.shape[1]
        batch = Batch(self._inputs(words), target, self.fixed[:, :size], self._draw(size))
        gradient = self.objective.gradient(parameters, batch)
        if self.settings.l1:
            gradient.weight.add_(parameters.weight.sign(), alpha=self.settings.l1)
        if self.settings.l2:
            gradient.weight.add_(parameters.weight, alpha=2 * self.settings.l2)
        self._adam(gradient.padded())

    def _adam(self, gradient: Float[Tensor, "probe padded_parameter"]) -> None:
        """Take one step of Adam (Kingma and Ba 2015) with torch's defaults.

        It equals torch.optim.Adam, and is done by hand so that probes can leave.
        """
        self.steps += 1
        self.first_moment.lerp_(gradient, 0.1)
        self.second_moment.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        correction = (1 - 0.999**self.steps) ** 0.5
        rate = self.settings.learning_rate / (1 - 0.9**self.steps)
        self.flat.addcdiv_(self.first_moment, self.second_moment.sqrt().div_(correction).add_(1e-8), value=-rate)

    def stop(self, epoch: int) -> bool:
        """Keep what is better and take out what is finished, after an epoch.

        Returns:
            Whether anything is left to train.
        """
        words = self.held_words
        held = Batch(self._inputs(words), self._target(words), self.held_fixed, self.held_draws)
        losses = self.objective.loss(self._views(self.flat), held)
        keep = []
        for position, (index, loss) in enumerate(zip(self.running, losses.tolist(), strict=True)):
            self.last_epoch[index] = epoch
            if loss < self.best_loss[index]:
                self.best_loss[index], self.best_epoch[index] = loss, epoch
                self.best_flat[index] = self.flat[position]
            if epoch - self.best_epoch[index] < self.settings.patience:
                keep.append(position)
        if len(keep) < len(self.running):
            self._keep(keep)
        return bool(keep)

    def _keep(self, positions: list[int]) -> None:
        self.running = [self.running[position] for position in positions]
        self.generators = [self.generators[position] for position in positions]
        for name in _PER_PROBE:
            setattr(self, name, getattr(self, name)[positions])

    def best(self) -> list[TrainedProbe]:
        """Return the best epoch of each probe."""
        best = self._views(self.best_flat)
        return [
            TrainedProbe(
                epochs=self.last_epoch[index],
                weight=best.weight[index].clone(),
                bias=best.bias[index].clone(),
                log_odds=best.log_odds[index].clone(),
                loss=loss,
            )
            for index, loss in enumerate(self.best_loss)
        ]
