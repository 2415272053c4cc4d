"""The generative probe against multivariate normal densities computed candidate by candidate."""

import math

import pytest
import torch
from torch import Tensor

from polyprobe.probes import Data, fit, gaussian, label_entropy
from polyprobe.probes.gaussian import GaussianProbe, Settings

PRIORS = ["pooled", "pooled_diagonal", "class_diagonal"]


def problem(words: int, neurons: int, classes: int, seed: int = 0) -> Data:
    """Classes of uneven size that differ in the mean of four neurons and in how neurons mix."""
    shapes = torch.Generator().manual_seed(99)
    mean = torch.randn(classes, min(4, neurons), generator=shapes)
    mixing = torch.randn(3, neurons, generator=shapes) + 0.5 * torch.randn(classes, 3, neurons, generator=shapes)
    generator = torch.Generator().manual_seed(seed)
    chance = 1 / torch.arange(1.0, classes + 1)
    drawn = torch.multinomial(chance, words, replacement=True, generator=generator)
    labels = torch.cat([torch.arange(classes).repeat(3), drawn])[:words]
    inputs = torch.randn(words, neurons, generator=generator)
    inputs += torch.einsum("wf,wfn->wn", torch.randn(words, 3, generator=generator), mixing[labels])
    inputs[:, : mean.shape[1]] += mean[labels]
    return inputs, labels


def fitted(train: Data, prior: str = "pooled", words: float = 20.0) -> GaussianProbe:
    settings = Settings(prior, words)  # type: ignore[arg-type]
    return gaussian.fit(train[0], [train[1]], [0], settings)[0]


def estimate(train: Data, prior: str, weight: float) -> tuple[Tensor, Tensor]:
    """Means and covariances by the stated formula."""
    parts = [train[0][train[1] == label].double() for label in range(int(train[1].max()) + 1)]
    scatters = [(part - part.mean(0)).T @ (part - part.mean(0)) for part in parts]
    pooled = torch.stack(scatters).sum(0) / (len(train[1]) - len(parts))
    covariances = []
    for part, scatter in zip(parts, scatters, strict=True):
        target = {
            "pooled": pooled,
            "pooled_diagonal": pooled.diag().diag(),
            "class_diagonal": (scatter / (len(part) - 1)).diag().diag(),
        }[prior]
        covariances.append((scatter + weight * target) / (len(part) - 1 + weight) + 1e-3 * pooled.diag().diag())
    return torch.stack([part.mean(0) for part in parts]), torch.stack(covariances)


def densities(means: Tensor, covariances: Tensor, judged: Tensor) -> Tensor:
    """log N(word; class) [word, class]."""
    normal = torch.distributions.MultivariateNormal(means, covariances)
    return torch.as_tensor(normal.log_prob(judged[:, None].double()))  # type: ignore[no-untyped-call]


def posterior(train: Data, judged: Tensor, chosen: list[int], prior: str, weight: float) -> Tensor:
    """log p(class | these neurons) [word, class], estimated from them alone."""
    means, covariances = estimate((train[0][:, chosen], train[1]), prior, weight)
    shares = train[1].bincount().double() / len(train[1])
    return (densities(means, covariances, judged[:, chosen]) + shares.log()).log_softmax(1)


def naive(train: Data, judged: Data, k: int, prior: str, weight: float) -> tuple[list[int], list[float]]:
    """A refit for every candidate; normalised mutual information."""
    chosen: list[int] = []
    information = []
    for _ in range(k):
        best, best_loss = -1, math.inf
        for candidate in range(judged[0].shape[1]):
            if candidate not in chosen:
                found = posterior(train, judged[0], [*chosen, candidate], prior, weight)
                loss = float(torch.nn.functional.nll_loss(found, judged[1]))
                if loss < best_loss:
                    best, best_loss = candidate, loss
        chosen.append(best)
        information.append(1 - best_loss / math.log(2) / label_entropy(judged[1]))
    return chosen, information


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("classes", "weight"), [(2, 1.0), (3, 30.0), (6, 10.0)])
def test_equals_a_refit_for_every_candidate(prior: str, classes: int, weight: float) -> None:
    train, dev, test = (problem(words, 10, classes, seed) for seed, words in enumerate((150, 60, 50)))
    chosen, information = naive(train, dev, 5, prior, weight)
    probe = fitted(train, prior, weight)
    for dtype, block in ((torch.float32, None), (torch.float32, 50), (torch.float64, None), (torch.float64, 1)):
        selection = probe.select(*dev, 5, dtype=dtype, block=block)
        assert selection.neurons.tolist() == chosen
        torch.testing.assert_close(selection.mutual_information.tolist(), information, atol=1e-9, rtol=1e-9)
    scores = probe.score_prefixes(selection.neurons, *test)
    for rank in range(5):
        truth = posterior(train, test[0], chosen[: rank + 1], prior, weight)
        loss = float(torch.nn.functional.nll_loss(truth, test[1])) / math.log(2)
        assert float(scores.mutual_information[rank]) == pytest.approx(1 - loss / label_entropy(test[1]), abs=1e-9)
        assert float(scores.accuracy[rank]) == pytest.approx(float((truth.argmax(1) == test[1]).double().mean()))


