"""The families of probes and the one way to fit any of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jaxtyping import Float, Int
from torch import Tensor

from polyprobe.probes import poisson
from polyprobe.probes._threads import one_thread
from polyprobe.probes.probe import Data, Probe

Fit = Callable[
    [Float[Tensor, "word neuron"], Sequence[Int[Tensor, " word"]], Data | None, Sequence[int], Any], Sequence[Probe]
]
"""Fits one probe per seed, each to its own labels of the same words: (inputs, labels, dev, seeds, settings)."""


@dataclass(frozen=True)
class Family:
    """One family of probes."""

    fit: Fit
    settings: type
    """The dataclass of its settings."""


FAMILIES: Final = {"poisson": Family(poisson.fit, poisson.Settings)}


def fit_side_by_side(
    family: str,
    inputs: Float[Tensor, "word neuron"],
    labels: Sequence[Int[Tensor, " word"]],
    dev: Data | None,
    seeds: Sequence[int],
    **settings: Any,
) -> Sequence[Probe]:
    """Fits several probes to the same words, one per seed and labelling: the same probes as one call of `fit` each.

    Args:
        family: a key of `FAMILIES`.
        inputs: float32 or float64.
        labels: one labelling per seed, classes 0, 1, ...; all of the same number of classes.
        dev: a second set for families that read one.
        seeds: one per probe.
        settings: fields of the family's settings.

    Raises:
        ValueError: there is no such family, or too little data.
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}, expected one of {', '.join(FAMILIES)}")
    with one_thread():
        return FAMILIES[family].fit(inputs, labels, dev, seeds, FAMILIES[family].settings(**settings))


def fit(family: str, train: Data, dev: Data | None, seed: int, **settings: Any) -> Probe:
    """Fits one probe.

    Args:
        family: a key of `FAMILIES`.
        train: inputs [word, neuron], float32 or float64, and labels [word], classes 0, 1, ...
        dev: a second set for families that read one (`poisson` holds words out of train instead).
        seed: the same seed and data give the same probe.
        settings: fields of the family's settings.

    Raises:
        ValueError: there is no such family, or too little data.
    """
    return fit_side_by_side(family, train[0], [train[1]], dev, [seed], **settings)[0]
