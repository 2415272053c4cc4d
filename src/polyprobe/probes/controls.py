"""Labels that a probe is trained on: the words' own, or a control's."""

import torch
from jaxtyping import Int
from torch import Tensor


def labels_under(control: str, labels: Int[Tensor, " word"], seed: int) -> Int[Tensor, " word"]:
    """The labels of one split under a control.

    `none`: as they are. `shuffled_labels`: permuted over the words by the seed, so that frequencies stay and nothing is
    left to be found.

    Raises:
        ValueError: there is no such control.
    """
    if control == "none":
        return labels
    if control == "shuffled_labels":
        generator = torch.Generator().manual_seed(seed)
        return labels[torch.randperm(len(labels), generator=generator).to(labels.device)]
    raise ValueError(f"unknown control {control!r}, expected none or shuffled_labels")
