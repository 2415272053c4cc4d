"""One checkpoint fine-tuned on the source language of one task and tested, zero-shot, on every language of it.

Several GPUs share the work under `accelerate launch -m polyprobe.stages.finetune_TASK CHECKPOINT`.
"""

import hashlib
import random
import shutil
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from polyprobe.artefacts import confusion, scores
from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.boundary import memory_errors
from polyprobe.checkpoints.loading import refuse_unknown_subwords
from polyprobe.checkpoints.location import Location, location_of
from polyprobe.running.code_version import code_version
from polyprobe.running.knobs import knobs
from polyprobe.running.machine import use_threads
from polyprobe.running.scratch import scratch_folder
from polyprobe.running.seeds import derive_seed
from polyprobe.study import Lora, Task
from polyprobe.transfer import model as models
from polyprobe.transfer import scoring
from polyprobe.transfer.curves import save_curves
from polyprobe.transfer.evaluation import predict
from polyprobe.transfer.examples import Encoded, Example
from polyprobe.transfer.layout import file_name
from polyprobe.transfer.memory import with_half_the_batch
from polyprobe.transfer.processes import device_of, output_folder, processes
from polyprobe.transfer.tasks import TASKS
from polyprobe.transfer.training import Training, train


def fine_tune(
    name: str,
    manifest: Manifest,
    settings: Task,
    lora: Lora,
    *,
    weights: Path,
    source: str,
    seed: int,
    seeds: int,
    data: Path,
    output: Path,
) -> None:
    """Write one checkpoint's adapters and zero-shot scores.

    They are `seed-<i>/` per seed (adapter, head and training curves), `scores.parquet` and `confusion.parquet`. A
    checkpoint that verify_checkpoints dropped gets empty tables and no adapter.

    Args:
        name: the task.
        manifest: the checkpoint's.
        settings: the task's.
        lora: how adapters are made, and whether the weights are quantised.
        weights: the study's `weights` of the checkpoint.
        source: the language whose train and dev sets are fine-tuned on.
        seed: the study's; each adapter's is derived from it, the task, the checkpoint and the adapter's number.
        seeds: how many adapters to train.
        data: the task's folder with `<split>-<language>.tsv`.
        output: the folder to write.

    Raises:
        BadInputError: a file of the task is missing or malformed, or memory does not suffice.
    """
    scored: list[dict[str, Any]] = []
    confused: list[dict[str, Any]] = []
    run = None if manifest.dropped else _Run(name, manifest, settings, lora, weights, source, seed, data)
    with output_folder(output, knobs().torch_device()) as folder:
        for index in range(seeds):
            if run:
                predicted = run.adapter(index, folder / f"seed-{index}")
                scored += [row | {"seed": index} for row in run.scores(predicted)]
                confused += [row | {"seed": index} for row in run.confusion(predicted)]
        for table, rows in ((scores.TABLE, scored), (confusion.TABLE, confused)):
            table.write(pd.DataFrame(rows, columns=table.schema.names), folder / table.path.name)
    if run:
        run.remove_scratch()


def load_fine_tuned(name: str, location: Location, lora: Lora, folder: Path) -> Any:
    """Load a fine-tuned model, in evaluation mode.

    Args:
        name: the task.
        location: where the checkpoint lies.
        lora: as in fine-tuning.
        folder: that of one of the checkpoint's adapters (`seed-<i>`).
    """
    pad_token_id, device = models.load_tokenizer(location).pad_token_id, knobs().torch_device()
    model = models.load_with_head(location, TASKS[name], lora, pad_token_id, seed=0, device=device)
    return models.with_saved_adapter(model, folder)


@dataclass(frozen=True)
class Predicted:
    """Label numbers that were predicted for the test examples of each language, and the step that was best."""

    trained: dict[str, list[list[int]]]
    untrained: dict[str, list[list[int]]]
    best_step: int


