"""A problem in which neurons that carry the label share their noise, as those of a language model do.

Every neuron is a mixture of factors that many neurons share, and noise of its own. Some neurons also move with the
label; how far falls off from the first to the last of them, and each class has its own direction, so that no single
neuron tells all classes apart. The factors make uninformative neurons useful too: they tell how much noise to take
away from the informative ones.
"""

from typing import Final, NamedTuple

import torch

from polyprobe.probes import Data

CLASSES: Final = 5
NEURONS: Final = 128
CARRIERS: Final = 32
FACTORS: Final = 16


class Problem(NamedTuple):
    """Three sets of words of one problem."""

    train: Data
    dev: Data
    test: Data
    carriers: list[int]
    """The neurons that move with the label, the strongest first."""


def correlated_noise(seed: int = 0, train: int = 4000, dev: int = 1500, test: int = 1500) -> Problem:
    """The problem of a seed: the same seed gives the same words, bit by bit."""
    generator = torch.Generator().manual_seed(seed)
    carriers = torch.randperm(NEURONS, generator=generator)[:CARRIERS]
    strength = torch.linspace(1.0, 0.2, CARRIERS)
    direction = torch.zeros(CLASSES, NEURONS)
    direction[:, carriers] = strength * torch.randn(CLASSES, CARRIERS, generator=generator)
    mixing = torch.randn(FACTORS, NEURONS, generator=generator) / FACTORS**0.5
    # Classes are as uneven as labels are.
    frequency = 1 / torch.arange(1.0, CLASSES + 1)
    words = train + dev + test
    labels = torch.multinomial(frequency, words, replacement=True, generator=generator)
    inputs = direction[labels] + torch.randn(words, FACTORS, generator=generator) @ mixing
    inputs += torch.randn(words, NEURONS, generator=generator)
    of_train, of_dev, of_test = torch.split(torch.arange(words), [train, dev, test])
    return Problem(
        train=(inputs[of_train], labels[of_train]),
        dev=(inputs[of_dev], labels[of_dev]),
        test=(inputs[of_test], labels[of_test]),
        carriers=carriers.tolist(),
    )
