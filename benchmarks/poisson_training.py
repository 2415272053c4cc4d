"""Training of a Poisson probe against a plain loop: `python benchmarks/poisson_training.py`.

The plain loop is what one writes first: a linear layer, autograd, torch's Adam, and masks drawn for each example, some
for the likelihood and as many for REINFORCE. Both minimise Eq. 2 on the same words on one thread, stop by the same
rule, and are judged alike: by Eq. 2 on words that neither has seen, with the same masks. The last line is the ratio of
the time in which the plain loop reaches the loss of `poisson` (within its noise over seeds) to the time in which
`poisson` has converged, both measured in this run.
"""

import argparse
import math
import time
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from _machine import machine
from polyprobe.probes import TrainedProbe, fit, poisson
from polyprobe.running.progress import progress

BATCH, LEARNING_RATE, SAMPLES = 256, 0.01, 5


class Loss(NamedTuple):
    """Eq. 2 in nats, and its first term alone."""

    objective: float
    likelihood: float


class Problem(NamedTuple):
    """Words to train on (a tenth of which early stopping holds out) and words to judge with."""

    inputs: Tensor
    labels: Tensor
    judged_inputs: Tensor
    judged_labels: Tensor
    classes: int


def problem(words: int, judged: int, neurons: int, classes: int, strength: float) -> Problem:
    """Make up words of which every eighth neuron carries the label, weakly.

    Noise is shared by many neurons, as in a model's hidden states.

    Args:
        words: to train on.
        judged: words to judge with.
        neurons: how many.
        classes: how many.
        strength: of the neurons that carry the label.

    Returns:
        Inputs [word, neuron] and labels [word] of both.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (words + judged,), generator=generator)
    factors = torch.randn(neurons // 4, neurons, generator=generator) * (neurons // 4) ** -0.5
    inputs = torch.randn(len(labels), neurons // 4, generator=generator) @ factors
    inputs += 0.5 * torch.randn(inputs.shape, generator=generator)
    inputs[:, ::8] += strength * torch.randn(classes, len(range(0, neurons, 8)), generator=generator)[labels]
    return Problem(inputs[:words], labels[:words], inputs[words:], labels[words:], classes)


def entropy(log_odds: Tensor) -> Tensor:
    """Return the entropy of independent Bernoulli masks, in nats.

    Args:
        log_odds: of a neuron's inclusion, [neuron].
    """
    distribution = torch.distributions.Bernoulli(logits=log_odds)
    return distribution.entropy().sum()


def judged(weight: Tensor, bias: Tensor, log_odds: Tensor, at: Problem, masks: int) -> Loss:
    """Return Eq. 2 with so many masks per word, the same ones at each call.

    Args:
        weight: the probe's, [class, neuron].
        bias: the probe's, [class].
        log_odds: of a neuron's inclusion, [neuron].
        at: the words to judge with.
        masks: how many per word.
    """
    generator = torch.Generator().manual_seed(1)
    inclusion = log_odds.sigmoid().expand_as(at.judged_inputs)
    with torch.no_grad():
        losses = []
        for _ in range(masks):
            masked = at.judged_inputs * torch.rand(inclusion.shape, generator=generator).lt_(inclusion)
            losses.append(torch.nn.functional.cross_entropy(masked @ weight.T + bias, at.judged_labels))
        likelihood = torch.stack(losses).mean()
        return Loss(float(likelihood - entropy(log_odds)), float(likelihood))


class PlainProbe(torch.nn.Module):
    """A linear layer and the masks' log-odds."""

    def __init__(self, neurons: int, classes: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(neurons, classes)
        self.log_odds = torch.nn.Parameter(torch.rand(neurons))

    def losses(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return fresh masks [sample, word, neuron] and the loss of each [sample, word].

        Args:
            inputs: [word, neuron].
            labels: [word].

        Returns:
            The masks, and the losses in nats.
        """
        # Three times as fast as torch.bernoulli: the loop is plain, not slow by carelessness.
        masks = (torch.rand(SAMPLES, *inputs.shape) < self.log_odds.detach().sigmoid()).float()
        logits = self.linear(inputs * masks)
        repeated = labels.expand(SAMPLES, -1)
        return masks, torch.nn.functional.cross_entropy(logits.transpose(1, 2), repeated, reduction="none")

    def objective(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return a number whose gradient is the reference's estimate of the gradient of Eq. 2.

        Args:
            inputs: [word, neuron].
            labels: [word].
        """
        _, likelihood = self.losses(inputs, labels)
        with torch.no_grad():
            masks, reward = self.losses(inputs, labels)
        log_chance = masks @ self.log_odds - torch.nn.functional.softplus(self.log_odds).sum()
        return likelihood.mean() + (reward * log_chance).mean() - entropy(self.log_odds)


@dataclass
class Point:
    """The plain loop's probe after an epoch."""

    seconds: float
    epoch: int
    loss: Loss


def plain(at: Problem, patience: int, masks: int, budget: float) -> tuple[list[Point], bool, float]:
    """Train the plain loop.

    Args:
        at: the words.
        patience: epochs without improvement on the held-out words after which it stops.
        masks: per word, to judge with.
        budget: seconds after which it is cut off.

    Returns:
        A point per epoch, whether it stopped by itself, and the seconds per epoch.
    """
    torch.manual_seed(0)
    order = torch.randperm(len(at.inputs))
    held, train = order[: len(order) // 10], order[len(order) // 10 :]
    probe = PlainProbe(at.inputs.shape[1], at.classes)
    optimiser = torch.optim.Adam(probe.parameters(), lr=LEARNING_RATE)
    points: list[Point] = []
    seconds, epoch, best, best_epoch = 0.0, 0, math.inf, 0
    with progress(description="plain loop", total=None, unit="epoch") as bar:
        while seconds < budget and epoch - best_epoch < patience:
            start = time.perf_counter()
            epoch += 1
            for words in train[torch.randperm(len(train))].split(BATCH):
                optimiser.zero_grad()
                probe.objective(at.inputs[words], at.labels[words]).backward()
                optimiser.step()
            with torch.no_grad():
                loss = float(probe.losses(at.inputs[held], at.labels[held])[1].mean() - entropy(probe.log_odds))
            seconds += time.perf_counter() - start
            if loss < best:
                best, best_epoch = loss, epoch
            # Judging is no part of the loop: its clock stands still.
            weight, bias = probe.linear.weight.detach(), probe.linear.bias.detach()
            points.append(Point(seconds, epoch, judged(weight, bias, probe.log_odds.detach(), at, masks)))
            bar.update()
    return points, epoch - best_epoch >= patience, seconds / epoch


@dataclass
class Ours:
    """One converged probe of `poisson`."""

    seconds: float
    epochs: int
    loss: Loss


def ours(at: Problem, patience: int, masks: int, seed: int, estimator: str) -> Ours:
    """Train one probe of `poisson` to its early stop.

    Args:
        at: the words.
        patience: epochs without improvement on the held-out words after which it stops.
        masks: per word, to judge with.
        seed: of the probe.
        estimator: one of `poisson.ESTIMATORS`.
    """
    start = time.perf_counter()
    settings = {"estimator": estimator, "patience": patience, "batch_size": BATCH, "learning_rate": LEARNING_RATE}
    probe = fit("poisson", (at.inputs, at.labels), None, seed, monte_carlo_samples=SAMPLES, **settings)
    seconds = time.perf_counter() - start
    assert isinstance(probe, TrainedProbe)
    return Ours(seconds, probe.epochs, judged(probe.weight, probe.bias, probe.log_odds, at, masks))


def limits(at: Problem) -> tuple[float, float, float]:
    """Return what this thread reaches with nothing else to do.

    Returns:
        Multiply-adds, bytes and random numbers per second.
    """
    left = torch.randn((1 + SAMPLES) * at.classes, at.inputs.shape[1])
    batch = at.inputs[:BATCH].contiguous()
    products = _rate(lambda: left @ batch.T, left.numel() * BATCH)
    target = torch.empty_like(at.inputs)
    # Read and written.
    copied = _rate(lambda: target.copy_(at.inputs), 2 * target.numel() * target.element_size())
    uniform = torch.empty(SAMPLES, *batch.shape)
    return products, copied, _rate(uniform.uniform_, uniform.numel())


def _rate(work: object, amount: int) -> float:
    assert callable(work)
    seconds = []
    for _ in range(30):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return amount / sorted(seconds)[len(seconds) // 2]


def main() -> None:
    """Measure both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = (("words", 9000), ("neurons", 1024), ("classes", 14), ("judged", 2000), ("patience", 50))
    for name, default in (*sizes, ("masks", 16), ("seeds", 3), ("budget", 330)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--strength", type=float, default=0.4, help="of the neurons that carry the label")
    parser.add_argument("--estimator", choices=poisson.ESTIMATORS, default=poisson.Settings.estimator)
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("--seeds: expected at least 2, their spread is the noise")
    torch.set_num_threads(1)
    at = problem(options.words, options.judged, options.neurons, options.classes, options.strength)
    products, copied, numbers = limits(at)

    runs = []
    for seed in range(options.seeds):
        runs.append(ours(at, options.patience, options.masks, seed, options.estimator))
        print(f"poisson, seed {seed}: {_said(runs[-1].seconds, runs[-1].epochs, runs[-1].loss)}", flush=True)
    objectives, likelihoods = (torch.tensor([run.loss[term] for run in runs]) for term in (0, 1))
    seconds = sum(run.seconds for run in runs) / len(runs)
    per_epoch = sum(run.seconds for run in runs) / sum(run.epochs for run in runs)

    points, stopped, plain_per_epoch = plain(at, options.patience, options.masks, options.budget)
    best = min(points, key=lambda point: point.loss.objective)
    end = "stopped" if stopped else f"cut off after {options.budget} s"
    print(f"plain loop, best epoch, {end}: {_said(best.seconds, best.epoch, best.loss)}")

    words = options.words - options.words // 10
    print(f"{words} words, {options.neurons} neurons, {options.classes} classes, patience {options.patience}")
    print(machine())
    print(f"seconds per epoch: plain {plain_per_epoch:.3f}, poisson {per_epoch:.3f}: {plain_per_epoch / per_epoch:.1f}")
    work = 2 * (1 + SAMPLES) * options.classes * words * options.neurons / per_epoch
    least = 2 * words * options.neurons * at.inputs.element_size() / per_epoch
    print(
        f"poisson: {work / 1e9:.1f} of {products / 1e9:.1f} billion multiply-adds per second ({work / products:.0%}); "
        f"inputs read twice per epoch: {least / 1e9:.2f} of {copied / 1e9:.1f} GB per second ({least / copied:.0%})"
    )
    drawn = 2 * SAMPLES * words * options.neurons / plain_per_epoch
    print(f"plain: {drawn / 1e9:.3f} of {numbers / 1e9:.3f} billion random numbers per second ({drawn / numbers:.0%})")
    for name, term, losses in (("its first term", 1, likelihoods), ("Eq. 2", 0, objectives)):
        aim = float(losses.mean() + losses.std())
        reached = next((point.seconds for point in points if point.loss[term] <= aim), None)
        there = f"got there in {reached:.1f} s" if reached else f"had not got there in {points[-1].seconds:.1f} s"
        print(
            f"{name}: poisson {losses.mean():.3f} ± {losses.std():.3f} over {len(runs)} seeds; the plain loop {there}"
        )
        last = reached or points[-1].seconds
        print(f"ratio to convergence, by {name}: {'' if reached else 'above '}{last / seconds:.1f}")


def _said(seconds: float, epochs: int, loss: Loss) -> str:
    return f"{seconds:.1f} s, {epochs} epochs, Eq. 2 {loss.objective:.3f}, its first term {loss.likelihood:.3f}"


if __name__ == "__main__":
    main()
