"""Predictions for many examples: batches of similar length, no gradient."""

from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from polyprobe.checkpoints.boundary import library_errors
from polyprobe.running.progress import progress
from polyprobe.transfer.examples import Encoded
from polyprobe.transfer.tasks import TransferTask


def predict(
    model: Any,
    task: TransferTask,
    examples: list[Encoded],
    *,
    pad_token_id: int,
    batch_tokens: int,
    dtype: torch.dtype,
    description: str,
) -> list[list[int]]:
    """Return the predicted label number of each item of each example, in the examples' order.

    Args:
        model: one with the task's head; it is put into evaluation mode.
        task: what turns the head's output into predictions.
        examples: as the task encodes them.
        pad_token_id: what shorter examples of a batch are filled up with.
        batch_tokens: at most so many sub-words in one forward pass, padding included, where it has several examples.
        dtype: the number format of the matrix products.
        description: the text before the progress bar, and of an error.

    Raises:
        BadInputError: the model does not run on as many sub-words as an example has; that memory does not suffice is
            raised as the library raises it.
    """
    model.eval()
    device = next(model.parameters()).device
    segments = has_segments(model)
    predicted: list[list[int]] = [[]] * len(examples)
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype, enabled=dtype != torch.float32),
    ):
        for numbers in progress(_batches(examples, batch_tokens), description=description, unit="batch"):
            batch = [examples[number] for number in numbers]
            inputs = pad(batch, pad_token_id, segments=segments)
            subwords = inputs["input_ids"].shape[1]
            with library_errors(f"{description}: expected a model that runs on {subwords} sub-words"):
                logits = model(**{name: tensor.to(device) for name, tensor in inputs.items()}).logits
            for number, items in zip(numbers, task.predictions(logits.float(), batch), strict=True):
                predicted[number] = items
    return predicted


def has_segments(model: Any) -> bool:
    """Return whether the model tells the texts of a pair apart: BERT does; RoBERTa, with a single segment, does not.

    Its embeddings say so: GPT-2 takes `token_type_ids` too, but adds the embeddings of those sub-words.
    """
    return any(
        name.endswith("token_type_embeddings") and len(module.weight) > 1 for name, module in model.named_modules()
    )


def pad(batch: list[Encoded], pad_token_id: int, *, segments: bool) -> dict[str, torch.Tensor]:
    """Return what a model is given of a batch, padded on the right.

    Args:
        batch: the examples, of any lengths.
        pad_token_id: what shorter examples are filled up with.
        segments: whether the model has segments, as `has_segments` tells.

    Returns:
        `input_ids` and `attention_mask` and, for a model with segments, `token_type_ids`, each [example, subword].
    """
    rows = [example.input_ids for example in batch]
    inputs = {"input_ids": padded(rows, pad_token_id), "attention_mask": padded([[1] * len(row) for row in rows], 0)}
    if segments:
        types = [example.token_type_ids or [0] * len(example.input_ids) for example in batch]
        inputs["token_type_ids"] = padded(types, 0)
    return inputs


def padded(rows: list[list[int]], filler: int) -> torch.Tensor:
    """Return rows of numbers as one tensor, those that are shorter than others filled up behind.

    Args:
        rows: numbers of each example.
        filler: what fills up.
    """
    tensors = [torch.tensor(row, dtype=torch.long) for row in rows]
    return pad_sequence(tensors, batch_first=True, padding_value=filler)


def _batches(examples: list[Encoded], batch_tokens: int) -> list[list[int]]:
    """Group examples of similar length, the longest batch first, so that memory runs out early if it does.

    Args:
        examples: all that are to be grouped.
        batch_tokens: at most so many sub-words in a batch of several examples, padding included.

    Returns:
        The examples' numbers, per batch.
    """
    order = sorted(range(len(examples)), key=lambda number: -len(examples[number].input_ids))
    batches: list[list[int]] = []
    for number in order:
        longest = len(examples[batches[-1][0]].input_ids) if batches else 0
        if batches and (len(batches[-1]) + 1) * longest <= batch_tokens:
            batches[-1].append(number)
        else:
            batches.append([number])
    return batches
