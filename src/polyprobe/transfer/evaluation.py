"""Predictions for many examples: batches of similar length, no gradient."""

from typing import Any

import torch

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
    """The predicted label number of each item of each example, in the examples' order.

    Args:
        batch_tokens: sub-words of one forward pass, padding included.
        dtype: the number format of the matrix products.
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
    """Whether the model tells the texts of a pair apart, as BERT does and RoBERTa, with a single segment, does not.

    Its embeddings say so: GPT-2 takes `token_type_ids` too, but adds the embeddings of those sub-words.
    """
    return any(
        name.endswith("token_type_embeddings") and len(module.weight) > 1 for name, module in model.named_modules()
    )


def pad(batch: list[Encoded], pad_token_id: int, *, segments: bool) -> dict[str, torch.Tensor]:
    """What a model is given of a batch, [example, subword], padded on the right.

    `input_ids` and `attention_mask` and, for a model with segments, `token_type_ids`.
    """
    rows = [example.input_ids for example in batch]
    inputs = {"input_ids": _padded(rows, pad_token_id), "attention_mask": _padded([[1] * len(row) for row in rows])}
    if segments:
        inputs["token_type_ids"] = _padded(
            [example.token_type_ids or [0] * len(example.input_ids) for example in batch]
        )
    return inputs


def _padded(rows: list[list[int]], filler: int = 0) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [filler] * (width - len(row)) for row in rows])


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
