"""Intrinsic probing of one dataset (section 3.1): fit on train, pick neurons on dev, score them on test."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from polyprobe.probes.checks import check_inputs
from polyprobe.probes.controls import labels_under
from polyprobe.probes.families import fit_side_by_side
from polyprobe.probes.probe import Data


@dataclass(frozen=True)
class Dataset:
    """The words of one language that have a value in one category, at one layer; no lemma in two of the sets."""

    train: Data
    dev: Data
    test: Data
    types: tuple[Int[Tensor, " _word"], ...] | None = None
    """Each word's type in train, dev and test, for the control that labels types."""

    @staticmethod
    def of(
        inputs: Float[Tensor, "word neuron"],
        labels: NDArray[np.integer],
        splits: Iterable[str],
        types: NDArray[np.integer] | None = None,
    ) -> "Dataset":
        """Split words into train, dev and test; words without a label (-1) are left out.

        Args:
            inputs: hidden states of all words.
            labels: each word's class, 0, 1, ..., or -1 for none.
            splits: each word's split: train, dev or test.
            types: each word's type, numbered from 0, the same number for the same form in every split.
        """
        label = torch.from_numpy(labels).to(inputs.device, torch.int64)
        split = np.asarray(list(splits))
        chosen = [torch.from_numpy(split == name).to(inputs.device) & (label >= 0) for name in ("train", "dev", "test")]
        train, dev, test = ((inputs[words], label[words]) for words in chosen)
        if types is None:
            return Dataset(train, dev, test)
        number = torch.from_numpy(types).to(inputs.device, torch.int64)
        return Dataset(train, dev, test, tuple(number[words] for words in chosen))

    def digest(self) -> str:
        """Return a hash of everything in it, its device's kind too: a GPU's arithmetic rounds differently."""
        digest = hashlib.sha256(self.train[0].device.type.encode())
        for array in (*self.train, *self.dev, *self.test, *(self.types or ())):
            digest.update(f"{array.dtype}{tuple(array.shape)}".encode() + array.cpu().numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Run:
    """One probe to be trained."""

    control: str
    index: int
    """The number of its seed."""
    seed: int

    @staticmethod
    def each(controls: Sequence[str], seeds: int, seed: Callable[[int, str], int]) -> "list[Run]":
        """Return a dataset's runs: several under the first control (the probes proper), one under each other control.

        Args:
            controls: those of `controls.CONTROLS` that are run, at least one.
            seeds: how many runs the first control has.
            seed: gives the seed of an index and a control.
        """
        first, *others = controls
        runs = [Run(first, index, seed(index, first)) for index in range(seeds)]
        return runs + [Run(control, 0, seed(0, control)) for control in others]


Row = dict[str, str | int | float]


def probe_dataset(dataset: Dataset, runs: Sequence[Run], family: str, k_max: int, **settings: Any) -> list[Row]:
    """Train one probe per run, all on the same words, and pick k_max neurons with each.

    Args:
        dataset: inputs and labels per set.
        runs: seed and control (`controls.CONTROLS`) of each probe.
        family: a key of `FAMILIES`.
        k_max: neurons picked.
        settings: fields of the family's settings.

    Returns:
        One row per run and rank: seed (the run's index), control, rank, neuron; information (bits; normalised by the
        label entropy) and accuracy of the neurons up to that rank; test_majority, the accuracy on test of the most
        frequent train label; classes, train_words, dev_words, test_words, epochs.

    Raises:
        ValueError: there is no such family or control, too little data, or an input that is not finite.
    """
    # The fit checks the others.
    check_inputs(dataset.test[0], "test")
    labels = [own for _, own in (dataset.train, dataset.dev, dataset.test)]
    under = [labels_under(run.control, labels, dataset.types, run.seed) for run in runs]
    train = [own for own, _, _ in under]
    probes = fit_side_by_side(family, dataset.train[0], train, dataset.dev, [run.seed for run in runs], **settings)
    rows: list[Row] = []
    for run, probe, (train_labels, dev_labels, test_labels) in zip(runs, probes, under, strict=True):
        selection = probe.select(dataset.dev[0], dev_labels, k_max)
        scores = probe.score_prefixes(selection.neurons, dataset.test[0], test_labels)
        common: Row = {
            "seed": run.index,
            "control": run.control,
            "test_majority": float((test_labels == train_labels.bincount().argmax()).double().mean()),
            "classes": 1 + int(train_labels.max()),
            "train_words": len(train_labels),
            "dev_words": len(dev_labels),
            "test_words": len(test_labels),
            "epochs": probe.epochs,
        }
        by_rank = {
            "rank": range(k_max),
            "neuron": selection.neurons.tolist(),
            "dev_information": selection.bits.tolist(),
            "dev_information_normalised": selection.mutual_information.tolist(),
            "test_information": scores.bits.tolist(),
            "test_information_normalised": scores.mutual_information.tolist(),
            "test_accuracy": scores.accuracy.tolist(),
        }
        rows += [common | dict(zip(by_rank, values, strict=True)) for values in zip(*by_rank.values(), strict=True)]
    return rows
