"""The generative probe: a Gaussian per class, whose part on any neurons is at hand (Torroba Hennigen et al. 2020).

p(y, h) = pi_y N(h; mu_y, Sigma_y). Of a Gaussian, the neurons S have the mean and the covariance of S alone, so that
p(y | h_S) follows by Bayes from the sub-means and sub-covariances without training anything anew.

pi_y is the class's share of the train words. mu_y and Sigma_y are estimated by maximum a posteriori; the prior on the
mean is flat, that on Sigma_y an inverse Wishart distribution in Dawid's parametrisation, IW(delta, Psi) with
delta = nu - d + 1. In this one a sub-covariance has the distribution IW(delta, Psi_SS) with the same delta: what is
believed of some neurons does not depend on how many others exist. The mean integrated out, the posterior after n words
of scatter matrix A (about their mean) is IW(delta + n - 1, Psi + A). Its mode in the covariance, (Psi + A) / (delta +
n - 1 + 2d), shrinks with the number d of neurons (as the published estimate does, fidelity row 11); its mode in the
precision Sigma^-1 does not, and is the posterior mean of Sigma as well. That is what is taken. With prior covariance
T_y and its weight of w words, delta = w + 2 and Psi = w T_y, it is

    Sigma_y = (A_y + w T_y) / (n_y - 1 + w) + noise.

T_y, too, is known entry by entry (`Settings.prior_covariance`), so that estimating from the neurons S alone gives just
the sub-matrix of S. w = 1 is the published prior's nu = d + 2. The noise is diagonal, a thousandth of each neuron's
pooled variance within classes, the same for all classes. With it Sigma_y is positive definite whatever the words
(constant neurons, copies, classes of two words), and a direction without variance in any class speaks for none: the
prior alone would give it 1 / (n_y - 1 + w), and so speak for the largest class.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from polyprobe.probes.checks import check_labels, check_positive, class_count
from polyprobe.probes.greedy import Selection
from polyprobe.probes.information import Scores, label_entropy
from polyprobe.probes.probe import Probe

_NOISE: Final = 1e-3
"""Of a neuron's pooled variance within classes."""
_LEAST_SHARE: Final = 1e-6
"""The pooled variance counts as at least this share of the variance over all words."""
_CHUNK: Final = 2**22
"""Numbers of the train inputs that are taken to float64 at a time."""
_ACROSS: Final = 64
"""Candidates side by side in a block on a CPU: with these, blocks are long enough for products of matrices."""
_TIE: Final = 1e-10
"""Losses in nats per word that are this close are equal: products of matrices round by position."""
_ROUNDING: Final = {torch.float32: 1e-4, torch.float64: 0.0}
"""Relative error, and error in nats per word, of a loss, with a wide margin."""


@dataclass(frozen=True)
class Settings:
    """What is believed of a class's covariance before its words are seen."""

    prior_covariance: Literal["pooled", "pooled_diagonal", "class_diagonal"] = "pooled"
    """The covariance within classes, over all classes together; its diagonal; the class's own diagonal (published)."""
    prior_words: float = 1000.0
    """The prior's weight, in words (published: 1). Hidden states have heavier tails than a Gaussian: with little weight
    densities of some fifty neurons are far too sure."""


