"""What a probe's data must be, checked before any work."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor


def class_count(labels: Sequence[Int[Tensor, " word"]]) -> int:
    """The number of classes of several labellings of the same words.

    Raises:
        ValueError: labels are negative, there are fewer than two classes, or a class has fewer than two words.
    """
    classes = 1 + max(int(one.max()) if len(one) else -1 for one in labels)
    if classes < 2 or min(int(one.min()) for one in labels) < 0:
        raise ValueError("expected labels 0, 1, ... of at least two classes")
    for one in labels:
        counts = one.bincount(minlength=classes)
        if int(counts.min()) < 2:
            rare = int(counts.argmin())
            raise ValueError(f"expected at least two words of each class, class {rare} has {int(counts[rare])}")
    return classes


def check_inputs(inputs: Float[Tensor, "word neuron"], of: str) -> None:
    """Looks for numbers that are none.

    Args:
        inputs: hidden states.
        of: the name of the set, for the message.

    Raises:
        ValueError: an input is NaN or infinite.
    """
    if bool(inputs.isfinite().all()):
        return
    word, neuron = torch.argwhere(~inputs.isfinite())[0].tolist()
    raise ValueError(f"{of}: word {word}, neuron {neuron}: expected a finite number, got {float(inputs[word, neuron])}")


def check_labels(labels: Int[Tensor, " word"], classes: int, of: str) -> None:
    """Looks for labels that no probe of so many classes can give.

    Raises:
        ValueError: a label is below 0, or not below `classes`.
    """
    outside = torch.argwhere((labels < 0) | (labels >= classes)).flatten()
    if len(outside):
        word = int(outside[0])
        raise ValueError(f"{of}: word {word}: expected a label from 0 to {classes - 1}, got {int(labels[word])}")
