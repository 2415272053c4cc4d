"""The Poisson probe's objective and its estimators, against the enumeration of all masks."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from polyprobe.probes import LinearProbe, TrainedProbe, fit, fit_side_by_side, logit_gaussian, poisson
from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import Batch, Fits
from polyprobe.probes.logit_gaussian import bias_bound
from polyprobe.probes.poisson import ESTIMATORS, entropy, entropy_gradient

NEURONS, CLASSES, WORDS = 8, 3, 5


def problem(scale: float = 0.4) -> tuple[Parameters, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    parameters = Parameters(
        weight=scale * torch.randn(1, CLASSES, NEURONS, generator=generator, dtype=torch.float64),
        bias=0.3 * torch.randn(1, CLASSES, generator=generator, dtype=torch.float64),
        log_odds=torch.randn(1, NEURONS, generator=generator, dtype=torch.float64),
    )
    inputs = torch.randn(1, WORDS, NEURONS, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, CLASSES, (WORDS,), generator=generator)
    return parameters, inputs, torch.nn.functional.one_hot(labels, CLASSES).T[None].double()


def losses_of_masks(parameters: Parameters, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Each mask's probability [mask] and loss per word [mask, word]."""
    masks = torch.tensor(list(product((0.0, 1.0), repeat=NEURONS)), dtype=torch.float64)
    inclusion = parameters.log_odds[0].sigmoid()
    chance = torch.where(masks == 1, inclusion, 1 - inclusion).prod(1)
    logits = torch.einsum("mj,nj,cj->mcn", masks, inputs[0], parameters.weight[0]) + parameters.bias[0, :, None]
    return chance, logits.logsumexp(1) - (logits * target).sum(1)


def exact(parameters: Parameters, inputs: Tensor, target: Tensor) -> Tensor:
    chance, losses = losses_of_masks(parameters, inputs, target)
    return (chance[:, None] * losses).sum(0).mean()


def exact_gradient(parameters: Parameters, inputs: Tensor, target: Tensor) -> Parameters:
    parts = [part.clone().requires_grad_() for part in (parameters.weight, parameters.bias, parameters.log_odds)]
    return Parameters(*torch.autograd.grad(exact(Parameters(*parts), inputs, target), parts))


def sampled(name: str, function: str, samples: int, repeats: int, scale: float = 0.4) -> tuple[Tensor, Tensor]:
    """Mean and standard error over many independent draws of a loss or a flat gradient."""
    parameters, inputs, target = problem(scale)
    estimator, generator = ESTIMATORS[name](samples), torch.Generator().manual_seed(0)
    found = []
    for _ in range(repeats):
        fixed = estimator.fixed(generator, WORDS, NEURONS, torch.float64)[None]
        draws = estimator.draw(generator, WORDS, NEURONS, torch.float64)[None]
        value = getattr(estimator, function)(parameters, Batch(inputs, target, fixed, draws))
        found.append(value.flat()[0] if function == "gradient" else value)
    stacked = torch.stack(found)
    return stacked.mean(0), stacked.std(0) / math.sqrt(repeats)


def test_reinforce_is_unbiased() -> None:
    parameters, inputs, target = problem()
    loss, error = sampled("reinforce", "loss", 400, 200)
    assert abs(loss - exact(parameters, inputs, target)) < 4 * error
    gradient, error = sampled("reinforce", "gradient", 400, 200)
    assert ((gradient - exact_gradient(parameters, inputs, target).flat()[0]).abs() < 4.5 * error).all()


def test_bias_of_logit_gaussian_is_within_its_bound() -> None:
    parameters, inputs, target = problem()
    bound = bias_bound(parameters.weight[0], parameters.log_odds[0].sigmoid(), inputs[0]).mean()
    loss, error = sampled("logit_gaussian", "loss", 400, 200)
    assert abs(loss - exact(parameters, inputs, target)) < bound + 4 * error
    assert abs(loss - exact(parameters, inputs, target)) < 0.01, "1 % of a nat even with eight strong neurons"


def test_bound_is_of_third_order() -> None:
    parameters, inputs, _ = problem()
    inclusion = parameters.log_odds[0].sigmoid()
    whole = bias_bound(parameters.weight[0], inclusion, inputs[0])
    torch.testing.assert_close(bias_bound(parameters.weight[0] / 2, inclusion, inputs[0]), whole / 8)


def test_gradient_of_logit_gaussian_is_near_the_exact_one() -> None:
    parameters, inputs, target = problem()
    truth = exact_gradient(parameters, inputs, target).flat()[0]
    gradient, error = sampled("logit_gaussian", "gradient", 400, 200)
    assert ((gradient - truth).abs() < 0.01 + 4.5 * error).all()
    assert torch.cosine_similarity(gradient, truth, dim=0) > 0.99


@pytest.mark.parametrize("name", ["logit_gaussian"])
def test_gradient_is_that_of_the_loss_for_the_same_draws(name: str) -> None:
    parameters, inputs, target = problem()
    estimator, generator = ESTIMATORS[name](3), torch.Generator().manual_seed(3)
    fixed = estimator.fixed(generator, WORDS, NEURONS, torch.float64)[None]
    batch = Batch(inputs, target, fixed, estimator.draw(generator, WORDS, NEURONS, torch.float64)[None])
    parts = [part.clone().requires_grad_() for part in (parameters.weight, parameters.bias, parameters.log_odds)]
    loss = estimator.loss(Parameters(*parts), batch)
    truth = Parameters(*torch.autograd.grad(loss.sum(), parts)).flat()
    torch.testing.assert_close(estimator.gradient(parameters, batch).flat(), truth)


