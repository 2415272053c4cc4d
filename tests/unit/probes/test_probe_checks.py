"""Bad requests end with one clear line before any work."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from polyprobe.probes import FAMILIES, Data, families, fit, fit_side_by_side
from polyprobe.probes.checks import check_width


def words(count: int = 20, classes: int = 2) -> Data:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 4, generator=generator), torch.arange(count) % classes


def changed(inputs: Tensor, word: int, neuron: int, value: float) -> Tensor:
    inputs = inputs.clone()
    inputs[word, neuron] = value
    return inputs


@pytest.fixture(autouse=True)
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: Any) -> None:
        raise AssertionError("work was begun")

    for name, family in FAMILIES.items():
        monkeypatch.setitem(FAMILIES, name, families.Family(work, family.settings))  # type: ignore[arg-type]


def refused(expected: str, ask: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)) as refusal:
        ask()
    assert "\n" not in str(refusal.value)


def test_unknown_family() -> None:
    known = ", ".join(FAMILIES)
    refused(f"unknown family 'quadratic', expected one of {known}", lambda: fit("quadratic", words(), None, 0))
    refused("unknown family 'quadratic'", lambda: families.settings_of("quadratic", {}))


@pytest.mark.parametrize("family", FAMILIES)
def test_unknown_setting(family: str) -> None:
    refused(f"{family}: unknown setting 'epoch', expected one of ", lambda: fit(family, words(), None, 0, epoch=3))


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        ("poisson", {"estimator": "exact"}, "poisson: estimator: expected logit_gaussian or reinforce, got 'exact'"),
        ("poisson", {"monte_carlo_samples": 0}, "monte_carlo_samples: expected at least 1, got 0"),
        ("poisson", {"entropy_scale": -0.1}, "entropy_scale: expected at least 0, got -0.1"),
        ("conditional_poisson", {"monte_carlo_samples": 1}, "monte_carlo_samples: expected at least 2, got 1"),
        ("conditional_poisson", {"entropy_scale": -1.0}, "entropy_scale: expected at least 0, got -1.0"),
        ("conditional_poisson", {"estimator": "reinforce"}, "unknown setting 'estimator'"),
        ("linear", {"entropy_scale": 1.0}, "unknown setting 'entropy_scale'"),
    ],
)
def test_settings_of_one_family(family: str, settings: dict[str, Any], message: str) -> None:
    refused(message, lambda: fit(family, words(), None, 0, **settings))


@pytest.mark.parametrize("family", ["poisson", "conditional_poisson", "linear"])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", 0, "epochs: expected at least 1, got 0"),
        ("epochs", 2.5, "epochs: expected a whole number, got 2.5"),
        ("epochs", True, "epochs: expected a whole number, got True"),
        ("patience", 0, "patience: expected at least 1, got 0"),
        ("batch_size", -1, "batch_size: expected at least 1, got -1"),
        ("learning_rate", -0.01, "learning_rate: expected more than 0, got -0.01"),
        ("learning_rate", 0.0, "learning_rate: expected more than 0, got 0.0"),
        ("learning_rate", float("nan"), "learning_rate: expected a finite number, got nan"),
        ("learning_rate", "fast", "learning_rate: expected a finite number, got 'fast'"),
        ("l1", -1.0, "l1: expected at least 0, got -1.0"),
        ("l2", float("inf"), "l2: expected a finite number, got inf"),
        ("held_out", 0.0, "held_out: expected more than 0 and less than 1, got 0.0"),
        ("held_out", 1.0, "held_out: expected more than 0 and less than 1, got 1.0"),
    ],
)
def test_settings_of_the_training(family: str, name: str, value: Any, message: str) -> None:
    refused(message, lambda: fit(family, words(), None, 0, **{name: value}))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_inputs_that_are_not_finite(family: str, value: float) -> None:
    inputs, labels = words()
    bad = changed(inputs, 3, 2, value), labels
    refused(f"train: word 3, neuron 2: expected a finite number, got {value}", lambda: fit(family, bad, None, 0))
    refused("dev: word 3, neuron 2: expected a finite number", lambda: fit(family, words(), bad, 0))


@pytest.mark.parametrize("family", FAMILIES)
def test_labels(family: str) -> None:
    inputs, labels = words()
    one_class = torch.zeros_like(labels)
    negative = torch.where(torch.arange(20) == 5, -1, labels)
    rare = torch.where(torch.arange(20) == 5, 2, labels)
    above = torch.where(torch.arange(20) == 5, 7, labels)
    refused("at least two classes", lambda: fit(family, (inputs, one_class), None, 0))
    refused("expected labels 0, 1, ...", lambda: fit(family, (inputs, negative), None, 0))
    refused("at least two words of each class, class 2 has 1", lambda: fit(family, (inputs, rare), None, 0))
    refused("at least two words of each class, class 2 has 0", lambda: fit(family, (inputs, above), None, 0))
    refused("train: expected a label for each of 20 words, got 19", lambda: fit(family, (inputs, labels[1:]), None, 0))
    refused("train: expected labels of int64, got int32", lambda: fit(family, (inputs, labels.int()), None, 0))
    refused("train: expected a label for each of 0 words", lambda: fit(family, (inputs[:0], labels), None, 0))
    refused("at least two classes", lambda: fit(family, (inputs[:0], labels[:0]), None, 0))
    refused("dev: word 5: expected a label from 0 to 1, got -1", lambda: fit(family, words(), (inputs, negative), 0))
    refused("dev: word 5: expected a label from 0 to 1, got 7", lambda: fit(family, words(), (inputs, above), 0))
    refused("dev: expected a label for each of 20", lambda: fit(family, words(), (inputs, labels[1:]), 0))


@pytest.mark.parametrize("family", FAMILIES)
def test_inputs_of_another_type(family: str) -> None:
    inputs, labels = words()
    half = inputs.half(), labels
    refused("train: expected inputs of float32 or float64, got float16", lambda: fit(family, half, None, 0))
    refused("dev: expected inputs of float32 or float64, got float16", lambda: fit(family, words(), half, 0))


def test_sets_of_different_width() -> None:
    """Asked of the check itself: under test, `fit`'s own annotation refuses them first."""
    refused("dev: expected 4 neurons as in train, got 3", lambda: check_width(words()[0][:, :3], 4, "dev"))


def test_labellings_and_seeds() -> None:
    inputs, labels = words()
    refused("got 1 for 2", lambda: fit_side_by_side("linear", inputs, [labels], None, [0, 1]))
    refused("at least one seed, got 0 for 0", lambda: fit_side_by_side("linear", inputs, [], None, []))


def test_settings_of_a_flat_section() -> None:
    section = {"epochs": 3, "entropy_scale": 0.5, "estimator": "reinforce", "k_max": 50, "l1": 0.1}
    assert families.settings_of("poisson", section) == {
        "epochs": 3, "entropy_scale": 0.5, "estimator": "reinforce", "l1": 0.1,
    }  # fmt: skip
    assert families.settings_of("conditional_poisson", section) == {"epochs": 3, "entropy_scale": 0.5, "l1": 0.1}
    assert families.settings_of("linear", section) == {"epochs": 3, "l1": 0.1}
