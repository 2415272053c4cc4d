"""The paper's study from probes and scores to the page: `python benchmarks/paper_size.py`.

The stages overlap, correlate, predictors and report, each as its own process, on `studies/paper.yaml` with made-up
neurons and scores of the right shapes: every published checkpoint (duplicates dropped), 13 languages, three categories
at two layers, the layer scan of eleven categories at seven, two seeds and the control of shuffled labels. Prints
seconds and peak memory of each stage, and the size of the page.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from _machine import machine
from polyprobe.artefacts import corpus, manifest, probes, scores, similarity
from polyprobe.artefacts.manifest import Manifest
from polyprobe.choices.categories import categories_of
from polyprobe.choices.languages import target_languages
from polyprobe.choices.layers import layers_of
from polyprobe.running.files import write_json
from polyprobe.study import Study, load_study

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("overlap", "correlate", "predictors", "report")
WIDTHS = {"bloom-560m": 1024, "bloom-1b1": 1536, "bloom-1b7": 2048}
LAYERS = 25
DUPLICATES = ("560m-10k", "560m-500k", "1b7-1k", "1b7-10k", "1b7-250k", "1b7-300k")


def manifests(study: Study) -> list[Manifest]:
    """Return one manifest per published checkpoint; those that the paper found to be duplicates are dropped."""
    return [
        Manifest(
            checkpoint=key, model=str(one.model), repository="made up", commit="0" * 40, folder=None,
            weights_sha256=f"{place:064x}", config_sha256="0" * 64, tokenizer_sha256="0" * 64,
            parameters=10**9, layers=LAYERS,
            width=WIDTHS[str(one.model)], dtype="float32", step=one.step, tokens_seen=one.step * 2**20,
            converged=one.converged, dropped=key in DUPLICATES,
        )
        for place, (key, one) in enumerate(study.checkpoints.items())
    ]  # fmt: skip


def made_up_probes(study: Study, found: Manifest, generator: np.random.Generator) -> pd.DataFrame:
    """Return random neurons, more of them from a common pool the further the training.

    Args:
        study: the paper's.
        found: the checkpoint's manifest.
        generator: the source of randomness.

    Returns:
        A table as `artefacts.probes` has it.
    """
    k = study.probe.k_max
    common = int(30 * min(found.step, 600_000) / 600_000)
    parts = []
    for layer in layers_of(study, found.checkpoint, found.layers):
        for category in categories_of(study, found.checkpoint):
            pool = generator.permutation(found.width)
            for language in study.languages:
                for control in study.probe.controls:
                    for seed in range(study.probe.seeds if control == "none" else 1):
                        own = generator.permutation(pool[common:])[: k - common]
                        part = pd.DataFrame({"rank": np.arange(k), "neuron": np.concatenate([pool[:common], own])})
                        parts.append(
                            part.assign(layer=layer, language=language, category=category, seed=seed, control=control)
                        )
    table = pd.concat(parts, ignore_index=True)
    information = ("dev_information", "dev_information_normalised", "test_information", "test_information_normalised")
    rest: dict[str, Any] = dict.fromkeys(information, 0.5) | {"test_accuracy": 0.8, "test_majority": 0.4}
    counts = dict.fromkeys(("classes", "train_words", "dev_words", "test_words", "epochs"), 100)
    return table.assign(**rest, **counts)[probes.TABLE.schema.names]


def made_up_scores(study: Study, found: Manifest, task: str, generator: np.random.Generator) -> pd.DataFrame:
    """Return scores that rise with training.

    Args:
        study: the paper's.
        found: the checkpoint's manifest.
        task: a key of `transfer`.
        generator: the source of randomness.

    Returns:
        A table as `artefacts.scores` has it.
    """
    section = getattr(study.transfer, task)
    rows = []
    for metric in {"xnli": ("accuracy",), "pos": ("f1", "f1_macro", "f1_xtreme")}[task]:
        for code in section.languages:
            score = 0.35 + 0.3 * min(found.step, 600_000) / 600_000 + generator.normal(0, 0.01)
            rows.append(
                {
                    "language": code, "metric": metric, "seed": 0, "score": score, "standard_error": 0.007,
                    "low": score - 0.014, "high": score + 0.014, "majority": 1 / 3, "untrained": 0.3, "items": 5010,
                    "best_step": 500,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)[scores.TABLE.schema.names]


def make(root: Path) -> None:
    """Write what the stages read."""
    shutil.copy(ROOT / "studies/paper.yaml", root / "params.yaml")
    study = load_study(root / "params.yaml")
    generator = np.random.default_rng(0)
    for found in manifests(study):
        manifest.write(root / manifest.path(found.checkpoint), found)
        if found.dropped:
            continue
        probes.TABLE.write(made_up_probes(study, found, generator), probes.TABLE.at(root, checkpoint=found.checkpoint))
        alike = pd.DataFrame(
            [
                {
                    "layer": layer, "language": code, "pooling": "mean", "cosine": generator.uniform(0.5, 0.9),
                    "mismatched": 0.4, "precision_at_1": 0.5, "pairs": 1000,
                }
                for layer in study.layers
                for code in target_languages(study)
            ]
        )  # fmt: skip
        similarity.TABLE.write(alike, similarity.TABLE.at(root, checkpoint=found.checkpoint))
        for task in scores.TASKS:
            file = scores.TABLE.at(root, task=task, checkpoint=found.checkpoint)
            scores.TABLE.write(made_up_scores(study, found, task, generator), file)
    categories = dict.fromkeys(name for key in study.checkpoints for name in categories_of(study, key))
    words = {"train": 800, "dev": 100, "test": 100}
    offered = [
        {"language": code, "category": name, "probed": True, "words": words, "values": {}, "reason": None}
        for code in study.languages
        for name in categories
    ]
    corpus.TABLE.write(offered, root / corpus.TABLE.path)
    write_json(root / "metrics/treebanks.json", {})
    write_json(root / "metrics/transfer_data.json", [])


def run(stage: str, root: Path) -> tuple[float, float]:
    """Run one stage as a process of its own.

    Args:
        stage: its name.
        root: the study's folder.

    Returns:
        Seconds and peak MiB.

    Raises:
        SystemExit: the stage failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", f"polyprobe.stages.{stage}"], cwd=root)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{stage} failed")
    return time.perf_counter() - began, used.ru_maxrss / 1024


def main() -> None:
    """Print the table.

    Raises:
        SystemExit: a stage failed.
    """
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root)
        print(f"{'stage':12}{'seconds':>9}{'MiB':>8}")
        measured = []
        for stage in STAGES:
            measured.append(run(stage, root))
            print(f"{stage:12}{measured[-1][0]:9.1f}{measured[-1][1]:8.0f}", flush=True)
        print(f"{'all':12}{sum(seconds for seconds, _ in measured):9.1f}{max(peak for _, peak in measured):8.0f}")
        page = root / "data/report/index.html"
        print(f"page: {page.stat().st_size / 2**20:.1f} MiB")
        if len(sys.argv) > 1:
            shutil.copy(page, sys.argv[1])


if __name__ == "__main__":
    main()
