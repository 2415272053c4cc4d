"""Hidden states of sub-words, averaged over groups of them, in batches of sentences of like length."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from accelerate.utils.memory import clear_device_cache
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
            if not sums.add(batch):
                clear_device_cache()
                middle = len(batch) // 2
                if not (middle and sums.add(batch[:middle]) and sums.add(batch[middle:])):
                    raise BadInputError(
                        f"out of memory: half of a batch of {batch_tokens} sub-words is still too large; "
                        f"expected batch_tokens (POLYPROBE_BATCH_TOKENS) below {batch_tokens // 2}"
                    )
            advance(sum(window.start == 0 for window in batch))
    return sums.means()


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
        self._states, self._device = LayerStates(model, layers), next(model.parameters()).device
        self._padding = getattr(model.config, "pad_token_id", None) or 0
        self._sums = {layer: torch.zeros(groups, model.config.hidden_size, device=self._device) for layer in layers}
        self._counts = torch.zeros(groups, 1)

    def add(self, windows: list[_Window]) -> bool:
        """Add the states of a batch.

        Returns:
            Whether memory suffices; nothing was added where it does not.

        Raises:
            BadInputError: a layer has another width.
        """
        length = max(window.stop - window.start for window in windows) + len(self._before) + len(self._behind)
        at_once = max(1, CACHED_SUBWORDS // length) if self._device.type == "cpu" else len(windows)
        try:
            found = [
                self._members(windows[start : start + at_once], length) for start in range(0, len(windows), at_once)
            ]
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            return False
        for groups, members in found:
            self._counts.index_add_(0, groups, torch.ones(len(groups), 1))
            where = _copied(groups, self._device)
            for layer, rows in members.items():
                self._check_width(layer, rows)
                _add_rows(self._sums[layer], where, rows)
        return True

    def means(self) -> dict[int, Float[Tensor, "group neuron"]]:
        """Turn the sums into means, and return them by layer."""
        return {layer: total.div_(self._counts.to(self._device)) for layer, total in self._sums.items()}

    def _members(
        self, windows: list[_Window], length: int
    ) -> tuple[Int[Tensor, " member"], dict[int, Float32[Tensor, "member neuron"]]]:
        """Run the model on some windows.

        Args:
            windows: those that go through the model at once.
            length: sub-words that each of them is padded to, special ones counted.

        Returns:
            For each membership of a sub-word in a group, the group and, by layer, the sub-word's state.
        """
        rows = [
            np.concatenate(
                [self._before, self._sentences[window.sentence].ids[window.start : window.stop], self._behind]
            )
            for window in windows
        ]
        mask = np.arange(length) < np.array([len(row) for row in rows])[:, None]
        ids = np.full(mask.shape, self._padding, dtype=np.int64)
        ids[mask] = np.concatenate(rows)
        # Places in the states of all windows, one window after the other.
        places, groups = [], []
        for row, window in enumerate(windows):
            sentence = self._sentences[window.sentence]
            inside = (sentence.positions >= window.use_from) & (sentence.positions < window.use_to)
            places.append(row * length + len(self._before) + sentence.positions[inside] - window.start)
            groups.append(sentence.groups[inside])
        inputs = [_copied(torch.from_numpy(array), self._device) for array in (ids, mask.astype(np.int64))]
        with library_errors(f"expected a model that runs on {length} sub-words, as its config.json says"):
            found = self._states(*inputs)
        members = _copied(torch.from_numpy(np.concatenate(places)), self._device)
        states = {layer: state.flatten(0, 1)[members].float() for layer, state in found.items()}
        return torch.from_numpy(np.concatenate(groups)), states

    def _check_width(self, layer: int, rows: Float32[Tensor, "member neuron"]) -> None:
        expected = self._sums[layer].shape[1]
        if rows.shape[1] != expected:
            raise BadInputError(
                f"model_type {self._model.config.model_type!r}: layer {layer} has {rows.shape[1]} neurons, others "
                f"{expected}; expected layers of one width"
            )


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
