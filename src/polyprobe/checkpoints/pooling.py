"""Hidden states of sub-words, averaged over groups of them, in batches of sentences of like length."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from polyprobe.checkpoints.activations import fast_activations
from polyprobe.checkpoints.boundary import library_errors
from polyprobe.checkpoints.layer_states import LayerStates
from polyprobe.checkpoints.loading import refuse_unknown_subwords
from polyprobe.checkpoints.tokenising import NO_LIMIT
from polyprobe.running.errors import BadInputError
from polyprobe.running.machine import out_of_memory

CACHED_SUBWORDS: Final = 1024
"""Sub-words that a CPU takes at once: what a block computes of more of them does not stay in its cache."""

_UNMASKED: Final = frozenset({"convbert", "cpmant", "fnet", "mobilebert", "nystromformer", "yoso"})
"""Architectures that mix sub-words with padding whatever the mask says: they are given none."""


@dataclass(frozen=True)
class Groups:
    """One sentence's sub-words and the groups of them that are averaged."""

    ids: Int[np.ndarray, " subword"]
    positions: Int[np.ndarray, " member"]
    """A sub-word's position in `ids`, for each membership of a sub-word in a group."""
    groups: Int[np.ndarray, " member"]
    """The group, numbered over all sentences."""


@dataclass(frozen=True)
class _Window:
    """A stretch of a sentence that goes through the model at once, and the part of it whose states are used."""

    sentence: int
    start: int
    stop: int
    use_from: int
    use_to: int


@dataclass(frozen=True)
class _Batch:
    """Sentences that go through the model at once."""

    ids: Int[Tensor, "sentence subword"]
    """Padded on the right."""
    mask: Int[Tensor, "sentence subword"]
    places: Int[Tensor, " member"]
    """For each membership, its place in the hidden states of all sentences, one sentence after the other."""
    groups: Int[Tensor, " member"]


def pooled_states(
    model: Any,
    sentences: Sequence[Groups],
    groups: int,
    layers: Sequence[int],
    *,
    special_tokens: tuple[list[int], list[int]],
    max_length: int | None,
    batch_tokens: int,
    advance: Callable[[int], object],
) -> dict[int, Float[Tensor, "group neuron"]]:
    """Return the mean hidden state of each group at each layer, in float32 on the model's device.

    Layer l is `hidden_states[l - 1]` of transformers: 1 is the embedding output, the last one is taken after the final
    layer norm. Sentences longer than the model's limit are run in windows that overlap by half; a sub-word's state
    comes from the window in whose middle it lies.

    Args:
        model: a base model of transformers.
        sentences: sub-words and groups; each group number below `groups` occurs.
        groups: how many there are.
        layers: numbered from 1.
        special_tokens: put before and behind each window.
        max_length: the model's limit, special sub-words counted; None for no limit.
        batch_tokens: sub-words of one forward pass, padding included.
        advance: told how many more sentences have been begun.

    Returns:
        By layer, one row per group.

    Raises:
        BadInputError: a batch does not fit into memory, nor does half of it; the model has no embedding for a sub-word,
            no room beside the special ones, or a layer of another width.
    """
    refuse_unknown_subwords(model, _greatest(sentences, special_tokens))
    before, behind = (np.array(ids, dtype=np.int64) for ids in special_tokens)
    specials = len(before) + len(behind)
    room = (max_length or NO_LIMIT) - specials
    if room < 1:
        raise BadInputError(
            f"the model or its tokenizer says that it takes {max_length} sub-words at once; expected room for one "
            f"beside {specials} special ones"
        )
    windows = [window for number, sentence in enumerate(sentences) for window in _windows(number, sentence, room)]
    sums = _Sums(model, sentences, groups, layers, before, behind)
    with fast_activations(model):
        padded = model.config.model_type not in _UNMASKED
        for batch in _batches(windows, specials, batch_tokens, padded):
            try:
                sums.add(batch)
            except _OutOfMemoryError:
                _add_halves(sums, batch, batch_tokens)
            advance(sum(window.start == 0 for window in batch))
    return sums.means()


