"""QLoRA samples per second: `python benchmarks/fine_tuning.py [--model 1b7] [--steps N] [--batch-size N] [--tiny]`.

A BLOOM of the published shape with random weights is fine-tuned on synthetic sentence pairs as long as XNLI's, 32 to a
step, by our recipe (pairs of similar length together, padded to the longest of their batch, activations kept) and by
the plain one (random order, padded to 128 sub-words, activations computed again for the gradient, batches of 8
accumulated 4 times). Both have the same 4-bit model, adapter, optimiser and pairs. Each runs in a process of its own;
then come the samples per second after the first step, the largest memory, both loss curves, and the ratio.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch
import transformers

from _machine import machine
from polyprobe.checkpoints.location import Location
from polyprobe.study import Lora, Task
from polyprobe.transfer import TASKS, Encoded
from polyprobe.transfer import model as models
from polyprobe.transfer.evaluation import pad
from polyprobe.transfer.training import Training, train

SHAPES: Final = {
    "tiny": {"vocab_size": 320, "hidden_size": 64, "n_layer": 2, "n_head": 4},
    "560m": {"vocab_size": 250_880, "hidden_size": 1024, "n_layer": 24, "n_head": 16},
    "1b1": {"vocab_size": 250_880, "hidden_size": 1536, "n_layer": 24, "n_head": 16},
    "1b7": {"vocab_size": 250_880, "hidden_size": 2048, "n_layer": 24, "n_head": 16},
}
A_STEP, LONGEST, PADDING, SIGNS = 32, 128, 3, (4, 5, 6)
RECIPES: Final = ("plain", "ours")


class Clock(transformers.TrainerCallback):
    """The time at which each step ended, and its loss."""

    times: Final[list[float]] = []
    losses: Final[list[float]] = []

    def on_step_end(self, arguments: Any, state: Any, control: Any, **rest: Any) -> None:
        """Note the time, once the GPU, where there is one, has ended the step.

        Args:
            arguments: the trainer's, not used.
            state: the trainer's, not used.
            control: the trainer's, not used.
            **rest: what else the trainer hands over, not used.
        """
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())

    def on_log(self, arguments: Any, state: Any, control: Any, logs: dict[str, float], **rest: Any) -> None:
        """Note the loss of one step.

        Args:
            arguments: the trainer's, not used.
            state: the trainer's, not used.
            control: the trainer's, not used.
            logs: what is logged; of a step, its loss among it.
            **rest: what else the trainer hands over, not used.
        """
        if "loss" in logs:
            self.losses.append(logs["loss"])


def pairs(count: int, vocabulary: int) -> list[Encoded]:
    """Make up pairs of random sub-words, as long as XNLI's.

    Half of them have more than 33 sub-words, few more than 100; the last sub-word is the label's sign.

    Args:
        count: pairs.
        vocabulary: sub-words of the model.
    """
    generator = np.random.default_rng(0)
    lengths = np.clip(np.exp(generator.normal(np.log(33), 0.5, count)), 8, LONGEST).astype(int)
    labels = generator.integers(0, 3, count)
    return [
        Encoded(
            [*generator.integers(7, vocabulary, length - 1).tolist(), SIGNS[label]], [int(label)], [int(length) - 1]
        )
        for length, label in zip(lengths, labels, strict=True)
    ]


def ours(model: Any, examples: list[Encoded], options: argparse.Namespace, dtype: torch.dtype, scratch: Path) -> None:
    """Fine-tune as `finetune_xnli` does.

    Args:
        model: with head and adapter; is trained.
        examples: the pairs.
        options: of the command line.
        dtype: that the model computes in.
        scratch: a folder for what is half-done.
    """
    settings = Task(
        folder=None, languages=["qaa"], train_examples=None, epochs=1, learning_rate=options.learning_rate,
        batch_size=options.batch_size, gradient_accumulation=A_STEP // options.batch_size, max_length=LONGEST,
        evaluate_every=options.steps, weight_decay=0.0, max_gradient_norm=1.0, max_train=None, max_test=None,
    )  # fmt: skip
    training = Training("xnli", TASKS["xnli"], settings, pad_token_id=PADDING, dtype=dtype, seed=0, scratch=scratch)
    train(model, examples, training, lambda model: 0.0)


def plain(model: Any, examples: list[Encoded], options: argparse.Namespace, dtype: torch.dtype, scratch: Path) -> None:
    """Fine-tune by the released code's recipe.

    Args:
        model: with head and adapter; is trained.
        examples: the pairs.
        options: of the command line.
        dtype: that the model computes in.
        scratch: a folder for the trainer's output.
    """
    device = next(model.parameters()).device
    arguments = transformers.TrainingArguments(
        output_dir=str(scratch), num_train_epochs=1, per_device_train_batch_size=8, gradient_accumulation_steps=4,
        learning_rate=options.learning_rate, lr_scheduler_type="linear", weight_decay=0.0, optim="adamw_torch",
        bf16=dtype == torch.bfloat16, use_cpu=device.type == "cpu", activation_checkpointing=True,
        activation_checkpointing_kwargs={"use_reentrant": False}, logging_steps=1, save_strategy="no", report_to=[],
        disable_tqdm=True, remove_unused_columns=False, dataloader_pin_memory=device.type == "cuda", seed=0,
    )  # fmt: skip

    def collate(batch: list[Encoded]) -> dict[str, torch.Tensor]:
        inputs = pad([*batch, Encoded([PADDING] * LONGEST, [], [])], PADDING, segments=False)
        return {name: rows[:-1] for name, rows in inputs.items()} | {
            "labels": torch.tensor([example.labels[0] for example in batch])
        }

    trainer = transformers.Trainer(model=model, args=arguments, data_collator=collate, train_dataset=examples)
    trainer.model_accepts_loss_kwargs = False
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()


def measure(recipe: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fine-tune by one recipe.

    Args:
        recipe: one of `RECIPES`.
        options: of the command line.

    Returns:
        Samples per second after the first step, bytes of memory, losses.
    """
    lora = Lora(
        rank=8, alpha=32, dropout=0.05, targets=None, quantisation=options.quantisation, compute_dtype="bfloat16"
    )
    weights = Location(options.weights, options.weights)
    model = models.load_with_head(weights, TASKS["xnli"], lora, PADDING, seed=0, device=options.device)
    model = models.with_new_adapter(model, TASKS["xnli"], lora, seed=0)
    examples = pairs(A_STEP * options.steps, SHAPES[options.model]["vocab_size"])
    transformers.trainer.DEFAULT_CALLBACKS.append(Clock)
    with TemporaryDirectory() as scratch:
        {"ours": ours, "plain": plain}[recipe](
            model, examples, options, getattr(torch, lora.compute_dtype), Path(scratch)
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "samples_per_second": A_STEP * (options.steps - 1) / (Clock.times[-1] - Clock.times[0]),
        "memory": torch.cuda.max_memory_allocated() if options.device.startswith("cuda") else memory,
        "losses": Clock.losses,
    }


