"""The probe stage of one checkpoint at the paper's size: `python benchmarks/probe_stage.py [--whole]`.

13 languages, part of speech, number and gender, two layers, 1024 neurons, 50 of them picked, default settings; words as
in UD v2.1, synthetic embeddings. By default some probes of each category are measured and the stage is extrapolated,
linear in the words between and beyond the sizes measured; `--whole` runs every probe. One process with one thread (or
a GPU with `--device cuda`); last, what the stage costs, and the paper's 21 checkpoints.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from _machine import machine
from polyprobe.ops.cost import constants
from polyprobe.probes import Dataset, Run, probe_dataset
from polyprobe.running.progress import progress
from polyprobe.study import load_study

LAYERS, CHECKPOINTS, K_MAX = 2, 21, 50

WORDS: Final[dict[str, int]] = constants()["words"]
"""Words of the UD v2.1 treebank that the paper's language code names: en and fr by their READMEs; mr, ta and vi
counted; the others rounded from the release's published sizes."""


@dataclass(frozen=True)
class Category:
    """A category to be probed."""

    classes: int
    share: float
    """Of a treebank's words that have a value, about what UD's Spanish and Catalan have."""
    languages: tuple[str, ...]
    """The paper's Appendix A.2."""


CATEGORIES: Final = {
    "Part of Speech": Category(14, 0.89, tuple(WORDS)),
    "Number": Category(2, 0.48, ("ar", "ca", "en", "es", "eu", "fr", "hi", "mr", "pt", "ta", "ur")),
    "Gender": Category(2, 0.36, ("ar", "ca", "es", "fr", "hi", "mr", "pt", "ta")),
}
SAMPLE: Final = (4_000, 16_000)


def dataset(words: dict[str, int], neurons: int, classes: int, device: str) -> Dataset:
    """Make up a dataset in which every eighth neuron carries the label, weakly; noise is shared by many neurons.

    Args:
        words: how many in each set.
        neurons: how many.
        classes: how many.
        device: where the dataset lies.

    Returns:
        Inputs [word, neuron] and labels [word] of each set.
    """
    generator = torch.Generator().manual_seed(0)
    carriers = len(range(0, neurons, 8))
    direction = 0.4 * torch.randn(classes, carriers, generator=generator)
    factors = torch.randn(neurons // 4, neurons, generator=generator) * (neurons // 4) ** -0.5
    sets = []
    for count in words.values():
        labels = torch.randint(0, classes, (count,), generator=generator)
        inputs = torch.randn(count, neurons // 4, generator=generator) @ factors
        inputs += 0.5 * torch.randn(inputs.shape, generator=generator)
        inputs[:, ::8] += direction[labels]
        sets.append((inputs.to(device), labels.to(device)))
    return Dataset(*sets)


def splits(words: int, cap: dict[str, int] | None) -> dict[str, int]:
    """Return the words of each set: 80, 10 and 10 percent, each cut to the cap.

    Args:
        words: in all.
        cap: the most of each set; None: no cap.
    """
    sizes = {"train": words * 8 // 10, "dev": words // 10, "test": words // 10}
    return {name: min(size, cap[name]) if cap else size for name, size in sizes.items()}


def seconds(words: dict[str, int], category: Category, options: argparse.Namespace) -> tuple[float, int]:
    """Fit the probes of one dataset, one per seed, and pick from each.

    Args:
        words: how many in each set.
        category: its number of classes counts.
        options: of the command line.

    Returns:
        Seconds, and the epochs of the first probe.
    """
    data = dataset(words, options.neurons, category.classes, options.device)
    runs = [Run("none", index, index) for index in range(options.seeds)]
    start = time.perf_counter()
    rows = probe_dataset(data, runs, options.family, min(K_MAX, options.neurons))
    return time.perf_counter() - start, int(rows[0]["epochs"])


def line(points: list[tuple[int, float]], at: int) -> float:
    """Return the seconds at a number of words by the straight line through two points.

    Below the first point they are in proportion to the words.

    Args:
        points: words and seconds, the smaller one first.
        at: words.
    """
    (low, first), (high, last) = points
    return first * at / low if at < low else first + (last - first) * (at - low) / (high - low)


def main() -> None:
    """Measure and print the cost of the stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="run every probe of the stage")
    parser.add_argument(
        "--study", type=Path, help="a params file whose extract.max_words caps the words; none by default"
    )
    parser.add_argument("--neurons", type=int, default=1024)
    parser.add_argument("--sample", type=int, nargs=2, default=SAMPLE, help="words of the probes measured, two sizes")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--family", default="poisson")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    limits = load_study(options.study).extract.max_words if options.study else None
    cap = limits.model_dump() if limits else None
    stage = {
        (language, name): splits(round(WORDS[language] * category.share), cap)
        for name, category in CATEGORIES.items()
        for language in category.languages
    }
    datasets, probes = LAYERS * len(stage), LAYERS * len(stage) * options.seeds
    seconds({"train": 300, "dev": 60, "test": 60}, CATEGORIES["Number"], options)  # what is compiled or loaded once

    whole = 0.0
    if options.whole:
        for (_, name), words in progress([*stage.items()] * LAYERS, description="probes", unit="dataset"):
            whole += seconds(words, CATEGORIES[name], options)[0]
    else:
        measured: dict[int, list[tuple[int, float]]] = {}
        for classes in sorted({category.classes for category in CATEGORIES.values()}):
            for size in sorted(options.sample):
                words = {"train": size, "dev": size // 8, "test": size // 8}
                cost, epochs = seconds(words, Category(classes, 1, ()), options)
                print(
                    f"{classes} classes, {size} train words: {cost:.1f} s for {options.seeds} seeds, {epochs} epochs",
                    flush=True,
                )
                measured.setdefault(classes, []).append((size, cost))
        for (_, name), words in stage.items():
            whole += LAYERS * line(measured[CATEGORIES[name].classes], words["train"])
    largest = max(words["train"] for words in stage.values())
    total = LAYERS * sum(words["train"] for words in stage.values())
    print(machine())
    print(
        f"{len(WORDS)} languages, {len(CATEGORIES)} categories, {LAYERS} layers: {datasets} datasets of {total:,} "
        f"train words together (at most {largest:,}), {probes} probes of {options.neurons} neurons"
    )
    print(
        f"the stage of one checkpoint, {'measured' if options.whole else 'extrapolated'}: {whole / 60:.1f} minutes; "
        f"{CHECKPOINTS} checkpoints: {CHECKPOINTS * whole / 3600:.1f} hours"
    )


if __name__ == "__main__":
    main()
