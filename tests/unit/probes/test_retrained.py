"""The probe that is trained afresh for every set, against scipy's optimiser set by set."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from polyprobe.probes import Data, TrainedProbe, fit, label_entropy, retrained
from polyprobe.probes.information import score_prefixes
from polyprobe.probes.retrained import RetrainedProbe, Settings


def noisy(words: int, neurons: int, classes: int, seed: int = 0, carriers: int = 4) -> Data:
    means = torch.randn(classes, carriers, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.arange(classes).repeat(2), torch.randint(0, classes, (words,), generator=generator)])
    labels = labels[:words]
    inputs = torch.randn(words, neurons, generator=generator, dtype=torch.float64)
    inputs[:, :carriers] += means[labels]
    return inputs, labels


def trained(train: Data, **settings: float) -> RetrainedProbe:
    return retrained.fit(train[0], [train[1]], [0], Settings(**settings))[0]  # type: ignore[arg-type]


def optimum(train: Data, chosen: list[int], ridge: float) -> tuple[Tensor, Tensor]:
    """scipy's minimum of the stated objective: weights and bias for inputs standardised with the train words."""
    inputs = train[0][:, chosen]
    features = torch.cat([torch.ones(len(inputs), 1), (inputs - inputs.mean(0)) / inputs.std(0, correction=0)], 1)
    classes = int(train[1].max()) + 1

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight = torch.from_numpy(flat.reshape(classes, -1)).requires_grad_()
        loss = torch.nn.functional.cross_entropy(features @ weight.T, train[1])
        loss = loss + ridge * weight[:, 1:].square().sum()
        (gradient,) = torch.autograd.grad(loss, weight)
        return float(loss.detach()), gradient.numpy().ravel()

    start = np.zeros(classes * (1 + len(chosen)))
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-16, "gtol": 1e-9, "maxiter": 5000}
    )
    weight = torch.from_numpy(found.x.reshape(classes, -1))
    return weight[:, 1:], weight[:, 0]


def scipy_loss(train: Data, judged: Data, chosen: list[int], ridge: float) -> tuple[float, float]:
    """Cross-entropy in bits and accuracy on the words judged by."""
    weight, bias = optimum(train, chosen, ridge)
    mean, deviation = train[0][:, chosen].mean(0), train[0][:, chosen].std(0, correction=0)
    logits = (judged[0][:, chosen] - mean) / deviation @ weight.T + bias
    loss = torch.nn.functional.cross_entropy(logits, judged[1])
    return float(loss) / math.log(2), float((logits.argmax(1) == judged[1]).double().mean())


@pytest.mark.parametrize(("classes", "ridge"), [(2, 1e-3), (3, 1e-2), (5, 1e-4)])
def test_equals_one_optimiser_run_per_set(classes: int, ridge: float) -> None:
    train, dev, test = (noisy(words, 9, classes, seed) for seed, words in enumerate((120, 60, 70)))
    chosen: list[int] = []
    information = []
    for _ in range(4):
        losses = [
            math.inf if neuron in chosen else scipy_loss(train, dev, [*chosen, neuron], ridge)[0] for neuron in range(9)
        ]
        chosen.append(losses.index(min(losses)))
        information.append(1 - min(losses) / label_entropy(dev[1]))
    probe = trained(train, ridge=ridge)
    selection = probe.select(*dev, 4)
    assert selection.neurons.tolist() == chosen
    torch.testing.assert_close(selection.mutual_information, torch.tensor(information).double(), atol=1e-6, rtol=0)
    scores = probe.score_prefixes(selection.neurons, *test)
    slow = [scipy_loss(train, test, chosen[: size + 1], ridge) for size in range(4)]
    expected = 1 - torch.tensor([loss for loss, _ in slow], dtype=torch.float64) / label_entropy(test[1])
    torch.testing.assert_close(scores.mutual_information, expected, atol=1e-6, rtol=0)
    assert scores.accuracy.tolist() == pytest.approx([hits for _, hits in slow])


