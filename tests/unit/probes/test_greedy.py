"""Greedy selection against one masked forward pass per candidate, and the invariants of mutual information."""

import math

import pytest
import torch
from torch import Tensor

from polyprobe.probes import LinearProbe, fit, greedy, label_entropy, score_prefixes, select_greedily
from polyprobe.probes._greedy_kernel import Kernel, library, padded


def naive(weight: Tensor, bias: Tensor, inputs: Tensor, labels: Tensor, k: int) -> tuple[list[int], list[float]]:
    """One masked forward pass per candidate and step; cross-entropies in nats."""
    chosen: list[int] = []
    losses = []
    for _ in range(k):
        best, best_loss = -1, math.inf
        for candidate in range(inputs.shape[1]):
            if candidate not in chosen:
                mask = torch.zeros(inputs.shape[1], dtype=inputs.dtype)
                mask[[*chosen, candidate]] = 1
                loss = float(torch.nn.functional.cross_entropy((inputs * mask) @ weight.T + bias, labels))
                if loss < best_loss:
                    best, best_loss = candidate, loss
        chosen.append(best)
        losses.append(best_loss)
    return chosen, losses


def random_probe(
    classes: int, neurons: int, words: int, dtype: torch.dtype, seed: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (words,), generator=generator)
    inputs = (
        torch.randn(words, neurons, generator=generator) + torch.randn(classes, neurons, generator=generator)[labels]
    )
    weight = 0.3 * torch.randn(classes, neurons, generator=generator)
    return weight.to(dtype), torch.randn(classes, generator=generator).to(dtype), inputs.to(dtype), labels


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("classes", "seed"), [(2, 0), (3, 1), (7, 2)])
def test_equals_one_masked_pass_per_candidate(dtype: torch.dtype, classes: int, seed: int) -> None:
    weight, bias, inputs, labels = random_probe(classes, 24, 60, dtype, seed)
    neurons, losses = naive(weight, bias, inputs, labels, 12)
    for memory in (1, 2**30):
        selection = select_greedily(weight, bias, inputs, labels, 12, dtype=dtype, memory=memory)
        assert selection.neurons.tolist() == neurons
        information = 1 - torch.tensor(losses).double() / math.log(2) / label_entropy(labels)
        torch.testing.assert_close(selection.mutual_information, information, atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(library() is None, reason="no C++ compiler")
@pytest.mark.parametrize(("classes", "words", "scale"), [(2, 50, 1.0), (3, 64, 0.1), (14, 200, 1.0), (40, 130, 3.0)])
def test_compiled_loop_finds_the_same_neurons(classes: int, words: int, scale: float) -> None:
    """Also where logits are so large that products have to be taken factor by factor, or the eager loop steps in."""
    weight, bias, inputs, labels = random_probe(classes, 30, words, torch.float32, classes)
    labels[:classes] = torch.arange(classes)
    inputs[:, 7] *= 100
    inputs[:, 8] *= 1e4
    problem = (scale * weight, bias, inputs, labels, 12)
    eager, compiled = (select_greedily(*problem, compiled=choice) for choice in (False, True))
    in_parts = select_greedily(*problem, compiled=True, memory=2**13)
    assert torch.equal(in_parts.neurons, compiled.neurons)
    exact = select_greedily(*problem, dtype=torch.float64)
    assert eager.neurons.tolist() == compiled.neurons.tolist() == exact.neurons.tolist()
    assert torch.equal(eager.mutual_information, compiled.mutual_information), "the same bits with any compiler"


@pytest.mark.skipif(library() is None, reason="no C++ compiler")
@pytest.mark.parametrize("largest", [1.0, 15.0, 70.0])
def test_compiled_sums_are_those_of_log_sum_exp(largest: float) -> None:
    built = library()
    assert built is not None
    generator = torch.Generator().manual_seed(0)
    weight, inputs = torch.randn(5, 9, generator=generator), torch.zeros(9, padded(150))
    inputs[:, :150] = torch.randn(9, 150, generator=generator)
    logits = torch.randn(5, 150, generator=generator, dtype=torch.float64)
    logits *= largest / logits.abs().max()
    kernel = Kernel.of(built, weight, inputs.abs().amax(1).double(), 2)
    base = kernel.base(logits)
    candidates = torch.tensor([8, 0, 3, 3])
    served = kernel.serves(base)[candidates]
    assert served.all() == (largest < 50)
    tried = logits[:, None] + weight[:, candidates, None].double() * inputs[candidates, :150].double()
    truth = (tried.logsumexp(0) - tried[2]).sum(1)
    torch.testing.assert_close(
        kernel.sums(base, candidates, inputs, candidates)[served], truth[served], rtol=3e-7, atol=1e-4
    )


def test_inputs_are_left_as_they_are() -> None:
    problem = random_probe(3, 8, 40, torch.float64, 1)
    before = [part.clone() for part in problem]
    select_greedily(*problem, 4, dtype=torch.float64)
    assert all(torch.equal(one, other) for one, other in zip(before, problem, strict=True))


def test_passing_over_candidates_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 neurons some hundred are never tried at a step; with all of them tried the neurons are the same."""
    problem = random_probe(4, 200, 80, torch.float32, 11)
    few = select_greedily(*problem, 10)
    monkeypatch.setattr(greedy, "_FIRST", 200)
    assert torch.equal(select_greedily(*problem, 10).neurons, few.neurons)


def test_large_inputs_do_not_overflow() -> None:
    weight, bias, inputs, labels = random_probe(3, 12, 40, torch.float32, 5)
    inputs[:, 3] *= 1e4
    neurons, _ = naive(weight.double(), bias.double(), inputs.double(), labels, 12)
    selection = select_greedily(weight, bias, inputs, labels, 12)
    assert selection.neurons.tolist() == neurons
    assert selection.mutual_information.isfinite().all()


def test_ties_go_to_the_lowest_index() -> None:
    weight, bias, inputs, labels = random_probe(2, 6, 40, torch.float64, 3)
    inputs[:, 4] = inputs[:, 1]
    weight[:, 4] = weight[:, 1]
    order = select_greedily(weight, bias, inputs, labels, 6, dtype=torch.float64).neurons.tolist()
    assert order.index(1) < order.index(4)
    same = select_greedily(torch.zeros(2, 6), bias.float(), inputs.float(), labels, 6)
    assert same.neurons.tolist() == list(range(6))


def test_all_neurons_are_selected_once() -> None:
    weight, bias, inputs, labels = random_probe(3, 10, 50, torch.float32, 4)
    selection = select_greedily(weight, bias, inputs, labels, 10)
    assert sorted(selection.neurons.tolist()) == list(range(10))
    loss = float(torch.nn.functional.cross_entropy(inputs @ weight.T + bias, labels)) / math.log(2)
    assert float(selection.bits[-1]) == pytest.approx(label_entropy(labels) - loss, abs=1e-5)


def test_a_shorter_selection_is_a_prefix_of_a_longer_one() -> None:
    problem = random_probe(3, 20, 50, torch.float32, 6)
    assert torch.equal(select_greedily(*problem, 5).neurons, select_greedily(*problem, 15).neurons[:5])


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_information_is_at_most_the_label_entropy(scale: float) -> None:
    weight, bias, inputs, labels = random_probe(4, 20, 80, torch.float32, 7)
    selection = select_greedily(weight * scale, bias, inputs, labels, 20)
    scores = score_prefixes(weight * scale, bias, selection.neurons, inputs, labels)
    assert (selection.mutual_information <= 1).all()
    assert (scores.bits <= label_entropy(labels)).all()
    torch.testing.assert_close(scores.mutual_information, selection.mutual_information, atol=1e-4, rtol=1e-5)


def test_accuracy_is_that_of_the_masked_probe() -> None:
    weight, bias, inputs, labels = random_probe(3, 10, 50, torch.float32, 8)
    neurons = torch.tensor([7, 2, 5])
    scores = score_prefixes(weight, bias, neurons, inputs, labels)
    mask = torch.zeros(10)
    mask[neurons] = 1
    truth = (((inputs * mask) @ weight.T + bias).argmax(1) == labels).double().mean()
    assert float(scores.accuracy[-1]) == pytest.approx(float(truth))


def test_label_entropy() -> None:
    assert label_entropy(torch.tensor([0, 1, 0, 1])) == pytest.approx(1)
    assert label_entropy(torch.tensor([0, 2, 2, 2])) == pytest.approx(0.25 * 2 + 0.75 * math.log2(4 / 3))
    with pytest.raises(ValueError, match="at least two classes"):
        label_entropy(torch.tensor([1, 1]))


@pytest.mark.parametrize("k", [0, 11])
def test_k_out_of_range(k: int) -> None:
    with pytest.raises(ValueError, match=f"expected k between 1 and 10 neurons, got {k}"):
        select_greedily(*random_probe(3, 10, 50, torch.float32, 9), k)


@pytest.mark.parametrize("estimator", ["logit_gaussian", "reinforce"])
def test_planted_neurons_are_found(estimator: str) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (800,), generator=generator)
    inputs = torch.randn(800, 40, generator=generator)
    carriers = torch.tensor([3, 11, 19, 27])
    inputs[:, carriers] += 1.5 * torch.randn(3, 4, generator=generator)[labels]
    probe = fit(
        "poisson", (inputs[:500], labels[:500]), None, 1, estimator=estimator, epochs=60, patience=10, batch_size=128
    )
    assert isinstance(probe, LinearProbe)
    selection = probe.select(inputs[500:], labels[500:], 4)
    assert sorted(selection.neurons.tolist()) == carriers.tolist()