@dataclass(frozen=True, kw_only=True)
class GaussianProbe(Probe):
    """A Gaussian per class. Covariances of all neurons would not fit in memory: any row is computed from the words."""

    inputs: Float[Tensor, "word neuron"]
    """The train words."""
    labels: Int[Tensor, " word"]
    log_prior: Float[Tensor, " class"]
    """log pi, float64."""
    mean: Float[Tensor, "class neuron"]
    """mu, float64."""
    variance: Float[Tensor, "class neuron"]
    """The diagonal of Sigma, float64."""
    noise: Float[Tensor, " neuron"]
    """Part of `variance`; no neuron's variance is less, whatever others it is conditioned on; float64."""
    settings: Settings

    def covariance_rows(self, neuron: int) -> Float[Tensor, "class neuron"]:
        """Return a neuron's row of each class's Sigma, in float64; every train input is read once."""
        scatter = torch.zeros_like(self.mean)
        for deviations, own in _deviations(self.inputs, self.labels, self.mean):
            scatter += (own * deviations[:, neuron]) @ deviations
        counts = self.labels.bincount(minlength=len(self.mean)).double()[:, None]
        rows = scatter.clone()
        if self.settings.prior_covariance == "pooled":
            pooled = scatter.sum(0) / (len(self.labels) - len(counts))
            rows += self.settings.prior_words * pooled
        rows /= counts - 1 + self.settings.prior_words
        rows[:, neuron] = self.variance[:, neuron]
        return rows

    def of(self, neurons: Int[Tensor, " chosen"]) -> "GaussianProbe":
        """Return the probe of these neurons alone: but for rounding, the one that is fitted to them alone."""
        parts = ("inputs", "mean", "variance", "noise")
        return replace(self, **{part: getattr(self, part)[..., neurons] for part in parts})

    def covariance(self) -> Float[Tensor, "class neuron neuron"]:
        """Return Sigma, in float64; for few neurons (see `of`)."""
        return torch.stack([self.covariance_rows(neuron) for neuron in range(self.mean.shape[1])], 1)

    def select(
        self,
        inputs: Float[Tensor, "word neuron"],
        labels: Int[Tensor, " word"],
        k: int,
        *,
        dtype: torch.dtype = torch.float32,
        block: int | None = None,
    ) -> Selection:
        """Pick k neurons greedily by the mutual information on these words (the dev set, Eq. 3).

        A candidate's density given the neurons chosen so far is that of its residual: what is left of it when each
        class's regression on them is taken away. The factor of each class's covariance grows by one row per step
        (Cholesky) and with it the chosen neurons' whitened residuals; one product of matrices per class gives those of
        all candidates. Those that come near the best are tried again in float64.

        Ties go to the lowest index. The r-th step costs classes * words * neurons * (r + 1) multiply-adds and as many
        exponentials as classes * words * neurons. Memory: classes * k * (words + neurons) numbers in float64, one copy
        of them in `dtype` at most, and the block.

        Args:
            inputs: hidden states.
            labels: classes 0, 1, ...
            k: how many neurons.
            dtype: in which candidates are first compared; float64 compares them but once.
            block: numbers in the largest working tensor; no influence on the result. None: what is fast on the device.

        Returns:
            The neurons in the order picked, with the mutual information of each prefix.

        Raises:
            ValueError: k is not between 1 and the number of neurons, a label is none of the probe's, or the labels have
                one class only.
        """
        neurons = inputs.shape[1]
        if not 1 <= k <= neurons:
            raise ValueError(f"expected k between 1 and {neurons} neurons, got {k}")
        entropy = label_entropy(labels)
        sets = _Sets(self, inputs, labels, k, block)
        taken = torch.zeros(neurons, dtype=torch.bool, device=inputs.device)
        everything = torch.arange(neurons, device=inputs.device)
        chosen: list[int] = []
        losses = []
        for _ in range(k):
            loss = sets.with_each(everything, dtype).masked_fill_(taken, torch.inf)
            near = everything[loss <= loss.amin() + 2 * _ROUNDING[dtype] * (1 + loss.amin())]
            if dtype != torch.float64:
                loss = loss.new_full((neurons,), torch.inf)
                loss[near] = sets.with_each(near, torch.float64)
            best = int((loss <= loss.amin() + _TIE).nonzero()[0])
            sets.add(best)
            chosen.append(best)
            taken[best] = True
            losses.append(sets.loss())
        bits = torch.stack(losses).cpu() / math.log(2)
        return Selection(torch.tensor(chosen), 1 - bits / entropy, entropy)

    def score_prefixes(
        self, neurons: Int[Tensor, " rank"], inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"]
    ) -> Scores:
        """Score the first neuron, the first two, and so on, on these words, in float64.

        Args:
            neurons: in the order of their ranks.
            inputs: hidden states, all neurons.
            labels: classes 0, 1, ...

        Returns:
            The mutual information and the accuracy of each prefix.

        Raises:
            ValueError: the labels have one class only, or a label is none of the probe's.
        """
        entropy = label_entropy(labels)
        neurons = neurons.to(inputs.device)
        sets = _Sets(self.of(neurons), inputs.index_select(1, neurons), labels, len(neurons))
        losses, hits = [], []
        for rank in range(len(neurons)):
            sets.add(rank)
            losses.append(sets.loss() / math.log(2))
            hits.append((sets.log_posterior.argmax(0) == labels).double().mean())
        return Scores(1 - torch.stack(losses).cpu() / entropy, torch.stack(hits).cpu(), entropy)


