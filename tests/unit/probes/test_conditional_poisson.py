"""The conditional Poisson probe: its distribution and its objective, against the enumeration of all masks."""

import math
from itertools import product

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from polyprobe.probes import LinearProbe, conditional_poisson, fit, fit_side_by_side
from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import Batch
from polyprobe.probes.conditional_bernoulli import Masks
from polyprobe.probes.conditional_poisson import Eq2, Settings

CLASSES, WORDS = 3, 5


def all_masks(neurons: int) -> Tensor:
    """Every mask but the empty one [mask, neuron]."""
    return torch.tensor(list(product((0.0, 1.0), repeat=neurons)), dtype=torch.float64)[1:]


def log_odds_of(neurons: int, scale: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(neurons)
    return scale * torch.randn(2, neurons, generator=generator, dtype=torch.float64)


def enumerated(log_odds: Tensor) -> tuple[Tensor, Tensor]:
    """log Z_k [size], and log q of every mask [mask], of one phi."""
    masks = all_masks(len(log_odds))
    total, sizes = masks @ log_odds, masks.sum(1).long()
    normaliser = torch.stack([total[sizes == size].logsumexp(0) for size in range(1, len(log_odds) + 1)])
    return normaliser, total - normaliser[sizes - 1] - math.log(len(log_odds))


def log_normaliser(distribution: Masks) -> Tensor:
    """log Z_k [probe, size]."""
    return distribution.ratio.log().cumsum(1)


def log_probability_of(distribution: Masks, masks: Tensor) -> Tensor:
    """log q(m) [probe, mask], the size's share included."""
    own = torch.einsum("pmj,pj->pm", masks.double(), distribution.odds.log())
    sizes = masks.sum(2).long()
    return own - log_normaliser(distribution).gather(1, sizes - 1) - math.log(distribution.odds.shape[1])


def inclusion_by_size(distribution: Masks) -> Tensor:
    """pi_j^(k) = P(m_j = 1 | k) [probe, size, neuron].

    pi^(k) = r (1 - pi^(k-1)) with r = exp(phi_j) / R_k. Errors grow by r, which rises with k: the recursion goes up
    while r <= 1, and down from pi^(D) = 1 for the other sizes.
    """
    step = distribution.odds[:, None] / distribution.ratio[:, :, None]
    rising, falling = step.clamp(max=1), step.reciprocal().clamp(max=1)
    neurons = step.shape[1]
    up, missing = torch.zeros_like(step), torch.zeros_like(step)
    up[:, 0] = rising[:, 0]
    for size in range(1, neurons):
        up[:, size] = rising[:, size] * (1 - up[:, size - 1])
        missing[:, neurons - 1 - size] = falling[:, neurons - size] * (1 - missing[:, neurons - size])
    return torch.where(step <= 1, up, 1 - missing)


@pytest.mark.parametrize("neurons", [1, 2, 5, 12])
def test_probabilities_and_normalisers(neurons: int) -> None:
    log_odds, masks = log_odds_of(neurons), all_masks(neurons)
    distribution = Masks.of(log_odds)
    log_probability = log_probability_of(distribution, masks.expand(2, -1, -1))
    torch.testing.assert_close(log_probability.exp().sum(1), torch.ones(2, dtype=torch.float64))
    for probe in range(2):
        normaliser, truth = enumerated(log_odds[probe])
        torch.testing.assert_close(log_normaliser(distribution)[probe], normaliser)
        torch.testing.assert_close(log_probability[probe], truth)
    by_size = [log_probability.exp()[:, masks.sum(1) == size].sum(1) for size in range(1, neurons + 1)]
    torch.testing.assert_close(torch.stack(by_size), torch.full((neurons, 2), 1 / neurons, dtype=torch.float64))


@pytest.mark.parametrize("neurons", [1, 2, 5, 12])
def test_entropy_and_its_gradient(neurons: int) -> None:
    log_odds = log_odds_of(neurons)
    distribution = Masks.of(log_odds)
    _, gradient = distribution.inclusion_and_entropy_gradient()
    for probe in range(2):
        own = log_odds[probe].clone().requires_grad_()
        _, log_probability = enumerated(own)
        truth = -(log_probability.exp() * log_probability).sum()
        torch.testing.assert_close(distribution.entropy()[probe], truth.detach())
        torch.testing.assert_close(gradient[probe], torch.autograd.grad(truth, own)[0])


@pytest.mark.parametrize("neurons", [1, 2, 5, 12])
def test_inclusion(neurons: int) -> None:
    log_odds, masks = log_odds_of(neurons, 4.0), all_masks(neurons)
    distribution = Masks.of(log_odds)
    overall, _ = distribution.inclusion_and_entropy_gradient()
    for probe in range(2):
        chance = enumerated(log_odds[probe])[1].exp()
        torch.testing.assert_close(overall[probe], chance @ masks)
        for size in range(1, neurons + 1):
            at = masks.sum(1) == size
            truth = neurons * chance[at] @ masks[at]
            torch.testing.assert_close(inclusion_by_size(distribution)[probe, size - 1], truth)


@pytest.mark.parametrize("spread", [0.5, 20.0])
def test_stable_for_many_neurons(spread: float) -> None:
    generator = torch.Generator().manual_seed(1)
    log_odds = spread * (2 * torch.rand(1, 1024, generator=generator, dtype=torch.float64) - 1)
    # Equal ones too, at the edges.
    log_odds[0, :100], log_odds[0, 100:200] = spread, -spread
    distribution = Masks.of(log_odds)
    normaliser = torch.full((1025,), -torch.inf, dtype=torch.float64)
    normaliser[0] = 0
    for own in log_odds[0]:
        normaliser[1:] = torch.logaddexp(normaliser[1:], normaliser[:-1] + own)
    torch.testing.assert_close(log_normaliser(distribution)[0], normaliser[1:], rtol=1e-12, atol=1e-9)
    inclusion = inclusion_by_size(distribution)[0]
    assert inclusion.min() >= 0
    assert inclusion.max() <= 1
    torch.testing.assert_close(inclusion.sum(1), torch.arange(1.0, 1025, dtype=torch.float64), rtol=1e-11, atol=0)
    order = log_odds[0].argsort()
    assert (inclusion[:, order].diff(dim=1) >= -1e-12).all(), "the larger phi, the likelier kept"
    torch.testing.assert_close(distribution.inclusion_and_entropy_gradient()[0][0], inclusion.mean(0))


def test_entropy_gradient_for_many_neurons() -> None:
    """Against differences of the entropy along some directions."""
    generator = torch.Generator().manual_seed(1)
    log_odds = 3 * torch.randn(1, 300, generator=generator, dtype=torch.float64)
    _, gradient = Masks.of(log_odds).inclusion_and_entropy_gradient()
    for _ in range(5):
        along = torch.randn(1, 300, generator=generator, dtype=torch.float64)
        step = 1e-4
        difference = Masks.of(log_odds + step * along).entropy() - Masks.of(log_odds - step * along).entropy()
        torch.testing.assert_close((gradient * along).sum(1), difference / (2 * step), rtol=1e-6, atol=1e-6)


def test_entropy_of_equal_neurons_is_that_of_combinations() -> None:
    neurons = 1024
    truth = math.log(neurons) + sum(math.log(math.comb(neurons, size)) for size in range(1, neurons + 1)) / neurons
    for value in (-20.0, 0.0, 20.0):
        distribution = Masks.of(torch.full((1, neurons), value))
        assert float(distribution.entropy()) == pytest.approx(truth, rel=1e-11)
        _, gradient = distribution.inclusion_and_entropy_gradient()
        assert gradient.abs().max() < 1e-11


def test_sampled_masks_have_the_distributions_frequencies() -> None:
    neurons, count = 6, 60_000
    log_odds = log_odds_of(neurons, 1.0)
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(1, neurons + 1, (2, count), generator=generator)
    uniform = torch.rand(2, neurons, count, generator=generator, dtype=torch.float64)
    sampled = Masks.of(log_odds).sample(sizes, uniform)
    assert torch.equal(sampled.sum(1).long(), sizes)
    code = 2 ** torch.arange(neurons - 1, -1, -1)
    for probe in range(2):
        observed = (code[:, None] * sampled[probe].long()).sum(0).bincount(minlength=2**neurons)[1:]
        expected = count * enumerated(log_odds[probe])[1].exp()
        common = expected >= 5
        merged = [torch.cat([one[common], one[~common].sum()[None]]) for one in (observed.double(), expected)]
        if merged[1][-1] < 5:
            merged = [torch.cat([one[:-2], one[-2:].sum()[None]]) for one in merged]
        assert chisquare(*[one.numpy() for one in merged]).pvalue > 1e-3


def test_every_mask_of_many_neurons_has_its_size() -> None:
    generator = torch.Generator().manual_seed(0)
    log_odds = 40 * torch.rand(1, 1024, generator=generator) - 20
    sizes = torch.cat([torch.tensor([1, 2, 1023, 1024]), torch.randint(1, 1025, (96,), generator=generator)])[None]
    uniform = torch.rand(1, 1024, 100, generator=generator)
    # The ends of the range of random numbers.
    uniform[:, :, :2] = 0
    uniform[:, :, 2:4] = 1 - 2**-24
    masks = Masks.of(log_odds).sample(sizes, uniform)
    assert torch.equal(masks.sum(1).long(), sizes)
    assert ((masks == 0) | (masks == 1)).all()


def problem(neurons: int) -> tuple[Parameters, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    parameters = Parameters(
        weight=0.6 * torch.randn(1, CLASSES, neurons, generator=generator, dtype=torch.float64),
        bias=0.3 * torch.randn(1, CLASSES, generator=generator, dtype=torch.float64),
        log_odds=torch.randn(1, neurons, generator=generator, dtype=torch.float64),
    )
    inputs = torch.randn(1, WORDS, neurons, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, CLASSES, (WORDS,), generator=generator)
    return parameters, inputs, torch.nn.functional.one_hot(labels, CLASSES).T[None].double()


def exact(parameters: Parameters, inputs: Tensor, target: Tensor, entropy_scale: float) -> Tensor:
    """Eq. 2 by enumeration."""
    masks = all_masks(inputs.shape[2])
    _, log_probability = enumerated(parameters.log_odds[0])
    chance = log_probability.exp()
    logits = torch.einsum("mj,nj,cj->mcn", masks, inputs[0], parameters.weight[0]) + parameters.bias[0, :, None]
    losses = logits.logsumexp(1) - (logits * target).sum(1)
    return (chance[:, None] * losses).sum(0).mean() + entropy_scale * (chance * log_probability).sum()


@pytest.mark.parametrize("neurons", [3, 8])
@pytest.mark.parametrize("samples", [2, 5])
def test_loss_and_gradient_are_unbiased(neurons: int, samples: int) -> None:
    parameters, inputs, target = problem(neurons)
    objective = Eq2(Settings(monte_carlo_samples=samples, entropy_scale=0.3))
    generator = torch.Generator().manual_seed(0)
    losses, gradients = [], []
    repeats, copies = 300, 80
    inputs_of_copies, target_of_copies = inputs.repeat(1, copies, 1), target.repeat(1, 1, copies)
    for _ in range(repeats):
        fixed = objective.fixed(generator, copies * WORDS, neurons, torch.float64)[None]
        draws = objective.draw(generator, copies * WORDS, neurons, torch.float64)[None]
        batch = Batch(inputs_of_copies, target_of_copies, fixed, draws)
        losses.append(objective.loss(parameters, batch)[0])
        gradients.append(objective.gradient(parameters, batch).flat()[0])
    parts = [part.clone().requires_grad_() for part in (parameters.weight, parameters.bias, parameters.log_odds)]
    truth = exact(Parameters(*parts), inputs, target, 0.3)
    loss, gradient = torch.stack(losses), torch.stack(gradients)
    assert abs(loss.mean() - truth) < 4 * loss.std() / math.sqrt(repeats)
    error = gradient.std(0) / math.sqrt(repeats)
    assert ((gradient.mean(0) - Parameters(*torch.autograd.grad(truth, parts)).flat()[0]).abs() < 4.5 * error).all()


@pytest.mark.parametrize("words", [1, 10])
def test_sizes_of_each_word_are_uniform(words: int) -> None:
    neurons, repeats = 6, 1200
    objective, generator = Eq2(Settings(monte_carlo_samples=2)), torch.Generator().manual_seed(3)
    distribution = Masks.of(torch.zeros(1, neurons))
    counts = torch.zeros(words, neurons)
    for _ in range(repeats):
        draws = objective.draw(generator, words, neurons, torch.float32)[None]
        sizes = conditional_poisson._sampled(distribution, draws)[0].sum(0).long().view(2, words)
        assert torch.equal(sizes[0], sizes[1]), "the masks of a word share its size"
        counts[torch.arange(words), sizes[0] - 1] += 1
    for word in range(words):
        assert chisquare(counts[word].numpy()).pvalue > 1e-4


def planted(words: int = 600, neurons: int = 24, classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, classes, (words,), generator=generator)
    inputs = torch.randn(words, neurons, generator=generator)
    inputs[:, :6] += 1.5 * torch.randn(classes, 6, generator=generator)[labels]
    return inputs, labels


def test_a_probe_does_not_depend_on_those_beside_it() -> None:
    inputs, labels = planted()
    shuffled = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    settings = {"epochs": 25, "patience": 3, "batch_size": 100}
    labellings, seeds = [labels, shuffled, labels], [11, 12, 13]
    together = fit_side_by_side("conditional_poisson", inputs, labellings, None, seeds, **settings)
    assert len({probe.epochs for probe in together}) > 1, "one of them leaves before the others"
    for probe, own, seed in zip(together, labellings, seeds, strict=True):
        alone = fit("conditional_poisson", (inputs, own), None, seed, **settings)
        assert isinstance(probe, LinearProbe)
        assert isinstance(alone, LinearProbe)
        assert torch.equal(probe.weight, alone.weight)
        assert torch.equal(probe.bias, alone.bias)
        assert probe.epochs == alone.epochs


def test_planted_neurons_are_found() -> None:
    inputs, labels = planted(700)
    probe = fit("conditional_poisson", (inputs[:500], labels[:500]), None, 0, epochs=60, patience=10)
    assert set(probe.select(inputs[500:], labels[500:], 4).neurons.tolist()) <= set(range(6))
