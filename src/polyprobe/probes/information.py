"""What a probe says about the labels: mutual information and accuracy."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


def label_entropy(labels: Int[Tensor, " word"]) -> float:
    """Return the entropy of the labels' frequencies, in bits.

    Raises:
        ValueError: there is only one class, so nothing to be informed about.
    """
    share = labels.bincount().double() / len(labels)
    share = share[share > 0]
    if len(share) < 2:
        raise ValueError("expected labels of at least two classes")
    return float(-(share * share.log2()).sum())


@dataclass(frozen=True)
class Scores:
    """A probe on the prefixes of a list of neurons, all other neurons masked to zero."""

    mutual_information: Float[Tensor, " rank"]
    """Label entropy minus cross-entropy, as a share of the label entropy; at most 1, negative where the probe is
    worse than the labels' frequencies."""
    accuracy: Float[Tensor, " rank"]
    label_entropy: float
    """In bits."""

    @property
    def bits(self) -> Float[Tensor, " rank"]:
        """The mutual information in bits."""
        return self.mutual_information * self.label_entropy


def score_prefixes(
    weight: Float[Tensor, "class neuron"],
    bias: Float[Tensor, " class"],
    neurons: Int[Tensor, " rank"],
    inputs: Float[Tensor, "word neuron"],
    labels: Int[Tensor, " word"],
) -> Scores:
    """Score the first neuron, the first two, and so on, on these words.

    Args:
        weight: the probe's weights.
        bias: its bias, which is never masked.
        neurons: in the order of their ranks.
        inputs: hidden states, all neurons.
        labels: classes 0, 1, ...

    Returns:
        The mutual information and the accuracy of each prefix.

    Raises:
        ValueError: the labels have one class only.
    """
    entropy = label_entropy(labels)
    logits = bias.double()[:, None].repeat(1, len(inputs))
    losses, hits = [], []
    own = labels[None]
    for neuron in neurons.tolist():
        logits.addcmul_(weight[:, neuron, None].double(), inputs[:, neuron].double())
        losses.append((logits.logsumexp(0) - logits.gather(0, own)[0]).mean() / math.log(2))
        hits.append((logits.argmax(0) == labels).double().mean())
    return Scores(1 - torch.stack(losses).cpu() / entropy, torch.stack(hits).cpu(), entropy)
