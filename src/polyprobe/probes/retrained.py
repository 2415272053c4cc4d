"""A linear probe trained afresh for every set of neurons: what a set can tell a linear probe of its own.

For the neurons S it minimises, over the train words,

    mean of -log softmax(W h_S + b)[y]  +  ridge |W|^2

in nats, h standardised with the train words' mean and standard deviation, so that a neuron's unit does not matter. The
objective is convex and, the bias summing to zero over classes, its minimum unique: no random number, no early stopping.

Newton's method finds it, for all candidates of a step of the greedy selection at once, from the optimum of the neurons
chosen so far. Weights live in an orthonormal basis of the class vectors that sum to zero, as those at the optimum do.
The Hessian is a sum over pairs of classes, (e_a - e_b)(e_a - e_b)^T times the words' second moments weighted by
p_a p_b; all but a candidate's own row of these moments comes from one product of matrices for all candidates.

A step of the selection takes, per candidate and Newton step, classes^2 / 2 * words * (set size)^2 multiplications and
(classes * set size)^3 / 3 for the system's solution: a family for small sets.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from polyprobe.probes.checks import check_positive, class_count
from polyprobe.probes.greedy import Selection
from polyprobe.probes.information import Scores, label_entropy
from polyprobe.probes.probe import Probe

_TIE: Final = 1e-9
"""Losses in nats that are this close are equal: training ends at a tolerance, not at the optimum."""
_SLACK: Final = 1e-12
"""Relative rounding of a loss."""


@dataclass(frozen=True)
class Settings:
    """How each set's probe is trained."""

    ridge: float = 1e-3
    """The penalty's weight, per word."""
    tolerance: float = 1e-8
    """Training ends where no component of the gradient is larger."""
    newton_steps: int = 100
    """At most so many."""
    largest_set: int = 16
    """No more neurons are picked than this."""


@dataclass(frozen=True, kw_only=True)
class RetrainedProbe(Probe):
    """The words that every set's probe is trained on."""

    inputs: Float[Tensor, "word neuron"]
    labels: Int[Tensor, " word"]
    settings: Settings

    def select(
        self, inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"], k: int, *, block: int | None = None
    ) -> Selection:
        """Pick k neurons greedily by the mutual information of each set's own probe on these words (the dev set).

        Ties go to the lowest index.

        Args:
            inputs: hidden states.
            labels: classes 0, 1, ...
            k: how many neurons.
            block: numbers in the largest stacked tensor, which has room for one set at least; no influence on the
                result but rounding. None: what is fast on the device.

        Returns:
            The neurons in the order picked, with the mutual information of each prefix.

        Raises:
            ValueError: k is not between 1 and the number of neurons, or above `largest_set`; the labels have one class
                only; training does not converge.
        """
        neurons = inputs.shape[1]
        if not 1 <= k <= neurons:
            raise ValueError(f"expected k between 1 and {neurons} neurons, got {k}")
        if k > self.settings.largest_set:
            raise ValueError(
                f"expected k up to largest_set = {self.settings.largest_set}, got {k}: the family retrained is for "
                f"small sets, the cost of its k-th neuron grows with k^2 to k^3 (about {neurons * k} fits here)"
            )
        entropy = label_entropy(labels)
        sets = _Sets(self, inputs, labels, block)
        chosen: list[int] = []
        losses: list[float] = []
        for _ in range(k):
            rest = [neuron for neuron in range(neurons) if neuron not in chosen]
            candidates = torch.tensor(rest, device=inputs.device)
            loss, weights = sets.with_each(candidates)
            best = int((loss <= loss.amin() + _TIE).nonzero()[0])
            sets.add(rest[best], weights[best])
            chosen.append(rest[best])
            losses.append(float(loss[best]))
        bits = torch.tensor(losses, dtype=torch.float64) / math.log(2)
        return Selection(torch.tensor(chosen), 1 - bits / entropy, entropy)

    def score_prefixes(
        self, neurons: Int[Tensor, " rank"], inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"]
    ) -> Scores:
        """Train a probe on the first neuron, on the first two, and so on, and score each on these words.

        Args:
            neurons: in the order of their ranks.
            inputs: hidden states, all neurons.
            labels: classes 0, 1, ...

        Returns:
            The mutual information and the accuracy of each prefix.

        Raises:
            ValueError: the labels have one class only, or training does not converge.
        """
        entropy = label_entropy(labels)
        sets = _Sets(self, inputs, labels)
        losses, hits = [], []
        for neuron in neurons.tolist():
            loss, weights = sets.with_each(torch.tensor([neuron], device=inputs.device))
            sets.add(neuron, weights[0])
            losses.append(loss.cpu() / math.log(2))
            hits.append((sets.logits().argmax(0) == labels).double().mean().cpu())
        return Scores(1 - torch.cat(losses) / entropy, torch.stack(hits), entropy)