@pytest.mark.parametrize("prior", PRIORS)
def test_a_sub_covariance_is_what_its_neurons_alone_give(prior: str) -> None:
    """So a class's shrinkage does not depend on how many other neurons exist."""
    inputs, labels = problem(80, 40, 4)
    neurons = torch.tensor([31, 2, 17])
    alone = fitted((inputs[:, neurons], labels), prior)
    whole = fitted((inputs, labels), prior)
    torch.testing.assert_close(whole.of(neurons).variance, alone.variance, atol=1e-12, rtol=1e-12)
    sub = whole.covariance()[:, neurons][:, :, neurons]
    torch.testing.assert_close(sub, alone.covariance(), atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(whole.of(neurons).covariance(), alone.covariance(), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("prior", PRIORS)
def test_covariance_is_the_mode_of_the_precision(prior: str) -> None:
    """The posterior's gradient in the precision vanishes: likelihood with the mean integrated out, Wishart prior.

    The estimate is taken without its noise.
    """
    inputs, labels = problem(60, 5, 3)
    weight = 7.0
    probe = fitted((inputs, labels), prior, weight)
    modes = probe.covariance() - probe.noise.diag()
    parts = [inputs[labels == label].double() for label in range(3)]
    scatters = [(part - part.mean(0)).T @ (part - part.mean(0)) for part in parts]
    pooled = torch.stack(scatters).sum(0) / (60 - 3)
    for part, scatter, mode in zip(parts, scatters, modes, strict=True):
        count, neurons = part.shape
        target = {
            "pooled": pooled,
            "pooled_diagonal": pooled.diag().diag(),
            "class_diagonal": scatter.diag().diag() / (count - 1),
        }[prior]
        degrees = weight + 2 + neurons - 1
        precision = mode.inverse().requires_grad_()
        log_posterior = (
            (count - 1) / 2 * precision.logdet()
            - (scatter @ precision).trace() / 2
            + (degrees - neurons - 1) / 2 * precision.logdet()
            - (weight * target @ precision).trace() / 2
        )
        (gradient,) = torch.autograd.grad(log_posterior, precision)
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-9, rtol=0)


def test_rows_do_not_depend_on_how_many_words_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    train = problem(70, 6, 3)
    whole = fitted(train).covariance()
    monkeypatch.setattr(gaussian, "_CHUNK", 60)
    torch.testing.assert_close(fitted(train).covariance(), whole)


def test_units_do_not_matter() -> None:
    (inputs, labels), dev = problem(120, 10, 3), problem(90, 10, 3, 1)
    scale, shift = torch.logspace(-3, 3, 10), torch.linspace(-5, 5, 10)
    order = fitted((inputs, labels)).select(*dev, 6)
    scaled = fitted(((inputs + shift) * scale, labels)).select((dev[0] + shift) * scale, dev[1], 6)
    assert torch.equal(scaled.neurons, order.neurons)
    torch.testing.assert_close(scaled.mutual_information, order.mutual_information, atol=1e-4, rtol=0)


def test_float32_finds_the_neurons_of_float64() -> None:
    train, dev = problem(600, 120, 7), problem(500, 120, 7, 1)
    probe = fitted(train, words=100.0)
    single, double = (probe.select(*dev, 30, dtype=dtype) for dtype in (torch.float32, torch.float64))
    assert torch.equal(single.neurons, double.neurons)
    assert torch.equal(single.mutual_information, double.mutual_information)


def test_planted_means_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (1200,), generator=generator)
    inputs = torch.randn(1200, 60, generator=generator)
    carriers = torch.tensor([3, 11, 19, 27])
    inputs[:, carriers] += 1.5 * torch.randn(3, 4, generator=generator)[labels]
    selection = fitted((inputs[:700], labels[:700])).select(inputs[700:], labels[700:], 4)
    assert sorted(selection.neurons.tolist()) == carriers.tolist()


