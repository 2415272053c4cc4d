"""Predictions for many examples: batches of similar length, no gradient."""

from typing import Any

import torch

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
    """The predicted label number of each item of each example, in the examples' order.

    Args:
        batch_tokens: sub-words of one forward pass, padding included.
        dtype: the number format of the matrix products.
    """
    model.eval()
    device = next(model.parameters()).device
    predicted: list[list[int]] = [[]] * len(examples)
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype, enabled=dtype != torch.float32),
    ):
        for numbers in progress(_batches(examples, batch_tokens), description=description, unit="batch"):
            batch = [examples[number] for number in numbers]
            inputs = pad([example.input_ids for example in batch], pad_token_id)
            logits = model(**{name: tensor.to(device) for name, tensor in inputs.items()}).logits
            for number, items in zip(numbers, task.predictions(logits.float(), batch), strict=True):
                predicted[number] = items
    return predicted


def pad(rows: list[list[int]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` [example, subword], padded on the right."""
    width = max(map(len, rows))
    return {
        "input_ids": torch.tensor([row + [pad_token_id] * (width - len(row)) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
    }


def _batches(examples: list[Encoded], batch_tokens: int) -> list[list[int]]:
    """Numbers of examples of similar length, the longest batch first, so that memory runs out early if it does."""
    order = sorted(range(len(examples)), key=lambda number: -len(examples[number].input_ids))
    batches: list[list[int]] = []
    for number in order:
        longest = len(examples[batches[-1][0]].input_ids) if batches else 0
        if batches and (len(batches[-1]) + 1) * longest <= batch_tokens:
            batches[-1].append(number)
        else:
            batches.append([number])
    return batches