def write_weights(model: str, folder: Path) -> None:
    """Write a BLOOM of the shape with random weights in bfloat16.

    Args:
        model: a key of `SHAPES`.
        folder: takes weights and config.
    """
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    transformers.BloomForCausalLM(
        transformers.BloomConfig(
            **SHAPES[model], unk_token_id=0, bos_token_id=1, eos_token_id=2, pad_token_id=PADDING, use_cache=False
        )
    ).save_pretrained(folder)
    torch.set_default_dtype(torch.float32)


def main() -> None:
    """Measure both recipes and print what they do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SHAPES, default="560m")
    parser.add_argument("--tiny", action="store_true", help="the smallest shape and few steps")
    parser.add_argument("--steps", type=int, help="optimiser steps of 32 pairs; 60 on a GPU, 2 without one by default")
    parser.add_argument("--batch-size", type=int, choices=[1, 2, 4, 8, 16, 32], help="of our recipe; 32 on a GPU, or 8")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--quantisation", choices=["nf4", "none"], default="nf4")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--recipe", choices=RECIPES, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    gpu = options.device.startswith("cuda")
    options.model = "tiny" if options.tiny else options.model
    options.steps = options.steps or (3 if options.tiny else 60 if gpu else 2)
    options.batch_size = options.batch_size or (32 if gpu else 8)
    if options.recipe:
        print(json.dumps(measure(options.recipe, options)))
        return

    found = {}
    with TemporaryDirectory() as folder:
        write_weights(options.model, Path(folder))
        for recipe in RECIPES:
            command = [sys.executable, __file__, "--recipe", recipe, "--weights", folder, "--model", options.model]
            for name in ("steps", "batch_size", "learning_rate", "quantisation", "device"):
                command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[recipe] = json.loads(done.stdout.splitlines()[-1])
    lengths = [len(pair.input_ids) for pair in pairs(A_STEP * options.steps, SHAPES[options.model]["vocab_size"])]
    print(machine())
    print(
        f"bloom-{options.model}, {options.quantisation}, {len(lengths)} pairs of {np.mean(lengths):.0f} sub-words "
        f"({max(lengths)} at most), {options.steps} steps"
    )
    for recipe, result in found.items():
        points = [f"{np.mean(part):.3f}" for part in np.array_split(result["losses"], min(8, options.steps))]
        batch = f"{options.batch_size} x {A_STEP // options.batch_size}" if recipe == "ours" else "8 x 4"
        print(
            f"{recipe}, batch {batch}: {result['samples_per_second']:.2f} pairs per second, "
            f"{result['memory'] / 2**30:.2f} GiB at most, loss {' '.join(points)}"
        )
    ratio = found["ours"]["samples_per_second"] / found["plain"]["samples_per_second"]
    print(f"ratio: {ratio:.1f}")


if __name__ == "__main__":
    main()
