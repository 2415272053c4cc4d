"""A whole study's tables made up from a known rule: what tests of analysis, figures and report read.

Alignment grows with training and is larger for languages close to the source; overlap and transfer both follow it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from itertools import combinations, combinations_with_replacement
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from polyprobe.artefacts import corpus, manifest, overlap, probes, scores, similarity
from polyprobe.artefacts.manifest import Manifest
from polyprobe.figures import Tables, read_tables
from polyprobe.running.files import write_json
from polyprobe.stages.correlate import correlate
from polyprobe.stages.predictors import predictors
from polyprobe.study import Study, load_study
from support import ROOT
from support.sections import checkpoint


@dataclass(frozen=True)
class Synthetic:
    """The shape of a made-up study."""

    languages: Sequence[str] = ("qaa", "qab", "qac", "qad", "qae", "qaf")
    source_language: str = "qaa"
    steps: Mapping[str, Sequence[int]] = None  # type: ignore[assignment]
    """Steps per model; the last may be the converged model (see converged)."""
    converged: bool | Sequence[str] = False
    """Whether each model's last step is its converged model; or the models of which it is."""
    depth: int = 5
    """Layers of every model, the embedding output counted."""
    layers: Sequence[int] = (3, 4)
    scan_layers: Sequence[int] = (1, 2, 3, 4, 5)
    scan_categories: Sequence[str] = ()
    """Categories of the layer scan beside the study's own."""
    scan_models: Sequence[str] | None = None
    """Models whose last checkpoint has a layer scan; None: all."""
    categories: Sequence[str] = ("Part of Speech", "Number", "Gender and Noun Class")
    task_languages: Mapping[str, Sequence[str]] | None = None
    transfer_works: bool = True
    seed: int = 0
    k: int = 16
    """The largest; half of it is the other one."""
    width: int = 256

    def steps_of_models(self) -> Mapping[str, Sequence[int]]:
        return self.steps or {"pocket": (0, 30, 80, 180, 400)}

    def is_converged(self, model: str) -> bool:
        return self.converged if isinstance(self.converged, bool) else model in self.converged

    def scan(self, model: str, step: int) -> tuple[Sequence[int], Sequence[str]]:
        """Layers and categories that a checkpoint has beside the study's own."""
        scanned = step == self.steps_of_models()[model][-1] and model in (self.scan_models or self.steps_of_models())
        return (self.scan_layers, self.scan_categories) if scanned else ((), ())


POCKET = Synthetic()


def manifests(study: Synthetic) -> list[Manifest]:
    """One per model and step."""
    return [
        Manifest(
            checkpoint=f"step-{step}" if model == "pocket" else f"{model}-{step}",
            model=model,
            repository=None,
            commit=None,
            folder=f"data/pretrained/{model}/step-{step}",
            weights_sha256=f"{1000 * number + place:064x}",
            config_sha256="0" * 64,
            tokenizer_sha256="0" * 64,
            parameters=3_700_000,
            layers=study.depth,
            width=study.width,
            dtype="float32",
            step=step,
            tokens_seen=step * 4096,
            converged=study.is_converged(model) and step == steps[-1],
        )
        for number, (model, steps) in enumerate(study.steps_of_models().items())
        for place, step in enumerate(steps)
    ]


def alignment(study: Synthetic, found: Manifest) -> float:
    """How far a checkpoint is aligned, from 0 to 1."""
    steps = study.steps_of_models()[found.model]
    return steps.index(found.step) / max(len(steps) - 1, 1)


def closeness(study: Synthetic, code: str) -> float:
    """How close a language is to the source language: 1 for itself."""
    return 1.0 - 0.1 * list(study.languages).index(code)


