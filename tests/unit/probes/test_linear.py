"""The linear probe against autograd and against Newton's method."""

import torch
from torch import Tensor

from polyprobe.probes import LinearProbe, fit, fit_side_by_side, linear
from polyprobe.probes._parameters import Parameters
from polyprobe.probes._training import Batch, Fits


def planted(words: int = 700, neurons: int = 32, classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, classes, (words,), generator=generator)
    inputs = torch.randn(words, neurons, generator=generator)
    inputs[:, :6] += 1.5 * torch.randn(classes, 6, generator=generator)[labels]
    return inputs, labels


def test_loss_and_gradient_are_those_of_cross_entropy_with_penalties() -> None:
    inputs, labels = planted(60, 8, 3)
    settings = linear.Settings(l1=0.03, l2=0.02, batch_size=1000)
    fits = Fits(inputs.double(), [labels], [0], settings, held_out=10)
    seen: list[Tensor] = []
    fits._adam = seen.append  # type: ignore[method-assign, assignment]
    fits._step(fits.words, fits._target(fits.words))
    flat = fits.flat.clone().requires_grad_()
    assert flat.shape == (1, 32), "3 * 8 + 3, none of a mask, padded"
    parameters = Parameters.views(flat, 3, 8, masked=False)
    words = fits.words[0]
    logits = inputs[words].double() @ parameters.weight[0].T + parameters.bias[0]
    truth = torch.nn.functional.cross_entropy(logits, labels[words])
    nothing = torch.empty(1, 0)
    batch = Batch(inputs[words].double()[None], fits._target(fits.words), fits.fixed, nothing)
    loss = linear.CrossEntropy().loss(parameters, batch)
    torch.testing.assert_close(loss[0], truth)
    objective = truth + 0.03 * parameters.weight.abs().sum() + 0.02 * parameters.weight.square().sum()
    torch.testing.assert_close(seen[0], torch.autograd.grad(objective, flat)[0])


def test_training_reaches_the_minimum_that_newtons_method_finds() -> None:
    inputs, labels = planted(300, 6, 2)
    settings = linear.Settings(l2=0.05, batch_size=1000, learning_rate=0.01, epochs=1000, patience=1000)
    fits = Fits(inputs.double(), [labels], [0], settings, held_out=30)
    for _ in range(1000):
        fits.train_epoch()
    words = fits.words[0]
    flat = torch.zeros(14, dtype=torch.float64, requires_grad=True)

    def objective(flat: Tensor) -> Tensor:
        weight = flat[:12].view(2, 6)
        logits = inputs[words].double() @ weight.T + flat[12:]
        return torch.nn.functional.cross_entropy(logits, labels[words]) + 0.05 * weight.square().sum()

    for _ in range(30):
        (gradient,) = torch.autograd.grad(objective(flat), flat)
        hessian = torch.autograd.functional.hessian(objective, flat)  # type: ignore[no-untyped-call]
        # The bias's sum is free.
        flat = (flat - torch.linalg.pinv(hessian) @ gradient).detach().requires_grad_()
    least = float(objective(flat.detach()))
    assert least - 1e-12 <= float(objective(fits.flat[0, :14])) < least + 1e-6


def test_a_probe_does_not_depend_on_those_beside_it() -> None:
    inputs, labels = planted()
    shuffled = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    settings = {"epochs": 25, "patience": 3, "batch_size": 100}
    labellings, seeds = [labels, shuffled, labels], [11, 12, 13]
    together = fit_side_by_side("linear", inputs, labellings, None, seeds, **settings)
    assert len({probe.epochs for probe in together}) > 1, "one of them leaves before the others"
    for probe, own, seed in zip(together, labellings, seeds, strict=True):
        alone = fit("linear", (inputs, own), None, seed, **settings)
        assert isinstance(probe, LinearProbe)
        assert isinstance(alone, LinearProbe)
        assert torch.equal(probe.weight, alone.weight)
        assert torch.equal(probe.bias, alone.bias)
        assert probe.epochs == alone.epochs


def test_planted_neurons_are_found() -> None:
    inputs, labels = planted()
    probe = fit("linear", (inputs[:500], labels[:500]), None, 0, epochs=60, patience=10)
    assert set(probe.select(inputs[500:], labels[500:], 4).neurons.tolist()) <= set(range(6))