@pytest.mark.parametrize("classes", [2, 4])
def test_gradient_and_hessian_are_those_of_the_objective(classes: int) -> None:
    train = noisy(50, 5, classes)
    sets = retrained._Sets(trained(train, ridge=0.02), *train)
    sets.train_features = torch.cat([sets.train_features, sets.train.inputs[:2]])
    own = sets.train.inputs[2, None]
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(1, classes - 1, 4, generator=generator, dtype=torch.float64)

    def objective(flat: Tensor) -> Tensor:
        given = flat.view_as(weights)
        logits = sets.basis.T @ given[0] @ torch.cat([sets.train_features, own])
        return torch.nn.functional.cross_entropy(logits.T, train[1]) + 0.02 * given[:, :, 1:].square().sum()

    logits = sets._logits(weights, sets.train_features, own)
    torch.testing.assert_close(sets._objective(weights, logits)[0], objective(weights.flatten()))
    chance = logits.softmax(1)
    flat = weights.flatten().requires_grad_()
    (gradient,) = torch.autograd.grad(objective(flat), flat, create_graph=True)
    hessian = torch.stack([torch.autograd.grad(one, flat, retain_graph=True)[0] for one in gradient])
    torch.testing.assert_close(sets._gradient(weights, chance, own).flatten(), gradient.detach())
    torch.testing.assert_close(sets._hessian(chance, own)[0], hessian)
    sets.block = 7
    torch.testing.assert_close(sets._hessian(chance, own)[0], hessian)