def fit(
    inputs: Float[Tensor, "word neuron"],
    labels: Sequence[Int[Tensor, " word"]],
    seeds: Sequence[int],
    settings: Settings,
) -> list[GaussianProbe]:
    """Estimate each probe's means and variances, from its own labels of the same words.

    A probe does not depend on its seed.

    Args:
        inputs: hidden states of the train words.
        labels: one labelling per seed, classes 0, 1, ...
        seeds: one per probe, not read.
        settings: what is believed of the covariances.

    Raises:
        ValueError: there are fewer than two classes, or fewer than two words of a class; a setting is out of its range.
    """
    check_positive(settings, "prior_words")
    class_count(labels)
    return [_fit(inputs, one, settings) for one in labels]


def _fit(inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"], settings: Settings) -> GaussianProbe:
    counts = labels.bincount().double()[:, None]
    classes, words = len(counts), len(labels)
    mean = torch.zeros(classes, inputs.shape[1], dtype=torch.float64, device=inputs.device)
    for values, own in _deviations(inputs, labels, torch.zeros_like(mean)):
        mean += own @ values
    mean /= counts
    scatter = torch.zeros_like(mean)
    for deviations, own in _deviations(inputs, labels, mean):
        scatter += own @ deviations.square_()
    between = (counts * (mean - (counts * mean).sum(0) / words).square()).sum(0)
    pooled = scatter.sum(0) / (words - classes)
    prior = scatter / (counts - 1) if settings.prior_covariance == "class_diagonal" else pooled
    noise = _NOISE * pooled.maximum(_LEAST_SHARE * (scatter.sum(0) + between) / words)
    # A constant's mean may be off by rounding: its variance is none, and any number will do.
    noise = noise.masked_fill(inputs.amax(0) == inputs.amin(0), _NOISE)
    weight = settings.prior_words
    return GaussianProbe(
        epochs=0,
        inputs=inputs,
        labels=labels,
        log_prior=(counts[:, 0] / words).log(),
        mean=mean,
        variance=(scatter + weight * prior) / (counts - 1 + weight) + noise,
        noise=noise,
        settings=settings,
    )


def _deviations(
    inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"], mean: Float[Tensor, "class neuron"]
) -> Iterator[tuple[Float[Tensor, "part neuron"], Float[Tensor, "class part"]]]:
    """Yield words' deviations from the means of their classes, and 1 where a word is the class's; part after part."""
    some = max(1, _CHUNK // inputs.shape[1])
    for part, own in zip(torch.split(inputs, some), torch.split(labels, some), strict=True):
        yield part.double().sub_(mean[own]), torch.nn.functional.one_hot(own, len(mean)).T.double()


class _Sets:
    """A set of neurons that grows, with each word's posterior over classes given them."""

    def __init__(
        self,
        probe: GaussianProbe,
        inputs: Float[Tensor, "_word neuron"],
        labels: Int[Tensor, " _word"],
        largest: int,
        block: int | None = None,
    ) -> None:
        classes, neurons = probe.mean.shape
        check_labels(labels, classes, "the words judged by")
        self.probe, self.inputs, self.labels = probe, inputs, labels
        on_cpu = inputs.device.type == "cpu"
        self.block, self.across = block or (2**17 if on_cpu else 2**26), _ACROSS if on_cpu else neurons
        self.size = 0
        self.factor = probe.mean.new_empty(classes, largest, neurons)
        """Rows of the Cholesky factors' transposes: covariances with the chosen neurons' whitened residuals."""
        self.variance = probe.variance.clone()
        """Of each neuron given the chosen ones."""
        self.whitened = probe.mean.new_empty(classes, largest, len(inputs))
        """The chosen neurons' residuals, each given those before it, in their standard deviations."""
        self.log_posterior = probe.log_prior[:, None].repeat(1, len(inputs))

    def loss(self) -> Float[Tensor, ""]:
        """Return -log p(label) in nats, averaged over words."""
        return -self.log_posterior.gather(0, self.labels[None]).mean()

    def add(self, neuron: int) -> None:
        """Choose a neuron."""
        size = self.size
        before = self.factor[:, :size]
        own = before[:, None, :, neuron]
        deviation = self.variance[:, neuron, None].sqrt()
        row = (self.probe.covariance_rows(neuron) - (own @ before)[:, 0]) / deviation
        residual = self.inputs[:, neuron].double() - self.probe.mean[:, neuron, None]
        whitened = (residual - (own @ self.whitened[:, :size])[:, 0]) / deviation
        self.log_posterior -= deviation.log() + whitened.square() / 2
        self.log_posterior -= self.log_posterior.logsumexp(0)
        self.factor[:, size], self.whitened[:, size] = row, whitened
        self.variance = (self.variance - row.square()).maximum(self.probe.noise)
        self.size += 1

    def with_each(self, candidates: Int[Tensor, " candidate"], dtype: torch.dtype) -> Float[Tensor, " candidate"]:
        """Return the loss with each candidate added, in nats, averaged over words.

        Args:
            candidates: neurons.
            dtype: in which it is computed; sums over words are float64.
        """
        classes, words = len(self.log_posterior), len(self.labels)
        scale = (2 * self.variance[:, candidates]).rsqrt()
        centre = self.probe.mean[:, candidates].mean(0)
        penalty = -scale.log()
        penalty = (penalty - penalty.mean(0)).to(dtype)
        offset = self.probe.mean[:, None, candidates] - centre
        regression = torch.cat([self.factor[:, : self.size, candidates], offset], 1)
        regression = (regression * scale[:, None]).to(dtype)
        scale = scale.to(dtype)
        across = min(len(candidates), max(1, self.block // classes), self.across)
        down = max(1, self.block // (classes * across))
        total = torch.zeros_like(centre)
        for start in range(0, words, down):
            part = slice(start, start + down)
            inputs = self.inputs[part].index_select(1, candidates).double().sub_(centre).to(dtype)
            labels = self.labels[part]
            own = labels * len(labels) + torch.arange(len(labels), device=labels.device)
            base = self.log_posterior[:, part].to(dtype)
            ones = base.new_ones(classes, 1, len(labels))
            whitened = torch.cat([self.whitened[:, : self.size, part].to(dtype), ones], 1)
            for some in range(0, len(candidates), across):
                columns = slice(some, some + across)
                residual = whitened.mT @ regression[:, :, columns]
                residual.addcmul_(inputs[None, :, columns], scale[:, None, columns], value=-1)
                tried = base[:, :, None] - penalty[:, None, columns]
                tried.addcmul_(residual, residual, value=-1)
                right = tried.flatten(0, 1).index_select(0, own)
                highest = tried.amax(0)
                normaliser = tried.sub_(highest).exp_().sum(0).log_().add_(highest)
                total[columns] += normaliser.sub_(right).sum(0, dtype=torch.float64)
        return total / words