class _OutOfMemoryError(Exception):
    """A batch does not fit into memory."""


class _Sums:
    """Sums of hidden states over the members of each group, to which batches are added."""

    def __init__(
        self,
        model: Any,
        sentences: Sequence[Groups],
        groups: int,
        layers: Sequence[int],
        before: Int[np.ndarray, " subword"],
        behind: Int[np.ndarray, " other_subword"],
    ) -> None:
        self._model, self._sentences, self._before, self._behind = model, sentences, before, behind
        self._states, self.device = LayerStates(model, layers), next(model.parameters()).device
        self._padding = getattr(model.config, "pad_token_id", None) or 0
        self._sums = {layer: torch.zeros(groups, model.config.hidden_size, device=self.device) for layer in layers}
        self._counts = torch.zeros(groups, 1)

    def add(self, windows: list[_Window]) -> None:
        """Add the states of a batch.

        Raises:
            _OutOfMemoryError: memory does not suffice; nothing was added.
            BadInputError: a layer has another width.
        """
        length = max(window.stop - window.start for window in windows) + len(self._before) + len(self._behind)
        at_once = max(1, CACHED_SUBWORDS // length) if self.device.type == "cpu" else len(windows)
        found = []
        try:
            for start in range(0, len(windows), at_once):
                part = windows[start : start + at_once]
                batch = _batch(part, self._sentences, self._before, self._behind, length, self._padding)
                found.append((batch.groups, _member_states(self._states, batch, self.device)))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise _OutOfMemoryError from None
        for groups, members in found:
            self._counts.index_add_(0, groups, torch.ones(len(groups), 1))
            where = _copied(groups, self.device)
            for layer, rows in members.items():
                self._check_width(layer, rows)
                _add_rows(self._sums[layer], where, rows)

    def means(self) -> dict[int, Float[Tensor, "group neuron"]]:
        """Turn the sums into means, and return them by layer."""
        return {layer: total.div_(self._counts.to(self.device)) for layer, total in self._sums.items()}

    def _check_width(self, layer: int, rows: Float32[Tensor, "member neuron"]) -> None:
        expected = self._sums[layer].shape[1]
        if rows.shape[1] != expected:
            raise BadInputError(
                f"model_type {self._model.config.model_type!r}: layer {layer} has {rows.shape[1]} neurons, others "
                f"{expected}; expected layers of one width"
            )


def _add_halves(sums: _Sums, windows: list[_Window], batch_tokens: int) -> None:
    """Add one half of a batch after the other.

    Args:
        sums: to which they are added.
        windows: the batch.
        batch_tokens: its budget, for errors.

    Raises:
        BadInputError: a half does not fit into memory either.
    """
    if sums.device.type == "cuda":
        torch.cuda.empty_cache()
    middle = len(windows) // 2
    try:
        if not middle:
            raise _OutOfMemoryError
        sums.add(windows[:middle])
        sums.add(windows[middle:])
    except _OutOfMemoryError:
        raise BadInputError(
            f"out of memory: half of a batch of {batch_tokens} sub-words is still too large; "
            f"expected batch_tokens (POLYPROBE_BATCH_TOKENS) below {batch_tokens // 2}"
        ) from None


def length_limit(model: Any, tokenizer: Any) -> int | None:
    """Return the most sub-words that a model takes at once, special ones counted; None where nothing says.

    Args:
        model: a base model of transformers.
        tokenizer: its tokenizer.
    """
    limits = [getattr(model.config, name, None) for name in ("max_position_embeddings", "n_positions", "seq_length")]
    limits.append(tokenizer.model_max_length)
    # RoBERTa's kin number positions from behind the padding index.
    limits += [
        module.num_embeddings - module.padding_idx - 1
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None
    ]
    return min((int(limit) for limit in limits if limit and 0 < limit < NO_LIMIT), default=None)


def count_split(
    sentences: Sequence[Groups], special_tokens: tuple[list[int], list[int]], max_length: int | None
) -> int:
    """Return how many sentences are longer than the model's limit.

    Args:
        sentences: sub-words, special ones not counted.
        special_tokens: put before and behind each window.
        max_length: the model's limit, special sub-words counted; None for no limit.
    """
    room = (max_length or NO_LIMIT) - sum(map(len, special_tokens))
    return sum(len(sentence.ids) > room for sentence in sentences)


def _greatest(sentences: Sequence[Groups], special_tokens: tuple[list[int], list[int]]) -> int:
    every = [*(sentence.ids for sentence in sentences), *map(np.array, special_tokens)]
    return max((int(ids.max()) for ids in every if len(ids)), default=0)


def _windows(number: int, sentence: Groups, room: int) -> Iterator[_Window]:
    length = len(sentence.ids)
    stride = max(1, room // 2)
    margin = (room - stride) // 2
    start = used = 0
    while True:
        stop = min(start + room, length)
        use_to = stop if stop == length else start + stride + margin
        yield _Window(number, start, stop, used, use_to)
        if stop == length:
            return
        start, used = start + stride, use_to


def _batches(windows: list[_Window], specials: int, batch_tokens: int, padded: bool) -> Iterator[list[_Window]]:
    """Yield windows in descending length, as many at once as the budget holds with padding below half (one at least).

    Args:
        windows: all of them.
        specials: special sub-words that each window gets.
        batch_tokens: the budget: sub-words of a batch, padding included.
        padded: whether windows of several lengths may go together.
    """
    batch: list[_Window] = []
    longest = subwords = 0
    for window in sorted(windows, key=lambda window: window.start - window.stop):
        length = window.stop - window.start + specials
        size = (len(batch) + 1) * longest
        too_large = size > batch_tokens or size > 2 * (subwords + length)
        if batch and (too_large or (length < longest and not padded)):
            yield batch
            batch = []
        if not batch:
            longest, subwords = length, 0
        batch.append(window)
        subwords += length
    if batch:
        yield batch


def _batch(
    windows: list[_Window],
    sentences: Sequence[Groups],
    before: Int[np.ndarray, " subword"],
    behind: Int[np.ndarray, " other_subword"],
    length: int,
    padding: int,
) -> _Batch:
    rows = [np.concatenate([before, sentences[w.sentence].ids[w.start : w.stop], behind]) for w in windows]
    mask = np.arange(length) < np.array([len(row) for row in rows])[:, None]
    ids = np.full(mask.shape, padding, dtype=np.int64)
    ids[mask] = np.concatenate(rows)
    places, groups = [], []
    for row, window in enumerate(windows):
        sentence = sentences[window.sentence]
        inside = (sentence.positions >= window.use_from) & (sentence.positions < window.use_to)
        places.append(row * length + len(before) + sentence.positions[inside] - window.start)
        groups.append(sentence.groups[inside])
    return _Batch(
        torch.from_numpy(ids),
        torch.from_numpy(mask.astype(np.int64)),
        torch.from_numpy(np.concatenate(places)),
        torch.from_numpy(np.concatenate(groups)),
    )


def _member_states(
    states: LayerStates, batch: _Batch, device: torch.device
) -> dict[int, Float32[Tensor, "member neuron"]]:
    with library_errors(f"expected a model that runs on {batch.ids.shape[1]} sub-words, as its config.json says"):
        found = states(_copied(batch.ids, device), _copied(batch.mask, device))
    places = _copied(batch.places, device)
    return {layer: state.flatten(0, 1)[places].float() for layer, state in found.items()}


def _add_rows(
    sums: Float32[Tensor, "group neuron"], groups: Int[Tensor, " member"], rows: Float32[Tensor, "member neuron"]
) -> None:
    """Add each row to its group's sum, always in the same order."""
    if sums.device.type == "cpu":
        sums.index_add_(0, groups, rows)
    else:  # where index_add_ adds in any order, and this one sorts
        sums.index_put_((groups,), rows, accumulate=True)


def _copied(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on the device; the CPU does not wait for a GPU."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
