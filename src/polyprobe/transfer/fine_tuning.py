"""One checkpoint fine-tuned on the source language of one task and tested, zero-shot, on every language of it."""

import hashlib
import random
import shutil
from pathlib import Path
from typing import Any

from polyprobe.artefacts.manifest import Manifest
from polyprobe.running.files import new_folder
from polyprobe.running.knobs import knobs
from polyprobe.running.scratch import scratch_folder
from polyprobe.running.seeds import derive_seed
from polyprobe.running.threads import use_threads
from polyprobe.study import Lora, Task
from polyprobe.transfer.examples import Encoded, Example
from polyprobe.transfer.layout import file_name
from polyprobe.transfer.tasks import TASKS


def fine_tune(
    name: str,
    manifest: Manifest,
    settings: Task,
    lora: Lora,
    *,
    source: str,
    seed: int,
    seeds: int,
    data: Path,
    output: Path,
) -> None:
    """Writes one checkpoint's adapters and zero-shot scores: `seed-<i>/` per seed and `scores.parquet`.

    A checkpoint that verify_checkpoints dropped gets an empty table and no adapter.

    Args:
        name: the task.
        source: the language whose train and dev sets are fine-tuned on.
        seed: the study's; each adapter's is derived from it, the task, the checkpoint and the adapter's number.
        seeds: how many adapters to train.
        data: the task's folder with `<split>-<language>.tsv`.
        output: the folder to write.

    Raises:
        BadInputError: a file of the task is missing or malformed.
    """
    import pandas as pd

    from polyprobe.artefacts import scores

    rows: list[dict[str, Any]] = []
    with new_folder(output) as folder:
        if not manifest.dropped:
            run = _Run(name, manifest, settings, lora, source, seed, data)
            for index in range(seeds):
                rows += run.adapter(index, folder / f"seed-{index}")
        scores.write(folder / scores.NAME, pd.DataFrame(rows, columns=scores.SCHEMA.names))


def load_fine_tuned(name: str, manifest: Manifest, lora: Lora, folder: Path) -> Any:
    """A fine-tuned model, from the checkpoint and the folder of one of its adapters (`seed-<i>`)."""
    from polyprobe.transfer import model as models

    pad_token_id = models.load_tokenizer(manifest).pad_token_id
    device = knobs().torch_device()
    return models.with_saved_adapter(
        models.load_with_head(manifest, TASKS[name], lora, pad_token_id, seed=0, device=device), folder
    )


class _Run:
    """What the adapters of one checkpoint share: data as sub-words, and the baseline that needs no model."""

    def __init__(
        self, name: str, manifest: Manifest, settings: Task, lora: Lora, source: str, seed: int, data: Path
    ) -> None:
        from polyprobe.transfer import model as models

        self.name, self.task, self.manifest = name, TASKS[name], manifest
        self.settings, self.lora, self.seed = settings, lora, seed
        self.knobs = knobs()
        use_threads(self.knobs.threads)
        tokenizer = models.load_tokenizer(manifest)
        self.pad_token_id = tokenizer.pad_token_id
        files = [data / file_name(split, source) for split in ("train", "dev")]
        self.data_hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.exists()]

        def encoded(examples: list[Example], language: str) -> list[Encoded]:
            return self.task.encode(examples, tokenizer, settings, language)

        train, dev = (self.task.read(file) for file in files)
        # The same examples at every checkpoint.
        random.Random(derive_seed(seed, name, "train")).shuffle(train)
        self.train = encoded(train[: settings.max_train], source)
        self.dev = encoded(dev, source)
        self.tests = {
            language: encoded(self.task.read(data / file_name("test", language))[: settings.max_test], language)
            for language in settings.languages
        }
        counts = [0] * len(self.task.LABELS)
        for example in self.train:
            for label in example.labels:
                counts[label] += 1
        self.most_frequent = counts.index(max(counts))

    def adapter(self, index: int, folder: Path) -> list[dict[str, Any]]:
        """Trains and saves one adapter; its scores."""
        import torch

        from polyprobe.transfer import model as models
        from polyprobe.transfer.training import train

        seed = derive_seed(self.seed, self.name, self.manifest.checkpoint, index)
        determines = {
            "weights": self.manifest.weights_sha256,
            "tokenizer": self.manifest.tokenizer_sha256,
            "data": self.data_hashes,
            "settings": self.settings.model_dump(mode="json"),
            "lora": self.lora.model_dump(mode="json"),
            "seed": seed,
        }
        scratch = scratch_folder(f"{self.name}-{self.manifest.checkpoint}", determines)
        model = models.load_with_head(
            self.manifest, self.task, self.lora, self.pad_token_id, seed=seed, device=self.knobs.torch_device()
        )
        model = models.with_new_adapter(model, self.task, self.lora, seed=seed)
        untrained = self._test(model, "untrained")
        best_step = train(
            model,
            self.task,
            self.train,
            self.settings,
            dev_score=self._dev_score,
            pad_token_id=self.pad_token_id,
            dtype=getattr(torch, self.lora.compute_dtype),
            seed=seed,
            scratch=scratch,
        )
        trained = self._test(model, "fine-tuned")
        models.save_adapter(model, folder, f"{self.manifest.model}, weights sha256 {self.manifest.weights_sha256}")
        shutil.rmtree(scratch)
        return [
            row | {"seed": index, "best_step": best_step}
            for language in self.tests
            for row in self._rows(language, trained[language], untrained[language])
        ]

    def _rows(self, language: str, trained: list[list[int]], untrained: list[list[int]]) -> list[dict[str, Any]]:
        from polyprobe.transfer.scoring import task_scores

        gold = [example.labels for example in self.tests[language]]
        majority = [[self.most_frequent] * len(labels) for labels in gold]
        fine_tuned, baseline, chance = (
            task_scores(gold, predicted, self.task.LABELS, self.task.METRICS)
            for predicted in (trained, untrained, majority)
        )
        return [
            {
                "language": language,
                "metric": metric,
                "score": fine_tuned[metric].value,
                "standard_error": fine_tuned[metric].standard_error,
                "majority": chance[metric].value,
                "untrained": baseline[metric].value,
                "items": sum(map(len, gold)),
            }
            for metric in self.task.METRICS
        ]

    def _test(self, model: Any, description: str) -> dict[str, list[list[int]]]:
        return {
            language: self._predict(model, examples, f"{self.name} {description} {language}")
            for language, examples in self.tests.items()
        }

    def _dev_score(self, model: Any) -> float:
        from polyprobe.transfer.scoring import task_scores

        gold = [example.labels for example in self.dev]
        metric = self.task.METRICS[0]
        predicted = self._predict(model, self.dev, f"{self.name} dev")
        return task_scores(gold, predicted, self.task.LABELS, [metric])[metric].value

    def _predict(self, model: Any, examples: list[Encoded], description: str) -> list[list[int]]:
        import torch

        from polyprobe.transfer.evaluation import predict

        return predict(
            model,
            self.task,
            examples,
            pad_token_id=self.pad_token_id,
            batch_tokens=self.knobs.batch_tokens,
            dtype=getattr(torch, self.lora.compute_dtype),
            description=description,
        )
