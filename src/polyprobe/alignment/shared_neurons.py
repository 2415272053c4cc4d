"""Which neurons many languages use for a category: those that might be universal."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from math import comb
from typing import Final

LEAST: Final = 3
"""Two languages' shared neurons are in the pairwise overlap."""


@dataclass(frozen=True)
class SharedNeuron:
    """One neuron and the languages that have it."""

    neuron: int
    languages: tuple[str, ...]
    found_in: int
    probed_in: int
    expected: float
    """How many neurons random sets would have in at least as many languages in common."""


def shared_neurons(sets: Mapping[str, Set[int]], k: int, dimensions: int) -> list[SharedNeuron]:
    """Return the neurons that at least three languages have, those of most languages first, then by number.

    Args:
        sets: each language's k neurons.
        k: their number.
        dimensions: neurons of the layer.
    """
    found: defaultdict[int, list[str]] = defaultdict(list)
    for language, neurons in sets.items():
        for neuron in neurons:
            found[neuron].append(language)
    shared = [
        SharedNeuron(
            neuron=int(neuron),
            languages=tuple(languages),
            found_in=len(languages),
            probed_in=len(sets),
            expected=expected_neurons(len(languages), len(sets), k, dimensions),
        )
        for neuron, languages in found.items()
        if len(languages) >= LEAST
    ]
    return sorted(shared, key=lambda one: (-one.found_in, one.neuron))


def expected_neurons(found_in: int, languages: int, k: int, dimensions: int) -> float:
    """Return how many of a layer's neurons lie in at least `found_in` of so many random sets of k, on average.

    Each neuron is in each set with probability k / dimensions, independently between sets.

    Args:
        found_in: the fewest sets that a neuron has to be in.
        languages: how many sets there are.
        k: neurons in each set.
        dimensions: neurons of the layer.
    """
    chance = k / dimensions
    tail = sum(
        comb(languages, count) * chance**count * (1 - chance) ** (languages - count)
        for count in range(found_in, languages + 1)
    )
    return dimensions * tail