def test_contrasts_are_orthonormal_and_sum_to_zero() -> None:
    basis = retrained._contrasts(6)
    torch.testing.assert_close(basis @ basis.T, torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(basis.sum(1), torch.zeros(5, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blocks_do_not_matter_and_runs_repeat(dtype: torch.dtype) -> None:
    train, dev = (noisy(100, 8, 3, seed) for seed in (0, 1))
    train, dev = (train[0].to(dtype), train[1]), (dev[0].to(dtype), dev[1])
    probe = trained(train)
    usual = probe.select(*dev, 3)
    for block in (7, 1000, 2**24):
        other = probe.select(*dev, 3, block=block)
        assert torch.equal(other.neurons, usual.neurons)
        torch.testing.assert_close(other.mutual_information, usual.mutual_information, atol=1e-9, rtol=0)
    assert torch.equal(probe.select(*dev, 3).mutual_information, usual.mutual_information)


def test_planted_neurons_are_found_first() -> None:
    train, dev, test = (noisy(600, 40, 4, seed) for seed in range(3))
    probe = trained(train)
    selection = probe.select(*dev, 6)
    assert set(selection.neurons[:4].tolist()) == {0, 1, 2, 3}
    scores = probe.score_prefixes(selection.neurons, *test)
    assert (scores.mutual_information[:4].diff() > 0.02).all()
    assert (scores.mutual_information <= 1).all()
    on_dev = probe.score_prefixes(selection.neurons, *dev)
    torch.testing.assert_close(on_dev.mutual_information, selection.mutual_information, atol=1e-9, rtol=0)


def test_a_neuron_that_only_takes_noise_away_is_found() -> None:
    """Neuron 7 alone tells nothing; a probe that is trained with it subtracts it from neuron 2."""

    def words(seed: int) -> Data:
        inputs, labels = noisy(500, 10, 2, seed, carriers=1)
        noise = 5 * torch.randn(500, generator=torch.Generator().manual_seed(seed + 50), dtype=torch.float64)
        inputs[:, 0] = torch.randn(500, generator=torch.Generator().manual_seed(seed + 70), dtype=torch.float64)
        inputs[:, 2] = 2.0 * labels + noise
        inputs[:, 7] = noise
        return inputs, labels

    train, dev = words(0), words(1)
    selection = trained(train, ridge=1e-6).select(*dev, 2)
    assert selection.neurons.tolist() == [2, 7]
    assert selection.mutual_information[1] > 0.95


def test_no_linear_probe_tells_more_of_the_train_words() -> None:
    train = noisy(300, 16, 3)
    masked = fit("poisson", train, None, 0, epochs=60, patience=10)
    assert isinstance(masked, TrainedProbe)
    probe = trained(train, ridge=1e-9)
    neurons = masked.select(*train, 10).neurons
    linear = score_prefixes(masked.weight, masked.bias, neurons, *train)
    own = probe.score_prefixes(neurons, *train)
    assert (own.mutual_information >= linear.mutual_information - 1e-7).all()
    assert (own.mutual_information.diff() >= -1e-7).all(), "a set tells no less than a part of it"


def test_a_neurons_unit_does_not_matter() -> None:
    train, dev = (noisy(200, 10, 3, seed) for seed in (0, 1))
    scale = torch.logspace(-6, 6, 10, dtype=torch.float64)
    moved = [(inputs * scale + 3 * scale.flip(0).clamp(max=1), labels) for inputs, labels in (train, dev)]
    one, other = trained(train).select(*dev, 5), trained(moved[0]).select(*moved[1], 5)
    assert torch.equal(one.neurons, other.neurons)
    torch.testing.assert_close(one.mutual_information, other.mutual_information, atol=1e-5, rtol=0)


def test_separable_words_have_an_optimum() -> None:
    labels = torch.arange(3).repeat(20)
    inputs = torch.nn.functional.one_hot(labels, 3).double() * 50
    inputs = torch.cat([inputs, torch.randn(60, 3, generator=torch.Generator().manual_seed(0)).double()], 1)
    for ridge in (1e-2, 1e-8):
        selection = trained((inputs, labels), ridge=ridge).select(inputs, labels, 5)
        assert set(selection.neurons[:2].tolist()) < {0, 1, 2}
        assert (selection.mutual_information < 1).all()
    assert selection.mutual_information[1] > 0.999


def test_ties_go_to_the_lowest_index() -> None:
    train, dev = (noisy(150, 6, 3, seed) for seed in (0, 1))

    def copied(data: Data) -> Data:
        return torch.cat([torch.full((len(data[0]), 1), 0.3, dtype=torch.float64), data[0].repeat(1, 3)], 1), data[1]

    single, several = trained(train).select(*dev, 4), trained(copied(train)).select(*copied(dev), 4)
    assert several.neurons[0] == single.neurons[0] + 1
    assert all(neuron <= 6 for neuron in several.neurons.tolist() if neuron)
    constant = torch.ones(150, 4, dtype=torch.float64) * torch.tensor([0.1, 7, 0, 1e5])
    assert trained((constant, train[1])).select(constant, train[1], 4).neurons.tolist() == [0, 1, 2, 3]


def test_prefixes_and_whole() -> None:
    train, dev = (noisy(120, 7, 3, seed) for seed in (0, 1))
    probe = trained(train)
    whole = probe.select(*dev, 7)
    assert sorted(whole.neurons.tolist()) == list(range(7))
    some = probe.select(*dev, 3)
    assert torch.equal(some.neurons, whole.neurons[:3])
    assert torch.equal(some.mutual_information, whole.mutual_information[:3])


def test_forty_classes() -> None:
    train, dev = (noisy(400, 6, 40, seed) for seed in (0, 1))
    selection = trained(train).select(*dev, 3)
    assert set(selection.neurons.tolist()) < {0, 1, 2, 3}


def test_labellings_side_by_side_are_independent() -> None:
    inputs, labels = noisy(150, 8, 3)
    other = labels[torch.randperm(150, generator=torch.Generator().manual_seed(0))]
    both = retrained.fit(inputs, [labels, other], [5, 6], Settings())
    for probe, own in zip(both, (labels, other), strict=True):
        alone = trained((inputs, own)).select(inputs, own, 3)
        assert torch.equal(probe.select(inputs, own, 3).neurons, alone.neurons)
        assert probe.epochs == 0


@pytest.mark.parametrize("k", [0, 9])
def test_k_out_of_range(k: int) -> None:
    train = noisy(60, 8, 2)
    with pytest.raises(ValueError, match=f"expected k between 1 and 8 neurons, got {k}"):
        trained(train).select(*train, k)


def test_bad_requests() -> None:
    train = noisy(60, 8, 2)
    with pytest.raises(ValueError, match="expected k up to largest_set = 3, got 4: the family retrained is for small"):
        trained(train, largest_set=3).select(*train, 4)
    with pytest.raises(ValueError, match="ridge: expected more than 0, got 0"):
        trained(train, ridge=0.0)
    with pytest.raises(ValueError, match="tolerance: expected more than 0"):
        trained(train, tolerance=math.nan)
    with pytest.raises(ValueError, match="did not reach a gradient of 1e-08 in newton_steps = 1"):
        trained(train, newton_steps=1).select(*train, 1)
    with pytest.raises(ValueError, match="labels of at least two classes"):
        trained(train).select(train[0], torch.zeros_like(train[1]), 1)
    with pytest.raises(ValueError, match=r"expected labels 0, 1, \.\.\. of at least two classes"):
        trained((train[0], torch.zeros_like(train[1])))