@dataclass(eq=False)
class _Run:
    """What the adapters of one checkpoint share: data as sub-words, and the baseline that needs no model."""

    name: str
    manifest: Manifest
    settings: Task
    lora: Lora
    weights: Path
    source: str
    seed: int
    data: Path

    def __post_init__(self) -> None:
        self.task, self.knobs = TASKS[self.name], knobs()
        self.device = device_of(self.knobs.torch_device())
        use_threads(self.knobs.threads)
        self.location = location_of(self.manifest, self.weights)
        tokenizer = models.load_tokenizer(self.location)
        self.pad_token_id = tokenizer.pad_token_id
        self.dtype: torch.dtype = getattr(torch, self.lora.compute_dtype)
        files = [self.data / file_name(split, self.source) for split in ("train", "dev")]

        def encoded(examples: list[Example], language: str) -> list[Encoded]:
            return self.task.encode(examples, tokenizer, self.settings, language)

        train_examples, dev_examples = (self.task.read(file) for file in files)
        # The same examples at every checkpoint.
        random.Random(derive_seed(self.seed, self.name, "train")).shuffle(train_examples)
        self.train = encoded(train_examples[: self.settings.max_train], self.source)
        self.dev = encoded(dev_examples, self.source)
        self.tests = {
            language: encoded(
                self.task.read(self.data / file_name("test", language))[: self.settings.max_test], language
            )
            for language in self.settings.languages
        }
        counts = Counter(label for example in self.train for label in example.labels)
        self.most_frequent = max(range(len(self.task.LABELS)), key=lambda label: counts[label])
        determines = {
            "weights": self.manifest.weights_sha256,
            "config": self.manifest.config_sha256,
            "tokenizer": self.manifest.tokenizer_sha256,
            "data": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
            "settings": self.settings.model_dump(mode="json"),
            "lora": self.lora.model_dump(mode="json"),
            "seed": self.seed,
            "device": torch.device(self.device).type,
            "threads": self.knobs.threads,
            "code": code_version("transfer", "checkpoints", "running"),
        }
        self.scratch = scratch_folder(f"{self.name}-{self.manifest.checkpoint}", determines)

    def adapter(self, index: int, folder: Path) -> Predicted:
        """Train and save one adapter, and return what it predicts.

        Args:
            index: the adapter's number, from 0.
            folder: where to save it, with its training curves.

        Raises:
            BadInputError: memory does not suffice.
        """
        seed = derive_seed(self.seed, self.name, self.manifest.checkpoint, index)
        scratch = self.scratch / folder.name
        state = processes(self.device)
        model, predicted = with_half_the_batch(
            self.name,
            self.settings,
            lambda settings: self._trained(settings, seed, scratch),
            alone=state.num_processes == 1,
        )
        models.save_adapter(model, folder, f"{self.manifest.model}, weights sha256 {self.manifest.weights_sha256}")
        if state.is_main_process:
            save_curves(scratch, folder)
        return predicted

    def remove_scratch(self) -> None:
        """Remove what was kept to go on from; to be called when the output is whole."""
        state = processes(self.device)
        state.wait_for_everyone()
        if state.is_main_process:
            shutil.rmtree(self.scratch)

    def _trained(self, settings: Task, seed: int, scratch: Path) -> tuple[Any, Predicted]:
        """Return a model with a trained adapter, and what it predicts.

        Args:
            settings: the task's, or the same with half the batch.
            seed: the adapter's.
            scratch: where to save what a killed run goes on from.

        Raises:
            BadInputError: memory does not suffice for predictions.
        """
        model = models.load_with_head(
            self.location, self.task, self.lora, self.pad_token_id, seed=seed, device=self.device
        )
        examples = chain(self.train, self.dev, *self.tests.values())
        refuse_unknown_subwords(model, max(max(example.input_ids, default=0) for example in examples))
        model = models.with_new_adapter(model, self.task, self.lora, seed=seed)
        untrained = self._test(model, "untrained")
        training = Training(
            name=self.name,
            task=self.task,
            settings=settings,
            pad_token_id=self.pad_token_id,
            dtype=self.dtype,
            seed=seed,
            scratch=scratch,
        )
        best_step = train(model, self.train, training, self._dev_score)
        return model, Predicted(self._test(model, "fine-tuned"), untrained, best_step)

    def scores(self, predicted: Predicted) -> list[dict[str, Any]]:
        """Return the rows of `artefacts.scores` but for the seed."""
        rows = []
        for language, examples in self.tests.items():
            gold = [example.labels for example in examples]
            majority = [[self.most_frequent] * len(labels) for labels in gold]
            trained, untrained, chance = (
                scoring.task_scores(gold, guesses, self.task.LABELS, self.task.METRICS)
                for guesses in (predicted.trained[language], predicted.untrained[language], majority)
            )
            for metric in self.task.METRICS:
                low, high = trained[metric].interval()
                rows.append(
                    {
                        "language": language,
                        "metric": metric,
                        "score": trained[metric].value,
                        "standard_error": trained[metric].standard_error,
                        "low": low,
                        "high": high,
                        "majority": chance[metric].value,
                        "untrained": untrained[metric].value,
                        "items": sum(map(len, gold)),
                        "best_step": predicted.best_step,
                    }
                )
        return rows

    def confusion(self, predicted: Predicted) -> list[dict[str, Any]]:
        """Return the rows of `artefacts.confusion` but for the seed."""
        return [
            {"language": language, "gold": gold, "predicted": guess, "count": count}
            for language, examples in self.tests.items()
            for (gold, guess), count in scoring.confusion(
                [example.labels for example in examples], predicted.trained[language], self.task.LABELS
            ).items()
        ]

    def _test(self, model: Any, description: str) -> dict[str, list[list[int]]]:
        return {
            language: self._predict(model, examples, f"{self.name} {description} {language}")
            for language, examples in self.tests.items()
        }

    def _dev_score(self, model: Any) -> float:
        gold = [example.labels for example in self.dev]
        metric = self.task.METRICS[0]
        predicted = self._predict(model, self.dev, f"{self.name} dev")
        return scoring.task_scores(gold, predicted, self.task.LABELS, [metric])[metric].value

    def _predict(self, model: Any, examples: list[Encoded], description: str) -> list[list[int]]:
        batch_tokens = self.knobs.batch_tokens
        with memory_errors(f"{description}: out of memory, expected POLYPROBE_BATCH_TOKENS below {batch_tokens}"):
            return predict(
                model,
                self.task,
                examples,
                pad_token_id=self.pad_token_id,
                batch_tokens=batch_tokens,
                dtype=self.dtype,
                description=description,
            )
