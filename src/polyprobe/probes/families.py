"""The families of probes and the one way to fit any of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from jaxtyping import Float, Int
from torch import Tensor

from polyprobe.probes import conditional_poisson, gaussian, linear, poisson, retrained
from polyprobe.probes._threads import one_thread
from polyprobe.probes._training import train
from polyprobe.probes.checks import (
    check_inputs,
    check_labelled,
    check_labels,
    check_setting_names_and_types,
    check_width,
    class_count,
)
from polyprobe.probes.probe import Data, Probe

Fit = Callable[[Float[Tensor, "word neuron"], Sequence[Int[Tensor, " word"]], Sequence[int], Any], Sequence[Probe]]
"""Fits one probe per seed, each to its own labels of the same words: (inputs, labels, seeds, settings)."""


@dataclass(frozen=True)
class Family:
    """One family of probes."""

    fit: Fit
    settings: type
    """The dataclass of its settings."""


FAMILIES: Final = {
    "poisson": Family(train, poisson.Settings),
    "conditional_poisson": Family(train, conditional_poisson.Settings),
    "gaussian": Family(gaussian.fit, gaussian.Settings),
    "linear": Family(train, linear.Settings),
    "retrained": Family(retrained.fit, retrained.Settings),
}


def settings_of(family: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that the family has a setting for.

    Args:
        family: a key of `FAMILIES`.
        values: by the setting's name.

    Raises:
        ValueError: there is no such family.
    """
    known = {field.name for field in fields(_family(family).settings)}
    return {name: value for name, value in values.items() if name in known}


def fit_side_by_side(
    family: str,
    inputs: Float[Tensor, "word neuron"],
    labels: Sequence[Int[Tensor, " _word"]],
    dev: Data | None,
    seeds: Sequence[int],
    **settings: Any,
) -> Sequence[Probe]:
    """Fit several probes to the same words, one per seed and labelling: but for rounding one `fit` each.

    Args:
        family: a key of `FAMILIES`.
        inputs: hidden states, float32 or float64.
        labels: one labelling per seed, classes 0, 1, ...; all of the same number of classes.
        dev: a second set, which is checked beside them.
        seeds: one per probe.
        settings: fields of the family's settings.

    Raises:
        ValueError: before any work: there is no such family or setting, a setting is out of its range, an input is not
            finite, labels are out of range or not as many as the words, there is one class only, a class has fewer than
            two words, or there are too few words for the family.
    """
    chosen = _family(family)
    check_setting_names_and_types(family, chosen.settings, settings)
    values = chosen.settings(**settings)
    _check_data(inputs, labels, dev, seeds)
    with one_thread():
        return chosen.fit(inputs, labels, seeds, values)


def fit(family: str, train: Data, dev: Data | None, seed: int, **settings: Any) -> Probe:
    """Fit one probe.

    Args:
        family: a key of `FAMILIES`.
        train: inputs [word, neuron], float32 or float64, and labels [word], classes 0, 1, ...
        dev: a second set, which is checked beside it.
        seed: the same seed and data give the same probe.
        settings: fields of the family's settings.

    Raises:
        ValueError: see `fit_side_by_side`.
    """
    return fit_side_by_side(family, train[0], [train[1]], dev, [seed], **settings)[0]


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise ValueError(f"unknown family {name!r}, expected one of {', '.join(FAMILIES)}")
    return FAMILIES[name]


def _check_data(
    inputs: Float[Tensor, "word neuron"],
    labels: Sequence[Int[Tensor, " _word"]],
    dev: Data | None,
    seeds: Sequence[int],
) -> None:
    if not seeds or len(labels) != len(seeds):
        raise ValueError(f"expected a labelling for each of at least one seed, got {len(labels)} for {len(seeds)}")
    for one in labels:
        check_labelled(inputs, one, "train")
    check_inputs(inputs, "train")
    classes = class_count(labels)
    if dev is None:
        return
    check_labelled(*dev, "dev")
    check_inputs(dev[0], "dev")
    check_labels(dev[1], classes, "dev")
    check_width(dev[0], inputs.shape[1], "dev")