def pairs(study: Synthetic) -> pd.DataFrame:
    """`plots/overlap/pairs.csv`."""
    generator, numbers = np.random.default_rng(study.seed), np.random.default_rng([study.seed, 1])
    expected = study.k / study.width
    rows = []
    for entry in manifests(study):
        layers, categories = study.scan(entry.model, entry.step)
        for layer in sorted({*study.layers, *layers}):
            for category in dict.fromkeys([*study.categories, *categories]):
                for control in ("none", "shuffled_labels"):
                    for a, b in combinations_with_replacement(study.languages, 2):
                        diagonal = a == b
                        if diagonal and control != "none":
                            continue
                        signal = 0.5 * alignment(study, entry) * closeness(study, a) * closeness(study, b)
                        rate = expected + (signal if control == "none" else 0.0) + generator.normal(0, 0.01)
                        rate = 0.9 if diagonal else min(max(rate, 0.0), 1.0)
                        p = None if diagonal else min(1.0, 2 * expected / (rate + 1e-9)) ** 4 / 20
                        shared = 0 if diagonal or control != "none" else round(rate * study.k)
                        neurons = np.sort(numbers.choice(study.width, shared, replace=False))
                        rows.append(
                            _where(study, entry, layer, category, control)
                            | {
                                "language_a": a,
                                "language_b": b,
                                "k": study.k,
                                "shared": rate * study.k,
                                "overlap": rate,
                                "standard_error": 0.01,
                                "expected": expected,
                                "corrected": (rate - expected) / (1 - expected),
                                "weighted": rate,
                                "weighted_corrected": (rate - expected / 2) / (1 - expected / 2),
                                "p": p,
                                "p_adjusted": p,
                                "significant": bool(not diagonal and control == "none" and rate > 2 * expected),
                                "neurons": " ".join(map(str, neurons)) or None,
                            }
                        )
    return pd.DataFrame(rows)


def _where(study: Synthetic, entry: Manifest, layer: int, category: str, control: str) -> dict[str, Any]:
    return {
        "checkpoint": entry.checkpoint,
        "model": entry.model,
        "step": entry.step,
        "tokens_seen": entry.tokens_seen,
        "layer": layer,
        "depth": (layer - 1) / (entry.layers - 1),
        "studied": layer in study.layers and category in study.categories,
        "category": category,
        "control": control,
    }


def means(table: pd.DataFrame) -> pd.DataFrame:
    """`plots/overlap/means.csv` of a table of pairs."""
    keys = ["checkpoint", "model", "step", "tokens_seen", "layer", "depth", "studied", "category", "control"]
    rows = []
    for where, group in table.groupby(keys, sort=False):
        proper = group[group["language_a"] != group["language_b"]]
        diagonal = group[group["language_a"] == group["language_b"]]
        rows.append(
            dict(zip(keys, where, strict=True))
            | {
                "k": proper["k"].iloc[0],
                "pairs": len(proper),
                "overlap": proper["overlap"].mean(),
                "low": proper["overlap"].mean() - 0.02,
                "high": proper["overlap"].mean() + 0.02,
                "corrected": proper["corrected"].mean(),
                "weighted_corrected": proper["weighted_corrected"].mean(),
                "standard_error": proper["corrected"].sem(),
                "expected": proper["expected"].mean(),
                "ceiling": diagonal["overlap"].mean() if len(diagonal) else None,
                "significant": proper["significant"].mean(),
            }
        )
    return pd.DataFrame(rows)


def sizes(averaged: pd.DataFrame) -> pd.DataFrame:
    """`plots/overlap/sizes.csv` of a table of means: the first half of the neurons share somewhat less."""
    largest = averaged[averaged["studied"]]
    expected = largest["expected"] / 2
    corrected = 0.9 * largest["corrected"]
    overlap_rate = expected + corrected * (1 - expected)
    half = largest.assign(
        k=largest["k"] // 2,
        overlap=overlap_rate,
        low=overlap_rate - 0.03,
        high=overlap_rate + 0.03,
        corrected=corrected,
        weighted_corrected=0.9 * largest["weighted_corrected"],
        expected=expected,
        ceiling=0.95 * largest["ceiling"],
        significant=0.8 * largest["significant"],
    )
    return pd.concat([half, largest], ignore_index=True)