def test_planted_covariances_are_found() -> None:
    """All means are equal: a linear probe is blind. Two neurons differ in variance, two in the sign of their tie."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (3000,), generator=generator)
    inputs = torch.randn(3000, 30, generator=generator)
    inputs[labels == 1, 4] *= 3
    inputs[labels == 1, 21] /= 3
    sign = 2.0 * labels - 1
    inputs[:, 12] = 0.3 * inputs[:, 12] + sign * inputs[:, 8]
    probe = fitted((inputs[:1500], labels[:1500]))
    selection = probe.select(inputs[1500:], labels[1500:], 2)
    assert sorted(selection.neurons.tolist()) == [4, 21]
    pair = probe.score_prefixes(torch.tensor([8, 12]), inputs[1500:], labels[1500:])
    assert pair.mutual_information[0].abs() < 0.02, "nothing alone"
    assert pair.mutual_information[1] > 0.4, "much together"


def test_information_is_at_most_the_label_entropy() -> None:
    train, dev = problem(100, 12, 5), problem(100, 12, 5, 1)
    for weight in (0.1, 1.0, 1000.0):
        probe = fitted(train, words=weight)
        selection = probe.select(*dev, 12)
        scores = probe.score_prefixes(selection.neurons, *dev)
        assert sorted(selection.neurons.tolist()) == list(range(12))
        assert (selection.mutual_information <= 1).all()
        torch.testing.assert_close(scores.mutual_information, selection.mutual_information, atol=1e-9, rtol=1e-9)


def test_a_shorter_selection_is_a_prefix_of_a_longer_one() -> None:
    probe, dev = fitted(problem(200, 30, 4)), problem(150, 30, 4, 1)
    assert torch.equal(probe.select(*dev, 4).neurons, probe.select(*dev, 12).neurons[:4])


@pytest.mark.parametrize("block", [None, 100])
def test_ties_go_to_the_lowest_index(block: int | None) -> None:
    (inputs, labels), (judged, truth) = problem(120, 20, 3), problem(90, 20, 3, 1)
    copies = torch.arange(20).repeat(2)
    probe = fitted((inputs[:, copies], labels))
    order = probe.select(judged[:, copies], truth, 40, block=block).neurons.tolist()
    assert all(order.index(neuron) < order.index(neuron + 20) for neuron in range(20))
    constant = fitted((torch.full((120, 5), 0.1), labels))
    assert constant.select(torch.full((90, 5), 0.1), truth, 5, block=block).neurons.tolist() == list(range(5))


@pytest.mark.parametrize("prior", PRIORS)
def test_degenerate_neurons_and_classes_have_finite_scores(prior: str) -> None:
    """Constants, copies, sums, a neuron that is constant within classes, and two words in a class."""
    (inputs, labels), (judged, truth) = problem(300, 16, 3), problem(200, 16, 3, 1)
    for values, own in ((inputs, labels), (judged, truth)):
        values[:, 5], values[:, 9] = 0.1, 0.0
        values[:, 6] = values[:, 1]
        values[:, 7] = values[:, 1] + values[:, 2]
        values[:, 8] = own.float()
    rare = torch.cat([torch.nonzero(labels != 2).flatten(), torch.nonzero(labels == 2).flatten()[:2]])
    probe = fitted((inputs[rare], labels[rare]), prior, 1.0)
    assert (torch.linalg.eigvalsh(probe.covariance()) > 0).all()
    for dtype in (torch.float32, torch.float64):
        selection = probe.select(judged, truth, 16, dtype=dtype)
        assert selection.mutual_information.isfinite().all()
        assert selection.neurons[0] == 8
        assert float(selection.mutual_information[0]) == pytest.approx(1, abs=1e-6)
    assert probe.score_prefixes(torch.arange(16), judged, truth).mutual_information.isfinite().all()


def test_a_copy_of_a_chosen_neuron_says_little_more() -> None:
    (inputs, labels), (judged, truth) = problem(3000, 6, 2), problem(1000, 6, 2, 1)
    inputs[:, 5], judged[:, 5] = inputs[:, 0], judged[:, 0]
    information = fitted((inputs, labels)).score_prefixes(torch.tensor([0, 5]), judged, truth).mutual_information
    assert float(information[1]) == pytest.approx(float(information[0]), abs=0.01)


def test_small_classes_among_many() -> None:
    """Forty classes, the rarest of three words, fewer than the neurons chosen."""
    train, dev = problem(2000, 24, 40), problem(1500, 24, 40, 1)
    assert int(train[1].bincount().min()) < 20
    selection = fitted(train, words=100.0).select(*dev, 20)
    assert selection.mutual_information.isfinite().all()
    assert (selection.mutual_information[3:] > 0.1).all()


def test_shrinkage_keeps_information_where_the_published_estimate_loses_it() -> None:
    """Noise neurons around few words of a class: with the published mode a rare class is deflated the more."""
    train, dev = problem(150, 64, 4), problem(400, 64, 4, 1)
    selection = fitted(train, words=100.0).select(*dev, 20)
    counts = train[1].bincount().double()
    means, _ = estimate(train, "pooled", 1.0)
    parts = [train[0][train[1] == label].double() for label in range(4)]
    moments = [(part - part.mean(0)).T @ (part - part.mean(0)) / len(part) for part in parts]
    chosen = selection.neurons
    published = torch.stack(
        [
            (count * moment + moment.diag().diag())[chosen][:, chosen] / (count + 2 * 64 + 4)
            for count, moment in zip(counts, moments, strict=True)
        ]
    )
    logits = densities(means[:, chosen], published, dev[0][:, chosen]) + counts.log()
    loss = torch.nn.functional.cross_entropy(logits, dev[1]) / math.log(2)
    assert selection.mutual_information[-1] > 0
    assert selection.mutual_information[-1] > 1 - loss / label_entropy(dev[1])


def test_the_same_probe_whatever_stands_beside_it() -> None:
    (inputs, labels), dev = problem(100, 10, 3), problem(80, 10, 3, 1)
    shuffled = labels[torch.randperm(100, generator=torch.Generator().manual_seed(0))]
    beside = gaussian.fit(inputs, [shuffled, labels], [5, 6], Settings())
    alone = gaussian.fit(inputs, [labels], [0], Settings())[0]
    assert torch.equal(beside[1].variance, alone.variance)
    before = [part.clone() for part in (inputs, *dev)]
    selections = [probe.select(*dev, 5) for probe in (alone, alone, beside[1])]
    assert all(torch.equal(one.mutual_information, selections[0].mutual_information) for one in selections)
    assert all(torch.equal(one.neurons, selections[0].neurons) for one in selections)
    assert all(torch.equal(one, other) for one, other in zip(before, (inputs, *dev), strict=True))
    assert alone.epochs == 0


@pytest.mark.parametrize("k", [0, 11])
def test_k_out_of_range(k: int) -> None:
    with pytest.raises(ValueError, match=f"expected k between 1 and 10 neurons, got {k}"):
        fitted(problem(50, 10, 3)).select(*problem(50, 10, 3, 1), k)


def test_bad_requests() -> None:
    inputs, labels = problem(50, 6, 3)
    with pytest.raises(ValueError, match="at least two words of each class, class 3 has 1"):
        fitted((inputs, torch.cat([labels[:-1], torch.tensor([3])])))
    with pytest.raises(ValueError, match="prior_words: expected more than 0, got 0"):
        fitted((inputs, labels), words=0.0)
    with pytest.raises(ValueError, match="prior_covariance: expected pooled or pooled_diagonal or"):
        fit("gaussian", (inputs, labels), None, 0, prior_covariance="flat")
    probe = fitted((inputs, labels))
    with pytest.raises(ValueError, match="the words judged by: word 1: expected a label from 0 to 2, got 3"):
        probe.select(inputs[:2], torch.tensor([0, 3]), 1)
    with pytest.raises(ValueError, match="at least two classes"):
        probe.score_prefixes(torch.tensor([0]), inputs[:2], torch.tensor([1, 1]))
