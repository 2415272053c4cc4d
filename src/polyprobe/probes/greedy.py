"""Greedy selection of the most informative neurons (Eq. 3), exact and incremental.

Neuron after neuron, the one is added that gives the highest mutual information of probe and labels, all others masked
to zero. It equals one masked forward pass per candidate; but the logits of the neurons chosen so far are kept, a
candidate adds h_j W_j to them, and all candidates are tried at once.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from polyprobe.probes.information import label_entropy


@dataclass(frozen=True)
class Selection:
    """Neurons in the order in which they were found, and what each prefix says about the labels."""

    neurons: Int[Tensor, " rank"]
    mutual_information: Float[Tensor, " rank"]
    """Of the first rank + 1 neurons, as a share of the label entropy; float64, at most 1."""
    label_entropy: float
    """In bits."""

    @property
    def bits(self) -> Float[Tensor, " rank"]:
        """The mutual information in bits."""
        return self.mutual_information * self.label_entropy


def select_greedily(
    weight: Float[Tensor, "class neuron"],
    bias: Float[Tensor, " class"],
    inputs: Float[Tensor, "word neuron"],
    labels: Int[Tensor, " word"],
    k: int,
    *,
    dtype: torch.dtype = torch.float32,
    block: int = 2**17,
) -> Selection:
    """Picks k neurons for the linear softmax probe `weight`, `bias` on these words (the dev set).

    Ties go to the lowest index.

    Args:
        weight: the probe's weights.
        bias: its bias, which is never masked (fidelity row 8).
        inputs: hidden states.
        labels: classes 0, 1, ...
        k: how many neurons.
        dtype: of the logits; sums over words are float64 in any case.
        block: logits held at a time; it bounds the memory and does not change the result.

    Raises:
        ValueError: k is not between 1 and the number of neurons, or the labels have one class only.
    """
    words, neurons = inputs.shape
    if not 1 <= k <= neurons:
        raise ValueError(f"expected k between 1 and {neurons} neurons, got {k}")
    bits_of_labels = label_entropy(labels)
    weight, by_neuron = weight.to(dtype), inputs.to(dtype).T.contiguous()
    logits = bias.to(dtype)[:, None].repeat(1, words)
    # The label's own logit is linear in the neurons: one number per candidate, the same at every step.
    own_logit = torch.einsum("jn,nj->j", by_neuron.double(), weight.T[:, labels].T.double())
    own_of_chosen = bias.double()[labels].sum()
    taken = torch.zeros(neurons, dtype=torch.bool, device=inputs.device)
    chosen, losses = [], []
    for _ in range(k):
        normaliser = _log_normalisers(logits, weight, by_neuron, max(1, block // (words * len(weight))))
        loss = (normaliser - own_of_chosen - own_logit).masked_fill_(taken, torch.inf)
        best = int(loss.argmin())
        chosen.append(best)
        losses.append(loss[best])
        taken[best] = True
        own_of_chosen = own_of_chosen + own_logit[best]
        logits.addcmul_(weight[:, best, None], by_neuron[best])
    bits = torch.stack(losses) / words / torch.log(torch.tensor(2.0, dtype=torch.float64))
    return Selection(torch.tensor(chosen), 1 - bits.cpu() / bits_of_labels, bits_of_labels)


def _log_normalisers(
    logits: Float[Tensor, "class word"],
    weight: Float[Tensor, "class neuron"],
    by_neuron: Float[Tensor, "neuron word"],
    candidates: int,
) -> Float[Tensor, " neuron"]:
    """Per candidate, the log-sum-exp of the logits with it, summed over words, in float64."""
    sums = []
    for start in range(0, len(by_neuron), candidates):
        part = slice(start, start + candidates)
        tried = torch.addcmul(logits[:, None], weight[:, part, None], by_neuron[None, part])
        highest = tried.amax(0)
        total = tried.sub_(highest).exp_().sum(0)
        sums.append(total.log_().add_(highest).sum(1, dtype=torch.float64))
    return torch.cat(sums)
