"""What a probe's data and settings must be, checked before any work."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from jaxtyping import Float, Int
from torch import Tensor


def class_count(labels: Sequence[Int[Tensor, " word"]]) -> int:
    """Return the number of classes of several labellings of the same words.

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
    """Check that all numbers are finite, and of a type that a probe is computed in.

    Args:
        inputs: hidden states.
        of: the name of the set, for the message.

    Raises:
        ValueError: the inputs are neither float32 nor float64, or one is NaN or infinite.
    """
    if inputs.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{of}: expected inputs of float32 or float64, got {str(inputs.dtype).removeprefix('torch.')}")
    if bool(inputs.isfinite().all()):
        return
    word, neuron = torch.argwhere(~inputs.isfinite())[0].tolist()
    raise ValueError(f"{of}: word {word}, neuron {neuron}: expected a finite number, got {float(inputs[word, neuron])}")


def check_width(inputs: Float[Tensor, "word neuron"], neurons: int, of: str) -> None:
    """Check that the inputs have as many neurons as those of the train set.

    Args:
        inputs: hidden states.
        neurons: of the train set.
        of: the name of the set, for the message.

    Raises:
        ValueError: they have more or fewer.
    """
    if inputs.shape[1] != neurons:
        raise ValueError(f"{of}: expected {neurons} neurons as in train, got {inputs.shape[1]}")


def check_labels(labels: Int[Tensor, " word"], classes: int, of: str) -> None:
    """Check that a probe of so many classes can give these labels.

    Args:
        labels: one per word.
        classes: how many the probe has.
        of: the name of the set, for the message.

    Raises:
        ValueError: a label is below 0, or not below `classes`.
    """
    outside = torch.argwhere((labels < 0) | (labels >= classes)).flatten()
    if len(outside):
        word = int(outside[0])
        raise ValueError(f"{of}: word {word}: expected a label from 0 to {classes - 1}, got {int(labels[word])}")


def check_labelled(inputs: Float[Tensor, "_word neuron"], labels: Int[Tensor, " _word"], of: str) -> None:
    """Check that every word has a label, and every label a word.

    Args:
        inputs: hidden states.
        labels: one per word.
        of: the name of the set, for the message.

    Raises:
        ValueError: inputs and labels differ in length, or labels are not int64.
    """
    if len(labels) != len(inputs):
        raise ValueError(f"{of}: expected a label for each of {len(inputs)} words, got {len(labels)} labels")
    if labels.dtype != torch.int64:
        raise ValueError(f"{of}: expected labels of int64, got {str(labels.dtype).removeprefix('torch.')}")


def check_setting_names_and_types(family: str, settings: type, values: Mapping[str, Any]) -> None:
    """Check that a family's settings have a field for each of these values, of its type.

    Args:
        family: its name, for the message.
        settings: the dataclass of its settings. Fields of int, float and Literal are looked at.
        values: by the field's name.

    Raises:
        ValueError: a name is unknown, a number is none or not finite, or a choice is unknown.
    """
    known = [field.name for field in fields(settings)]
    types = get_type_hints(settings)
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"{family}: unknown setting {name!r}, expected one of {', '.join(known)}")
        if types[name] is int and (not isinstance(value, Integral) or isinstance(value, bool)):
            raise ValueError(f"{family}: {name}: expected a whole number, got {value!r}")
        if types[name] is float and (
            not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value)
        ):
            raise ValueError(f"{family}: {name}: expected a finite number, got {value!r}")
        if get_origin(types[name]) is Literal and value not in get_args(types[name]):
            raise ValueError(f"{family}: {name}: expected {' or '.join(get_args(types[name]))}, got {value!r}")


def check_at_least(settings: Any, least: int, *names: str) -> None:
    """Check that no setting of these names is below `least`.

    Args:
        settings: a family's settings.
        least: the smallest value allowed.
        names: of fields.

    Raises:
        ValueError: one is below it, or NaN.
    """
    for name in names:
        if not getattr(settings, name) >= least:
            raise ValueError(f"{name}: expected at least {least}, got {getattr(settings, name)}")


def check_positive(settings: Any, *names: str) -> None:
    """Check that every setting of these names is above 0.

    Args:
        settings: a family's settings.
        names: of fields.

    Raises:
        ValueError: one is not.
    """
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name}: expected more than 0, got {getattr(settings, name)}")


def check_between(settings: Any, low: int, high: int, *names: str) -> None:
    """Check that every setting of these names is between both bounds, which are out themselves.

    Args:
        settings: a family's settings.
        low: the lower bound.
        high: the upper bound.
        names: of fields.

    Raises:
        ValueError: one is not.
    """
    for name in names:
        if not low < getattr(settings, name) < high:
            raise ValueError(f"{name}: expected more than {low} and less than {high}, got {getattr(settings, name)}")
