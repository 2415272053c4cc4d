"""Greedy selection of the most informative neurons (Eq. 3), exact and incremental.

Neuron after neuron, the one is added that gives the highest mutual information of probe and labels, all others masked
to zero. It equals one masked forward pass per candidate, for three reasons at a small part of the cost:

- The logits of the neurons chosen so far are kept; a candidate j adds h_j W_j to them.
- Log-sum-exp is convex, so its tangent is a lower bound on a candidate's loss: one product of matrices bounds all
  candidates, and those whose bound lies above a loss that is reached need not be tried.
- What is left is tried many at once, on a CPU with a compiled loop where there is a compiler.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from polyprobe.probes._greedy_kernel import Kernel, library, padded
from polyprobe.probes.information import label_entropy

_FIRST: Final = 32
"""Candidates of the lowest bounds that are tried before any is passed over."""
_WORTH_COMPILING: Final = 2**28
"""Exponentials of a selection without bounds, above which a quarter of a second of compiling pays."""


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
    memory: int = 2**30,
    compiled: bool | None = None,
) -> Selection:
    """Pick k neurons for the linear softmax probe `weight`, `bias` on these words (the dev set).

    Ties go to the lowest index.

    Args:
        weight: the probe's weights.
        bias: its bias, which is never masked (fidelity row 8).
        inputs: hidden states.
        labels: classes 0, 1, ...
        k: how many neurons.
        dtype: in which candidates are compared; the logits of the chosen neurons and all sums over words are float64.
        memory: bytes of working space beside the inputs; no influence on the result.
        compiled: whether candidates are tried by compiled code (float32 on a CPU with a C++ compiler); None: where it
            pays.

    Returns:
        The neurons in the order picked, with the mutual information of each prefix.

    Raises:
        ValueError: k is not between 1 and the number of neurons, or the labels have one class only.
    """
    words, neurons = inputs.shape
    if not 1 <= k <= neurons:
        raise ValueError(f"expected k between 1 and {neurons} neurons, got {k}")
    bits_of_labels = label_entropy(labels)
    weight, inputs = weight.to(dtype), inputs.to(dtype)
    moments = _moments(inputs, labels, len(weight), memory)
    # The label's own logit is linear in the neurons: one number per candidate, the same at every step.
    own_logit = (weight.double() * moments.sums).sum(0)
    rounding = 1e-5 if dtype == torch.float32 else 1e-12
    slack = rounding * moments.magnitude * weight.abs().amax(0).double()
    if compiled is None:
        compiled = k * words * neurons * (len(weight) - 1) >= _WORTH_COMPILING
    normalisers = _normalisers(weight, inputs, labels, moments, memory, compiled)
    logits = bias.double()[:, None].repeat(1, words)
    own_of_chosen = bias.double()[labels].sum()
    taken = torch.zeros(neurons, dtype=torch.bool, device=inputs.device)
    chosen: list[int] = []
    losses: list[Tensor] = []
    normaliser = logits.logsumexp(0)
    for _ in range(k):
        chance = (logits - normaliser).exp().to(dtype)
        tangent = ((chance @ inputs).double() * weight).sum(0)
        total = normaliser.sum()
        bound = total + tangent - own_logit - own_of_chosen - slack - rounding * total.abs()
        evaluate = normalisers(logits)
        loss = torch.full_like(bound, torch.inf)
        order = bound.masked_fill_(taken, torch.inf).argsort(stable=True)[: neurons - len(chosen)]
        for tried in (order[:_FIRST], order[_FIRST:]):
            hopeful = tried[bound[tried] <= loss.amin()]
            if len(hopeful):
                loss[hopeful] = evaluate(hopeful) - own_logit[hopeful] - own_of_chosen
        best = int(loss.argmin())
        chosen.append(best)
        taken[best] = True
        own_of_chosen = own_of_chosen + own_logit[best]
        logits.addcmul_(weight[:, best, None].double(), inputs[:, best].double())
        normaliser = logits.logsumexp(0)
        losses.append(normaliser.sum() - own_of_chosen)
    bits = torch.stack(losses).cpu() / words / torch.log(torch.tensor(2.0, dtype=torch.float64))
    return Selection(torch.tensor(chosen), 1 - bits / bits_of_labels, bits_of_labels)


@dataclass(frozen=True)
class _Moments:
    """What the words' inputs come to, in float64."""

    sums: Float[Tensor, "class neuron"]
    """Over the words of each class."""
    magnitude: Float[Tensor, " neuron"]
    """Sum of magnitudes."""
    largest: Float[Tensor, " neuron"]
    """Largest magnitude."""