def heatmap(study: Synthetic, table: pd.DataFrame) -> pd.DataFrame:
    """`plots/overlap/heatmap.csv` of a table of pairs."""
    last = table.groupby("model", sort=False)["checkpoint"].last()
    table = table[table["checkpoint"].isin(last) & table["layer"].isin(study.layers) & (table["control"] == "none")]
    one = table.rename(columns={"language_a": "language_x", "language_b": "language_y"})
    other = table[table["language_a"] != table["language_b"]].rename(
        columns={"language_b": "language_x", "language_a": "language_y"}
    )
    columns: list[str] = overlap.HEATMAP.schema.names
    return pd.concat([one, other], ignore_index=True)[columns]


def neurons(study: Synthetic) -> pd.DataFrame:
    """`plots/overlap/neurons.csv`: one neuron that all languages share, and one that three do."""
    codes = list(study.languages)
    return pd.DataFrame(
        [
            {
                "checkpoint": entry.checkpoint,
                "model": entry.model,
                "step": entry.step,
                "layer": layer,
                "category": category,
                "k": study.k,
                "neuron": neuron,
                "languages": " ".join(codes[:count]),
                "found_in": count,
                "probed_in": len(codes),
                "expected": 0.01 / count,
            }
            for entry in manifests(study)
            for layer in study.layers
            for category in study.categories
            for neuron, count in ((7, len(codes)), (5, 3))
            if count <= len(codes)
        ],
        columns=overlap.NEURONS.schema.names,
    )


def category_overlap(study: Synthetic) -> pd.DataFrame:
    """`plots/overlap/categories.csv`: what chance gives."""
    expected = study.k / study.width
    return pd.DataFrame(
        [
            {
                "checkpoint": entry.checkpoint,
                "model": entry.model,
                "step": entry.step,
                "layer": layer,
                "category_a": one,
                "category_b": other,
                "k": study.k,
                "languages": len(study.languages),
                "overlap": expected,
                "expected": expected,
                "corrected": 0.0,
            }
            for entry in manifests(study)
            for layer in study.layers
            for one, other in combinations(study.categories, 2)
        ],
        columns=overlap.CATEGORIES.schema.names,
    )


def score_table(study: Synthetic, entry: Manifest, task: str) -> pd.DataFrame:
    """`data/transfer/<task>/<ckpt>/scores.parquet`."""
    generator = np.random.default_rng([study.seed, entry.step, len(task)])
    codes = (study.task_languages or {}).get(task, study.languages)
    base, gain = {"xnli": (1 / 3, 0.5), "pos": (0.2, 0.7)}[task]
    rows = []
    for metric in {"xnli": ("accuracy",), "pos": ("f1", "f1_macro", "f1_xtreme")}[task]:
        for code in codes:
            signal = gain * alignment(study, entry) * closeness(study, code) if study.transfer_works else 0.0
            rows.append(
                {
                    "language": code,
                    "metric": metric,
                    "seed": 0,
                    "score": (value := base + signal + generator.normal(0, 0.01)),
                    "standard_error": 0.02,
                    "low": value - 0.04,
                    "high": value + 0.04,
                    "majority": base,
                    "untrained": base - 0.01,
                    "items": 600,
                    "best_step": 100,
                }
            )
    return pd.DataFrame(rows)


