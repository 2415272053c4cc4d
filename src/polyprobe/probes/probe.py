"""What every probe family returns, and the data that it is fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

Data = tuple[Float[Tensor, "_word neuron"], Int[Tensor, "_word"]]
"""Inputs [word, neuron] and labels [word] (0, 1, ...) of the same words; `_`: sets differ in size."""


@dataclass(frozen=True)
class Probe:
    """A linear softmax probe, Eq. 4 with a bias: p(class | h) = softmax(weight @ h + bias)."""

    weight: Float[Tensor, "class neuron"]
    bias: Float[Tensor, " class"]
    epochs: int
    """Epochs trained, those after the best one included."""


def class_count(labels: Sequence[Int[Tensor, " word"]]) -> int:
    """The number of classes of several labellings of the same words.

    Raises:
        ValueError: labels are negative, or there are fewer than two classes.
    """
    classes = 1 + max(int(one.max()) for one in labels)
    if classes < 2 or min(int(one.min()) for one in labels) < 0:
        raise ValueError("expected labels 0, 1, ... of at least two classes")
    return classes