def test_logits_have_the_masks_mean_and_covariance() -> None:
    parameters, inputs, target = problem()
    estimator, generator = logit_gaussian.LogitGaussian(200_000), torch.Generator().manual_seed(5)
    signs = estimator.fixed(generator, WORDS, NEURONS, torch.float64)[None]
    draws = estimator.draw(generator, WORDS, NEURONS, torch.float64)[None]
    logits = logit_gaussian._evaluate(parameters, Batch(inputs, target, signs, draws))[0][0, :, :, 0]
    inclusion, row = parameters.log_odds[0].sigmoid(), inputs[0, 0]
    mean = parameters.weight[0] @ (row * inclusion) + parameters.bias[0]
    moved = parameters.weight[0] * row
    covariance = moved @ torch.diag(inclusion * (1 - inclusion)) @ moved.T
    torch.testing.assert_close(logits.mean(0), mean, atol=0.01, rtol=0)
    torch.testing.assert_close(logits.T.cov(), covariance, atol=0.01, rtol=0)


def test_entropy_by_enumeration() -> None:
    parameters, inputs, target = problem()
    chance, _ = losses_of_masks(parameters, inputs, target)
    torch.testing.assert_close(entropy(parameters.log_odds)[0], -(chance * chance.log()).sum())


def test_entropy_gradient() -> None:
    log_odds = torch.linspace(-3, 3, 7, dtype=torch.float64).requires_grad_()
    (truth,) = torch.autograd.grad(entropy(log_odds), log_odds)
    torch.testing.assert_close(entropy_gradient(log_odds.detach()), truth)


def planted(words: int = 700, neurons: int = 32, classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, classes, (words,), generator=generator)
    inputs = torch.randn(words, neurons, generator=generator)
    inputs[:, :6] += 1.5 * torch.randn(classes, 6, generator=generator)[labels]
    return inputs, labels


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_probe_does_not_depend_on_those_beside_it(estimator: str) -> None:
    inputs, labels = planted()
    shuffled = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    settings = {"estimator": estimator, "epochs": 25, "patience": 3, "batch_size": 100}
    labellings, seeds = [labels, shuffled, labels], [11, 12, 13]
    together = fit_side_by_side("poisson", inputs, labellings, None, seeds, **settings)
    assert len({probe.epochs for probe in together}) > 1, "one of them leaves before the others"
    for probe, own, seed in zip(together, labellings, seeds, strict=True):
        alone = fit("poisson", (inputs, own), None, seed, **settings)
        assert isinstance(probe, LinearProbe)
        assert isinstance(alone, LinearProbe)
        assert torch.equal(probe.weight, alone.weight)
        assert torch.equal(probe.bias, alone.bias)
        assert probe.epochs == alone.epochs


def test_the_best_epoch_is_what_is_returned() -> None:
    data = planted()
    patient = fit("poisson", data, None, 4, epochs=18, patience=40)
    assert patient.epochs == 18
    assert isinstance(patient, TrainedProbe)
    losses = []
    for epochs in range(1, 19):
        stopped = fit("poisson", data, None, 4, epochs=epochs, patience=40)
        assert isinstance(stopped, TrainedProbe)
        losses.append(stopped.loss)
    assert losses == sorted(losses, reverse=True), "the best loss so far never rises"
    best = fit("poisson", data, None, 4, epochs=1 + losses.index(min(losses)), patience=40)
    assert isinstance(best, LinearProbe)
    assert torch.equal(best.weight, patient.weight)


def test_patience_ends_the_training() -> None:
    inputs, labels = planted()
    probe = fit("poisson", (inputs, labels[torch.randperm(len(labels))]), None, 4, epochs=300, patience=2)
    assert probe.epochs < 300


def test_adam_is_torchs() -> None:
    inputs, labels = planted(60, 8, 2)
    settings = poisson.Settings(l1=0.01, l2=0.02, batch_size=1000, epochs=1)
    fits = Fits(inputs, [labels], [0], settings, held_out=10)
    beside = fits.flat.clone().requires_grad_()
    optimiser = torch.optim.Adam([beside], lr=settings.learning_rate)
    generator = torch.Generator().manual_seed(9)
    for _ in range(20):
        beside.grad = torch.randn(beside.shape, generator=generator)
        optimiser.step()
        fits._adam(beside.grad)
    torch.testing.assert_close(fits.flat, beside.detach())


def test_objective_of_a_step_is_equation_2_with_penalties() -> None:
    """One full-batch step moves against the gradient of the whole objective."""
    inputs, labels = planted(60, 8, 2)
    settings = poisson.Settings(l1=0.03, l2=0.02, entropy_scale=0.7, batch_size=1000)
    fits = Fits(inputs.double(), [labels], [0], settings, held_out=10)
    seen: list[Tensor] = []
    fits._adam = seen.append  # type: ignore[method-assign, assignment]
    state = fits.generators[0].get_state()
    fits._step(fits.words, fits._target(fits.words))
    fits.generators[0].set_state(state)
    flat = fits.flat.clone().requires_grad_()
    parameters = Parameters.views(flat, fits.classes, fits.neurons, masked=True)
    words = fits.words
    batch = Batch(fits._inputs(words), fits._target(words), fits.fixed, fits._draw(words.shape[1]))
    loss = logit_gaussian.LogitGaussian(5).loss(parameters, batch).sum()
    objective = loss - 0.7 * entropy(parameters.log_odds).sum()
    objective = objective + 0.03 * parameters.weight.abs().sum() + 0.02 * parameters.weight.square().sum()
    torch.testing.assert_close(seen[0], torch.autograd.grad(objective, flat)[0])


def test_planted_neurons_are_found() -> None:
    inputs, labels = planted()
    probe = fit("poisson", (inputs[:500], labels[:500]), None, 0, epochs=60, patience=10)
    assert set(probe.select(inputs[500:], labels[500:], 4).neurons.tolist()) <= set(range(6))