def fit(
    inputs: Float[Tensor, "word neuron"],
    labels: Sequence[Int[Tensor, " word"]],
    seeds: Sequence[int],
    settings: Settings,
) -> list[RetrainedProbe]:
    """Keep the words for the sets that are to come; nothing is trained yet.

    A probe does not depend on its seed: two seeds agree in every neuron.

    Args:
        inputs: hidden states of the train words.
        labels: one labelling per seed, classes 0, 1, ...
        seeds: one per probe, not read.
        settings: how each set's probe is trained.

    Raises:
        ValueError: there are fewer than two classes, or fewer than two words of a class; a setting is out of its range.
    """
    class_count(labels)
    check_positive(settings, "ridge", "tolerance", "newton_steps", "largest_set")
    return [RetrainedProbe(epochs=0, inputs=inputs, labels=one, settings=settings) for one in labels]


@dataclass(frozen=True)
class _Words:
    """Standardised inputs by neuron, and labels."""

    inputs: Float[Tensor, "neuron word"]
    labels: Int[Tensor, " word"]

    def loss(self, logits: Float[Tensor, "set class word"]) -> Float[Tensor, " set"]:
        """Return each set's cross-entropy in nats, averaged over words."""
        own = logits.gather(1, self.labels.expand(len(logits), 1, -1))[:, 0]
        return (logits.logsumexp(1) - own).mean(1)


