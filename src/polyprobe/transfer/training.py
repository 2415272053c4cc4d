"""Training of adapter and head by transformers' Trainer: the best step on the dev set is kept, a killed run goes on."""

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from transformers.trainer_pt_utils import get_length_grouped_indices
from transformers.trainer_utils import get_last_checkpoint

from polyprobe.checkpoints.boundary import quiet_transformers
from polyprobe.running.seeds import derive_seed
from polyprobe.study import Task
from polyprobe.transfer.curves import Curves
from polyprobe.transfer.evaluation import has_segments, pad, padded
from polyprobe.transfer.examples import NO_TARGET, Encoded
from polyprobe.transfer.processes import processes, share_of_a_step
from polyprobe.transfer.tasks import TransferTask

_SAVED: Final = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state*.pth")


@dataclass(frozen=True)
class Training:
    """How an adapter is trained."""

    name: str
    """The task's."""
    task: TransferTask
    settings: Task
    pad_token_id: int
    dtype: torch.dtype
    """In which the model computes."""
    seed: int
    scratch: Path
    """Where to save at each evaluation, and to go on from; takes the curves too."""


def train(model: Any, examples: list[Encoded], training: Training, dev_score: Callable[[Any], float]) -> int:
    """Train the adapter and head in place; they end as they were at the best step.

    AdamW with linear decay to 0 and no warm-up, gradients clipped (fidelity row 25).

    Args:
        model: one with a new adapter and head.
        examples: those of the training set.
        training: how to train.
        dev_score: the model's score on the dev set, asked for every `settings.evaluate_every` steps, and at the last
            step at least once.

    Returns:
        The best optimiser step, the first one of several equals.

    Raises:
        BadInputError: several processes cannot share a step.
    """
    device = next(model.parameters()).device
    state = processes(device.type)
    trainer = _trainer(model, examples, training, _arguments(len(examples), training, device, state.num_processes))
    trainer.dev_score = dev_score
    if state.is_main_process:
        _remove_unfinished(training.scratch)
    state.wait_for_everyone()
    with quiet_transformers():
        trainer.train(resume_from_checkpoint=get_last_checkpoint(training.scratch))
    return int(trainer.state.best_global_step)


def _arguments(
    examples: int, training: Training, device: torch.device, num_processes: int
) -> transformers.TrainingArguments:
    settings = training.settings
    batches = math.ceil(examples / settings.batch_size)
    steps = math.ceil(batches / settings.gradient_accumulation) * settings.epochs
    every = min(settings.evaluate_every, steps)
    batch_size, accumulation = share_of_a_step(training.name, settings, num_processes)
    arguments = transformers.TrainingArguments(
        output_dir=str(training.scratch),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=batch_size,
        gradient_accumulation_steps=accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        optim="adamw_torch",
        bf16=training.dtype == torch.bfloat16,
        use_cpu=device.type == "cpu",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        # The best and the last: a run that is stopped while it tests has nothing to train again.
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="score",
        greater_is_better=True,
        logging_strategy="steps",
        logging_steps=1,
        report_to=[],
        disable_tqdm=not sys.stderr.isatty(),
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        ddp_find_unused_parameters=False,
        seed=training.seed,
    )
    # One process computes on one GPU: Trainer would share each batch among all that it sees.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _trainer(
    model: Any, examples: list[Encoded], training: Training, arguments: transformers.TrainingArguments
) -> "_Trainer":
    segments = has_segments(model)

    def collate(batch: list[Encoded]) -> dict[str, torch.Tensor]:
        targets: list[Any] = [training.task.targets(example) for example in batch]
        labels = padded(targets, NO_TARGET) if isinstance(targets[0], list) else torch.tensor(targets)
        return pad(batch, training.pad_token_id, segments=segments) | {"labels": labels}

    trainer = _Trainer(
        model=model,
        args=arguments,
        data_collator=collate,
        train_dataset=examples,
        eval_dataset=examples[:1],
        callbacks=[Curves(training.scratch)],
    )
    trainer.group = training.settings.batch_size * training.settings.gradient_accumulation
    # Heads take the mean loss of their batch whatever they are told, so that Trainer must scale it.
    trainer.model_accepts_loss_kwargs = False
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


class _LengthGroupedSampler(torch.utils.data.Sampler[int]):
    """Examples of similar length together, in an order that only the seed and the epoch decide.

    The order must not hang on torch's global generator, as that of transformers' own sampler does: a run that goes on
    would see another order.
    """

    def __init__(self, lengths: list[int], group: int, seed: int) -> None:
        self.lengths = lengths
        self.group = group
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", self.epoch))
        yield from get_length_grouped_indices(self.lengths, self.group, generator=generator)


class _Trainer(transformers.Trainer):  # type: ignore[misc]
    """Trainer with our sampler and our score on the dev set."""

    dev_score: Callable[[Any], float]
    group: int
    """Examples of a step."""

    def _get_train_sampler(self, train_dataset: Any = None) -> _LengthGroupedSampler:
        lengths = [len(example.input_ids) for example in self.train_dataset]
        return _LengthGroupedSampler(lengths, self.group, self.args.seed)

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        metrics = {"eval_score": self.dev_score(self.model)}
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def _remove_unfinished(scratch: Path) -> None:
    """Remove saves that were not written, or removed, to their end; the state is written last."""
    for folder in scratch.glob("checkpoint-*"):
        try:
            json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
            whole = all(any(folder.glob(pattern)) for pattern in _SAVED)
        except (OSError, ValueError):
            whole = False
        if not whole:
            shutil.rmtree(folder)