def probes_told(study: Synthetic) -> pd.DataFrame:
    """`plots/probes.csv`: probes get better with training."""
    rows = []
    for entry in manifests(study):
        layers, categories = study.scan(entry.model, entry.step)
        for layer in sorted({*study.layers, *layers}):
            for category in dict.fromkeys([*study.categories, *categories]):
                for code in study.languages:
                    accuracy = 0.5 + 0.4 * alignment(study, entry)
                    rows.append(
                        {
                            "checkpoint": entry.checkpoint,
                            "model": entry.model,
                            "step": entry.step,
                            "layer": layer,
                            "category": category,
                            "control": "none",
                            "language": code,
                            "k": study.k,
                            "dev_information_normalised": accuracy - 0.1,
                            "test_information_normalised": accuracy - 0.1,
                            "test_accuracy": accuracy + 0.01 * list(study.languages).index(code) * layer,
                            "test_majority": 0.4,
                            "classes": 3,
                            "seeds": 2,
                        }
                    )
    return pd.DataFrame(rows)


def found_neurons(study: Synthetic, entry: Manifest) -> pd.DataFrame:
    """`data/probes/<ckpt>.parquet`: two probes and one control per dataset.

    A neuron's rank is that of a sum of what all languages, the language and the seed have of it. The last language
    lacks the study's last category.
    """
    layers, categories = study.scan(entry.model, entry.step)
    model = list(study.steps_of_models()).index(entry.model)
    where: list[tuple[int, str, str, str, int]] = []
    neurons: list[np.ndarray] = []
    for layer in sorted({*study.layers, *layers}):
        for number, category in enumerate(dict.fromkeys([*study.categories, *categories])):
            generator = np.random.default_rng([study.seed, model, entry.step, layer, number])
            common = generator.gumbel(size=study.width)
            for code in study.languages:
                if (code, category) == (study.languages[-1], study.categories[-1]):
                    continue
                own = 0.7 * generator.gumbel(size=study.width)
                own += 2 * alignment(study, entry) * closeness(study, code) * common
                for control, seed in (("none", 0), ("none", 1), ("shuffled_labels", 0)):
                    noise = generator.gumbel(size=study.width)
                    strength = 0.3 * noise + own if control == "none" else noise
                    neurons.append(np.argsort(-strength, kind="stable")[: study.k])
                    where.append((layer, code, category, control, seed))
    names = ["layer", "language", "category", "control", "seed"]
    frame = pd.DataFrame(where, columns=names).loc[np.repeat(range(len(where)), study.k)].reset_index(drop=True)
    frame = frame.assign(rank=np.tile(range(study.k), len(where)), neuron=np.concatenate(neurons))
    information = (0.3 + 0.5 * alignment(study, entry)) * (1 - np.exp(-(frame["rank"] + 1) / 5))
    return frame.assign(
        dev_information=1.2 * information,
        dev_information_normalised=information,
        test_information=1.2 * information,
        test_information_normalised=information,
        test_accuracy=0.4 + 0.6 * information,
        test_majority=0.4,
        classes=3,
        train_words=800,
        dev_words=100,
        test_words=100,
        epochs=40,
    )


def write_neurons(root: Path, study: Synthetic = POCKET) -> None:
    """Writes what `overlap` reads into a study's folder."""
    for entry in manifests(study):
        manifest.write(root / manifest.path(entry.checkpoint), entry)
        probes.TABLE.write(found_neurons(study, entry), probes.TABLE.at(root, checkpoint=entry.checkpoint))


def similarities(study: Synthetic, entry: Manifest) -> pd.DataFrame:
    """`data/similarity/<ckpt>.parquet`: all languages but the last have parallel sentences."""
    generator = np.random.default_rng([study.seed, entry.step])
    return pd.DataFrame(
        [
            {
                "layer": layer,
                "language": code,
                "pooling": "mean",
                "cosine": 0.5 + 0.3 * alignment(study, entry) * closeness(study, code) + generator.normal(0, 0.01),
                "mismatched": 0.4,
                "precision_at_1": 0.5,
                "pairs": 100,
            }
            for layer in study.layers
            for code in study.languages[1:-1]
        ],
        columns=similarity.TABLE.schema.names,
    )


