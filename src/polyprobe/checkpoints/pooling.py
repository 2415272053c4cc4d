"""Hidden states of sub-words, averaged over groups of them, in batches of sentences of like length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from polyprobe.checkpoints.tokenising import NO_LIMIT
from polyprobe.running.progress import progress


@dataclass(frozen=True)
class Groups:
    """One sentence's sub-words and the groups of them that are averaged."""

    ids: list[int]
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
    description: str,
) -> dict[int, Float[Tensor, "group neuron"]]:
    """The mean hidden state of each group at each layer, in float32 on the CPU.

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
        description: for the progress bar.
    """
    before, behind = special_tokens
    room = (max_length or NO_LIMIT) - len(before) - len(behind)
    windows = [window for number, sentence in enumerate(sentences) for window in _windows(number, sentence, room)]
    device = next(model.parameters()).device
    padding = model.config.pad_token_id or 0
    sums = {layer: torch.zeros(groups, model.config.hidden_size) for layer in layers}
    counts = torch.zeros(groups, 1)
    batches = list(_batches(windows, len(before) + len(behind), batch_tokens))
    for batch in progress(batches, description=description, unit="batch"):
        rows = [before + sentences[window.sentence].ids[window.start : window.stop] + behind for window in batch]
        ids, mask = _padded(rows, padding)
        with torch.inference_mode():
            output = model(
                input_ids=ids.to(device), attention_mask=mask.to(device), output_hidden_states=True, use_cache=False
            )
        flat, group = _members(batch, sentences, len(before), ids.shape[1])
        counts.index_add_(0, group, torch.ones(len(group), 1))
        for layer in layers:
            states = output.hidden_states[layer - 1].flatten(0, 1)[flat.to(device)]
            # Summed on the CPU, where the order of the additions is fixed.
            sums[layer].index_add_(0, group, states.to("cpu", torch.float32))
    return {layer: total / counts for layer, total in sums.items()}


def length_limit(model: Any, tokenizer: Any) -> int | None:
    """The most sub-words that a model takes at once, special ones counted; None where nothing says."""
    limits = [getattr(model.config, name, None) for name in ("max_position_embeddings", "n_positions", "seq_length")]
    limits.append(tokenizer.model_max_length)
    # RoBERTa's kin number positions from behind the padding index.
    limits += [
        module.num_embeddings - module.padding_idx - 1
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None
    ]
    return min((int(limit) for limit in limits if limit and limit < NO_LIMIT), default=None)


def count_split(
    sentences: Sequence[Groups], special_tokens: tuple[list[int], list[int]], max_length: int | None
) -> int:
    """How many sentences are longer than the model's limit."""
    room = (max_length or NO_LIMIT) - sum(map(len, special_tokens))
    return sum(len(sentence.ids) > room for sentence in sentences)


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


def _batches(windows: list[_Window], specials: int, batch_tokens: int) -> Iterator[list[_Window]]:
    """Windows in descending length, as many at once as the budget holds (one at least)."""
    batch: list[_Window] = []
    longest = 0
    for window in sorted(windows, key=lambda window: window.start - window.stop):
        if batch and (len(batch) + 1) * longest > batch_tokens:
            yield batch
            batch = []
        if not batch:
            longest = window.stop - window.start + specials
        batch.append(window)
    if batch:
        yield batch


def _padded(
    rows: list[list[int]], padding: int
) -> tuple[Int[Tensor, "sentence subword"], Int[Tensor, "sentence subword"]]:
    ids = torch.full((len(rows), max(map(len, rows))), padding)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    return ids, mask


def _members(
    batch: list[_Window], sentences: Sequence[Groups], before: int, length: int
) -> tuple[Int[Tensor, " member"], Int[Tensor, " member"]]:
    """For each membership in a batch: its place in the flattened hidden states, and its group."""
    places, groups = [], []
    for row, window in enumerate(batch):
        sentence = sentences[window.sentence]
        inside = (sentence.positions >= window.use_from) & (sentence.positions < window.use_to)
        places.append(row * length + before + sentence.positions[inside] - window.start)
        groups.append(sentence.groups[inside])
    return torch.from_numpy(np.concatenate(places)), torch.from_numpy(np.concatenate(groups))
