"""Labels that a probe is trained on: the words' own, or a control's."""

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Int
from torch import Generator, Tensor

CONTROLS: Final = ("none", "shuffled_labels", "random_word_types")

_DRAWS: Final = 1000


def labels_under(
    control: str,
    labels: Sequence[Int[Tensor, " _word"]],
    types: Sequence[Int[Tensor, " _word"]] | None,
    seed: int,
) -> list[Int[Tensor, " _word"]]:
    """Return the labels of the train, dev and test set under a control.

    `none`: as they are. `shuffled_labels`: permuted over the words of each set by the seed, so that frequencies stay
    and nothing is left to be found.

    `random_word_types` (the control task of Hewitt and Liang 2019): each word type has one random label, the same in
    every set, drawn with the label frequencies of the train words. What a probe tells of it, it has learnt by heart;
    what it tells of the words' own labels beyond that is its selectivity. It can tell it only of types that are in the
    train set too. Where the sets share no lemma these are forms of several lemmas, in some languages none at all: the
    control's information on dev and test is then zero or below whatever the probe, and selectivity no less than the
    information itself. Such a split has done already what the control is for. The neurons that the control picks there
    are a second null for overlaps.

    Args:
        control: one of `CONTROLS`.
        labels: classes 0, 1, ... of each set.
        types: each word's type, a number from 0 that means the same in every set; read by `random_word_types` alone.
        seed: of the permutations, or of the types' labels.

    Raises:
        ValueError: there is no such control, types are missing, or too few types to give every class two train words
            and the other sets two classes each.
    """
    if control == "none":
        return list(labels)
    if control == "shuffled_labels":
        generators = (Generator().manual_seed(seed + position) for position in range(len(labels)))
        return [
            one[torch.randperm(len(one), generator=generator).to(one.device)]
            for one, generator in zip(labels, generators, strict=True)
        ]
    if control == "random_word_types":
        if types is None:
            raise ValueError("control random_word_types: expected the words' types")
        return _of_types(labels[0], types, seed)
    raise ValueError(f"unknown control {control!r}, expected one of {', '.join(CONTROLS)}")


def _of_types(
    train: Int[Tensor, " word"], types: Sequence[Int[Tensor, " _word"]], seed: int
) -> list[Int[Tensor, " _word"]]:
    """Return the first of a seed's draws that can be probed.

    Args:
        train: the train words' own labels, whose frequencies those of types are drawn with.
        types: each word's type, in each set.
        seed: of the draws.

    Raises:
        ValueError: none of the draws leaves two train words of every class and two classes in the other sets.
    """
    frequencies = train.bincount().double().cpu()
    count = 1 + max(int(one.max()) for one in types if len(one))
    generator = Generator().manual_seed(seed)
    for _ in range(_DRAWS):
        by_type = torch.multinomial(frequencies, count, replacement=True, generator=generator).to(train.device)
        drawn = [by_type[one] for one in types]
        rarest = drawn[0].bincount(minlength=len(frequencies)).min()
        if rarest >= 2 and all(len(one) and bool((one != one[0]).any()) for one in drawn[1:]):
            return drawn
    raise ValueError(
        f"control random_word_types: {_DRAWS} draws for {count} word types left a class with fewer than two train "
        f"words, or dev or test with one class"
    )