def treebanks_read(study: Synthetic) -> dict[str, list[dict[str, Any]]]:
    """`metrics/treebanks.json`: one treebank of one file per language."""
    return {
        code: [
            {
                "treebank": f"UD_{code}",
                "source": "made up",
                "folder": f"UD_{code}",
                "files": [{"name": f"{code}-ud-train.conllu", "sha256": "0" * 64}],
                "sentences": 100,
                "words": 1000,
                "skipped_sentences": 0,
                "text_differs": 0,
                "licence": "CC BY-SA 4.0",
            }
        ]
        for code in study.languages
    }


def corpus_entries(study: Synthetic) -> list[dict[str, Any]]:
    """`metrics/corpus.json`: the last language lacks the study's last category."""
    entries = []
    for code in study.languages:
        for category in dict.fromkeys([*study.categories, *study.scan_categories]):
            probed = (code, category) != (study.languages[-1], study.categories[-1])
            words = {"train": 800, "dev": 100, "test": 100} if probed else {"train": 0, "dev": 0, "test": 0}
            entries.append(
                {
                    "language": code,
                    "category": category,
                    "probed": probed,
                    "words": words,
                    "values": {"SG": words} if probed else {},
                    "reason": None if probed else "fewer than two values with 20 words in each split",
                }
            )
    return entries


def write_overlap(root: Path, study: Synthetic) -> None:
    """Writes `plots/overlap/` of a study."""
    table = pairs(study)
    overlap.PAIRS.write(table, root / overlap.PAIRS.path)
    averaged = means(table)
    overlap.MEANS.write(averaged, root / overlap.MEANS.path)
    last = averaged.groupby("model", sort=False)["checkpoint"].last()
    overlap.LAYERS.write(averaged[averaged["checkpoint"].isin(last)], root / overlap.LAYERS.path)
    overlap.SIZES.write(sizes(averaged), root / overlap.SIZES.path)
    overlap.HEATMAP.write(heatmap(study, table), root / overlap.HEATMAP.path)
    overlap.NEURONS.write(neurons(study), root / overlap.NEURONS.path)
    overlap.CATEGORIES.write(category_overlap(study), root / overlap.CATEGORIES.path)


_MADE: dict[tuple[str, str], TemporaryDirectory[str]] = {}
"""Folders with what was made of a study already, of which tests get copies."""


def _once(study: Synthetic, what: str, make: Callable[[Path], object]) -> Path:
    """The folder in which something was made of a study, the first time that it is asked for."""
    key = (what, repr(study))
    if key not in _MADE:
        folder = TemporaryDirectory(prefix="polyprobe-", ignore_cleanup_errors=True)
        make(Path(folder.name))
        _MADE[key] = folder
    return Path(_MADE[key].name)


def write(root: Path, study: Synthetic = POCKET) -> None:
    """Writes what `correlate` and `report` read into a study's folder, apart from what `correlate` itself writes."""
    copytree(_once(study, "written", lambda folder: _write(folder, study)), root, dirs_exist_ok=True)


def _write(root: Path, study: Synthetic) -> None:
    write_overlap(root, study)
    for entry in manifests(study):
        manifest.write(root / manifest.path(entry.checkpoint), entry)
        similarity.TABLE.write(similarities(study, entry), root / similarity.TABLE.at(checkpoint=entry.checkpoint))
        for task in scores.TASKS:
            folder = scores.folder(task, entry.checkpoint, root)
            scores.TABLE.write(score_table(study, entry, task), folder / scores.TABLE.path.name)
    probes.PLOT.write(probes_told(study), root / probes.PLOT.path)
    corpus.TABLE.write(corpus_entries(study), root / corpus.TABLE.path)
    write_json(root / "metrics/treebanks.json", treebanks_read(study))
    write_json(root / "metrics/transfer_data.json", [])