class _Sets:
    """The neurons chosen so far, with the optimum for them, and sets of one neuron more."""

    def __init__(
        self,
        probe: RetrainedProbe,
        inputs: Float[Tensor, "_word neuron"],
        labels: Int[Tensor, " _word"],
        block: int | None = None,
    ) -> None:
        self.settings = probe.settings
        self.block = block or (2**18 if inputs.device.type == "cpu" else 2**26)
        train = probe.inputs.T.double()
        mean = train.mean(1, keepdim=True)
        deviation = train.std(1, correction=0, keepdim=True)
        # Rounding gives a constant neuron a deviation too.
        deviation[deviation <= 1e-9 * train.abs().amax(1, keepdim=True)] = torch.inf
        self.train = _Words(((train - mean) / deviation).contiguous(), probe.labels)
        self.judged = _Words(((inputs.T.double() - mean) / deviation).contiguous(), labels)
        # The first row of the features is the bias's.
        self.train_features = train.new_ones(1, train.shape[1])
        self.judged_features = train.new_ones(1, inputs.shape[0])
        share = probe.labels.bincount().double() / len(probe.labels)
        self.classes = len(share)
        self.basis = _contrasts(self.classes).to(train.device)
        self.pairs = torch.tensor([*combinations(range(self.classes), 2)], device=train.device)
        steps = self.basis[:, self.pairs[:, 0]] - self.basis[:, self.pairs[:, 1]]
        self.spread = torch.einsum("cp,dp->pcd", steps, steps)
        self.target = torch.nn.functional.one_hot(probe.labels, self.classes).T.double()
        self.weights = (self.basis @ share.log())[:, None]

    def logits(self) -> Float[Tensor, "class _word"]:
        """Return the logits of the neurons chosen so far, on the words that sets are judged by."""
        return self.basis.T @ self.weights @ self.judged_features

    def add(self, neuron: int, weights: Float[Tensor, "contrast feature"]) -> None:
        """Choose a neuron.

        Args:
            neuron: its number.
            weights: the optimum with it.
        """
        self.weights = weights
        self.train_features = torch.cat([self.train_features, self.train.inputs[neuron, None]])
        self.judged_features = torch.cat([self.judged_features, self.judged.inputs[neuron, None]])

    def with_each(
        self, candidates: Int[Tensor, " candidate"]
    ) -> tuple[Float[Tensor, " candidate"], Float[Tensor, "candidate contrast feature"]]:
        """Train a probe on the chosen neurons and each candidate.

        Returns:
            Each probe's loss on the words that sets are judged by, in nats, averaged over words; and its weights.

        Raises:
            ValueError: training does not converge.
        """
        widest = max(self.train_features.shape[1], self.judged_features.shape[1]) * max(len(self.pairs), self.classes)
        losses, weights = [], []
        for some in torch.split(candidates, max(1, self.block // widest)):
            found = self._train(self.train.inputs[some])
            weights.append(found)
            losses.append(self.judged.loss(self._logits(found, self.judged_features, self.judged.inputs[some])))
        return torch.cat(losses), torch.cat(weights)

    def _logits(
        self,
        weights: Float[Tensor, "set contrast feature"],
        features: Float[Tensor, "chosen _word"],
        own: Float[Tensor, "set _word"],
    ) -> Float[Tensor, "set class _word"]:
        by_class = self.basis.T @ weights
        shared = by_class[:, :, :-1].flatten(0, 1) @ features
        return shared.view(len(own), self.classes, -1).addcmul_(by_class[:, :, -1:], own[:, None])

    def _objective(
        self, weights: Float[Tensor, "set contrast feature"], logits: Float[Tensor, "set class word"]
    ) -> Float[Tensor, " set"]:
        return self.train.loss(logits) + self.settings.ridge * weights[:, :, 1:].square().sum((1, 2))

    def _train(self, own: Float[Tensor, "set word"]) -> Float[Tensor, "set contrast feature"]:
        """Train each set's probe by Newton's method, with halved steps where the objective does not fall.

        Raises:
            ValueError: a set's gradient is not within `tolerance` after `newton_steps`.
        """
        found = torch.cat([self.weights, torch.zeros_like(self.weights[:, :1])], 1).repeat(len(own), 1, 1)
        running = torch.arange(len(own), device=own.device)
        weights = found
        logits = self._logits(weights, self.train_features, own)
        for _ in range(self.settings.newton_steps + 1):
            chance = logits.softmax(1)
            gradient = self._gradient(weights, chance, own)
            going = gradient.flatten(1).abs().amax(1) > self.settings.tolerance
            found[running[~going]] = weights[~going]
            if not bool(going.any()):
                return found
            running, weights, own = running[going], weights[going], own[going]
            gradient, logits = gradient[going], logits[going]
            hessian = self._hessian(chance[going], own)
            factor = torch.linalg.cholesky(hessian)
            step = -torch.cholesky_solve(gradient.flatten(1)[:, :, None], factor).view_as(weights)
            weights, logits = self._descend(weights, logits, step, (gradient * step).sum((1, 2)), own)
        raise ValueError(
            f"a set's probe did not reach a gradient of {self.settings.tolerance} in newton_steps = "
            f"{self.settings.newton_steps}"
        )

    def _descend(
        self,
        weights: Float[Tensor, "set contrast feature"],
        logits: Float[Tensor, "set class word"],
        step: Float[Tensor, "set contrast feature"],
        slope: Float[Tensor, " set"],
        own: Float[Tensor, "set word"],
    ) -> tuple[Float[Tensor, "set contrast feature"], Float[Tensor, "set class word"]]:
        """Take the first of the steps 1, 1/2, 1/4, ... that lowers the objective as the slope promises (Armijo).

        Args:
            weights: where each set is.
            logits: of these weights.
            step: the whole step.
            slope: the objective's derivative along the step.
            own: inputs of each set's candidate.

        Returns:
            The weights after the step and their logits.
        """
        before = self._objective(weights, logits)
        size = torch.ones_like(before)
        while True:
            tried = weights + size[:, None, None] * step
            logits = self._logits(tried, self.train_features, own)
            promised = before + 1e-4 * size * slope + _SLACK * before
            too_far: Bool[Tensor, " set"] = ~(self._objective(tried, logits) <= promised)
            if not bool(too_far.any()):
                return tried, logits
            size = torch.where(too_far, size / 2, size)

    def _gradient(
        self,
        weights: Float[Tensor, "set contrast feature"],
        chance: Float[Tensor, "set class word"],
        own: Float[Tensor, "set word"],
    ) -> Float[Tensor, "set contrast feature"]:
        residual = self.basis @ (chance - self.target)
        shared = residual @ self.train_features.T
        gradient = torch.cat([shared, residual @ own[:, :, None]], 2) / own.shape[1]
        gradient[:, :, 1:] += 2 * self.settings.ridge * weights[:, :, 1:]
        return gradient

    def _hessian(
        self, chance: Float[Tensor, "set class word"], own: Float[Tensor, "set word"]
    ) -> Float[Tensor, "set parameter parameter"]:
        features = self.train_features
        count, words = len(features), own.shape[1]
        upper, right = torch.triu_indices(count, count, device=own.device)
        moments = own.new_zeros(len(own), len(self.pairs), count + 1, count + 1)
        for part in torch.split(
            torch.arange(words, device=own.device), max(1, self.block // (len(own) * len(self.pairs)))
        ):
            some, row = features[:, part], own[:, None, part]
            shared = chance[:, :, part]
            weight = shared[:, self.pairs[:, 0]] * shared[:, self.pairs[:, 1]]
            moments[:, :, upper, right] += weight @ (some[upper] * some[right]).T
            weight = weight * row
            moments[:, :, :count, count] += weight @ some.T
            moments[:, :, count, count] += (weight * row).sum(2)
        moments[:, :, right, upper] = moments[:, :, upper, right]
        moments[:, :, count, :count] = moments[:, :, :count, count]
        hessian = torch.einsum("spfg,pcd->scfdg", moments / words, self.spread).flatten(3).flatten(1, 2)
        penalised = torch.ones(self.classes - 1, count + 1, dtype=own.dtype, device=own.device)
        penalised[:, 0] = 0
        hessian.diagonal(dim1=1, dim2=2).add_(2 * self.settings.ridge * penalised.flatten())
        return hessian


def _contrasts(classes: int) -> Float[Tensor, "contrast class"]:
    """Return an orthonormal basis of the vectors that sum to zero (Helmert's)."""
    basis = torch.zeros(classes - 1, classes, dtype=torch.float64)
    for row in range(1, classes):
        basis[row - 1, :row] = 1
        basis[row - 1, row] = -row
        basis[row - 1] /= math.sqrt(row * (row + 1))
    return basis