def _moments(inputs: Float[Tensor, "word neuron"], labels: Int[Tensor, " word"], classes: int, memory: int) -> _Moments:
    words, neurons = inputs.shape
    zero = torch.zeros(neurons, dtype=torch.float64, device=inputs.device)
    sums, magnitude, largest = zero.repeat(classes, 1), zero, zero
    some = max(1, memory // (32 * neurons))
    for start in range(0, words, some):
        part = inputs[start : start + some].double()
        own = torch.nn.functional.one_hot(labels[start : start + some], classes).T.double()
        sums, part = sums + own @ part, part.abs()
        magnitude, largest = magnitude + part.sum(0), largest.maximum(part.amax(0))
    return _Moments(sums, magnitude, largest)


Evaluate = Callable[[Int[Tensor, " candidate"]], Float[Tensor, " candidate"]]
"""Per candidate, the log-sum-exp of the logits with it, summed over words, in float64."""


@dataclass(frozen=True)
class _Rows:
    """Inputs by neuron: all of them where memory allows, else a part at a time."""

    inputs: Float[Tensor, "word neuron"]
    some: int
    """Neurons at a time."""
    all: Float[Tensor, "neuron padded_word"] | None

    @staticmethod
    def of(inputs: Float[Tensor, "word neuron"], memory: int) -> "_Rows":
        some = max(1, memory // 2 // (padded(len(inputs)) * inputs.element_size()))
        everything = torch.arange(inputs.shape[1], device=inputs.device)
        return _Rows(inputs, some, _by_neuron(inputs, everything) if some >= inputs.shape[1] else None)

    def parts(
        self, candidates: Int[Tensor, " candidate"]
    ) -> Iterator[tuple[Int[Tensor, " part"], Float[Tensor, "row padded_word"], Int[Tensor, " part"]]]:
        """Yield the candidates part after part: their numbers, inputs by neuron, and the row of each in these."""
        if self.all is not None:
            yield candidates, self.all, candidates
            return
        for part in torch.split(candidates, self.some):
            yield part, _by_neuron(self.inputs, part), torch.arange(len(part), device=part.device)


def _normalisers(
    weight: Float[Tensor, "class neuron"],
    inputs: Float[Tensor, "word neuron"],
    labels: Int[Tensor, " word"],
    moments: _Moments,
    memory: int,
    compiled: bool,
) -> Callable[[Float[Tensor, "class word"]], Evaluate]:
    """Return the function that makes an `Evaluate` for the logits of any step.

    Args:
        weight: the probe's weights, in the type that candidates are compared in.
        inputs: hidden states, in the same type.
        labels: classes 0, 1, ...
        moments: of these words.
        memory: bytes of working space.
        compiled: whether candidates are tried by compiled code where it is to be had.
    """
    words = len(inputs)
    rows = _Rows.of(inputs, memory)
    block = min(2**17 if inputs.device.type == "cpu" else 2**26, memory // 32)
    some = max(1, block // (words * len(weight)))

    def eager(logits: Float[Tensor, "class word"]) -> Evaluate:
        logits = logits.to(inputs.dtype)

        def evaluate(candidates: Int[Tensor, " candidate"]) -> Float[Tensor, " candidate"]:
            found = [
                _log_normalisers(logits, weight[:, part[few]], by_neuron[row[few], :words])
                for part, by_neuron, row in rows.parts(candidates)
                for few in torch.split(torch.arange(len(part), device=part.device), some)
            ]
            return torch.cat(found)

        return evaluate

    suited = inputs.device.type == "cpu" and inputs.dtype == torch.float32
    built = library() if compiled and suited else None
    if built is None:
        return eager
    kernel = Kernel.of(built, weight, moments.largest, int(labels.bincount().argmax()))
    sums = moments.sums.sum(0)

    def fast(logits: Float[Tensor, "class word"]) -> Evaluate:
        base = kernel.base(logits)
        served = kernel.serves(base)
        reference = logits[kernel.reference].sum()

        def evaluate(candidates: Int[Tensor, " candidate"]) -> Float[Tensor, " candidate"]:
            inside = served[candidates]
            those = candidates[inside]
            found = torch.empty(len(candidates), dtype=torch.float64)
            found[inside] = reference + weight[kernel.reference, those] * sums[those]
            found[inside] += torch.cat([kernel.sums(base, *part) for part in rows.parts(those)])
            if not bool(inside.all()):
                found[~inside] = eager(logits)(candidates[~inside])
            return found

        return evaluate

    return fast


def _by_neuron(inputs: Float[Tensor, "word neuron"], neurons: Int[Tensor, " row"]) -> Float[Tensor, "row padded_word"]:
    """Return some neurons' inputs, each contiguous, 0 behind the last word."""
    rows = inputs.new_zeros(len(neurons), padded(len(inputs)))
    rows[:, : len(inputs)] = inputs.index_select(1, neurons).T
    return rows


def _log_normalisers(
    logits: Float[Tensor, "class word"],
    weight: Float[Tensor, "class candidate"],
    rows: Float[Tensor, "candidate word"],
) -> Float[Tensor, " candidate"]:
    tried = torch.addcmul(logits[:, None], weight[:, :, None], rows[None])
    highest = tried.amax(0)
    total = tried.sub_(highest).exp_().sum(0)
    return total.log_().add_(highest).sum(1, dtype=torch.float64)