def params(study: Synthetic = POCKET, /, **sections: Any) -> Study:
    """The pocket study's parameters with this study's languages, checkpoints, layers and categories, and other keys of
    sections."""
    base = load_study(ROOT / "studies" / "pocket.yaml").model_dump()
    base["languages"] = list(study.languages)
    base["source_language"] = study.source_language
    base["treebanks"]["folders"] = {code: [f"UD_{code}"] for code in study.languages}
    base["checkpoints"] = {
        entry.checkpoint: checkpoint(
            model=entry.model, weights=entry.folder, step=entry.step, converged=entry.converged
        )
        | dict(zip(("layers", "categories"), map(list, study.scan(entry.model, entry.step)), strict=True))
        for entry in manifests(study)
    }
    base["models"] = {
        entry.model: {"repository": None, "tokenizer": None, "tokens_per_step": None} for entry in manifests(study)
    }
    base["layers"] = list(study.layers)
    base["overlap"]["k"] = [study.k // 2, study.k]
    base["probe"]["k_max"] = study.k
    base["categories"] = list(study.categories)
    for task in scores.TASKS:
        base["transfer"][task]["languages"] = list((study.task_languages or {}).get(task, study.languages))
    base["correlate"]["resamples"] = 200
    for name, section in sections.items():
        base[name] = base[name] | section if isinstance(section, dict) else section
    return Study.model_validate(base)


def complete(root: Path, study: Synthetic = POCKET) -> Tables:
    """Writes a study's folder, runs `correlate` and `predictors` in it, and reads what figures are drawn from."""
    copytree(_once(study, "complete", lambda folder: _complete(folder, study)), root, dirs_exist_ok=True)
    return read_tables(study.languages, study.source_language, root)


def _complete(root: Path, study: Synthetic) -> None:
    write(root, study)
    with chdir(root):
        correlate(params(study))
        predictors(params(study))


PAPER = Synthetic(
    languages=("en", "ar", "ca", "es", "eu", "fr", "hi", "mr", "pt", "ta", "ur", "vi", "zh"),
    source_language="en",
    steps={"560m": (1_000, 100_000, 200_000, 300_000, 400_000, 600_000, 650_000)},
    converged=True,
    layers=(3, 4),
    task_languages={
        "xnli": ("en", "ar", "es", "fr", "hi", "ur", "vi", "zh"),
        "pos": ("en", "ar", "es", "eu", "fr", "hi", "mr", "pt", "ta", "ur", "vi", "zh"),
    },
)
"""The paper's size: six intermediate checkpoints and the converged one, 7 and 11 target languages."""

PAPER_FULL = Synthetic(
    languages=PAPER.languages,
    source_language="en",
    steps={
        "560m": (1_000, 10_000, 100_000, 200_000, 300_000, 400_000, 600_000, 650_000),
        "1b1": (1_000, 10_000, 100_000, 200_000, 300_000, 400_000, 600_000, 650_000),
        "1b7": (1_000, 50_000, 100_000, 200_000, 300_000),
    },
    converged=("560m", "1b1"),
    depth=25,
    layers=(13, 17),
    scan_layers=(1, 5, 9, 13, 17, 21, 25),
    scan_categories=(
        "Aspect", "Case", "Definiteness", "Finiteness", "Gender and Noun Class", "Mood", "Number", "Part of Speech",
        "Person", "Tense", "Voice",
    ),
    scan_models=("560m",),
    task_languages=PAPER.task_languages,
    k=50,
    width=1024,
)  # fmt: skip
"""The paper's whole study: 21 checkpoints of three models, and the layer scan of Figure 2."""

MODELS = replace(
    PAPER_FULL,
    steps={"560m": (1_000, 100_000, 400_000, 650_000), "1b1": (1_000, 400_000, 650_000), "1b7": (1_000, 100_000)},
    scan_layers=(1, 9, 13, 17, 25),
    scan_categories=("Case", "Gender and Noun Class", "Number", "Part of Speech"),
)
"""The same with fewer checkpoints and a shorter scan."""
