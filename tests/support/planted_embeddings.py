"""Words and embeddings of a made-up checkpoint in which it is known which neurons carry which category."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyprobe.artefacts import embeddings, manifest, words
from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.manifest import Manifest
from polyprobe.study import Study
from support import ROOT
from support.sections import checkpoint, study_of

WIDTH = 48
SHARED = tuple(range(6))
"""Neurons that carry Number in qaa and qab."""
OWN = tuple(range(20, 26))
"""Neurons that carry Number in qac."""


def study_with(checkpoints: Mapping[str, Mapping[str, Any]], **changes: Any) -> Study:
    """The pocket study with other checkpoints, as of `sections.checkpoint`, and other keys of sections; transfer is cut
    down to its languages."""
    from ruamel.yaml import YAML

    file = ROOT / "studies/pocket.yaml"
    values = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    for name, change in changes.items():
        values[name] = values[name] | change if isinstance(change, dict) else change
    for task in ("xnli", "pos"):
        values["transfer"][task]["languages"] = values["languages"]
    del values["checkpoints"], values["models"]
    return study_of({key: checkpoint(**entry) for key, entry in checkpoints.items()}, **values)


def write_words(root: Path, language: str, labels: Mapping[str, Sequence[str | None]], splits: Sequence[str]) -> None:
    """A treebank of one-word sentences with these labels per dimension."""
    count = len(splits)
    frame = pd.DataFrame(
        {
            "treebank": "UD_Made-Up",
            "file": "train",
            "sent_id": [f"s{index}" for index in range(count)],
            "sentence": np.arange(count, dtype=np.int32),
            "position": np.zeros(count, dtype=np.int16),
            "form": [f"w{index}" for index in range(count)],
            "space_after": True,
            "lemma": [f"w{index}" for index in range(count)],
            "upos": "NOUN",
            "unimorph": "N",
            "split": list(splits),
        }
    )
    for name in dimensions():
        frame[name] = pd.Series(labels.get(name, [None] * count), dtype="object")  # type: ignore[arg-type]
    words.TABLE.write_frames([frame], words.TABLE.at(root, language=language))


def write_planted(
    root: Path,
    checkpoint: str,
    carriers: Mapping[str, Sequence[int]],
    *,
    layers: Sequence[int] = (2,),
    words_per_split: Mapping[str, int] | None = None,
    width: int = WIDTH,
    seed: int = 0,
) -> None:
    """Words with Number (SG, PL, missing for some) and embeddings whose `carriers` move with it, per language.

    Only every other word has an embedding, so that rows and words differ.
    """
    sizes = words_per_split or {"train": 360, "dev": 160, "test": 160}
    for place, (language, neurons) in enumerate(carriers.items()):
        random = np.random.default_rng([seed, place])
        splits = random.permutation(np.repeat([*sizes], [2 * size for size in sizes.values()]))
        value = random.integers(0, 2, len(splits))
        missing = random.random(len(splits)) < 0.1
        names = np.array(["PL", "SG"], dtype=object)[value]
        names[missing] = None
        write_words(root, language, {"Number": names.tolist()}, splits.tolist())
        rows = np.arange(0, len(splits), 2, dtype=np.int32)
        for layer in layers:
            hidden = random.normal(size=(len(rows), width)) * random.uniform(0.5, 20, size=width)
            for strength, neuron in zip(np.linspace(1.6, 1.0, len(neurons)), neurons, strict=True):
                hidden[:, neuron] += strength * hidden[:, neuron].std() * (2 * value[rows] - 1)
            file = embeddings.path(root / embeddings.FOLDER / checkpoint, layer, language)
            embeddings.write(file, hidden.astype(np.float16), rows, {"layer": str(layer)})


def write_manifest(
    root: Path, checkpoint: str, *, step: int, layers: int = 3, width: int = WIDTH, dropped: bool = False
) -> None:
    """The verified manifest of the made-up checkpoint."""
    manifest.write(
        manifest.path(checkpoint, root / manifest.VERIFIED),
        Manifest(
            checkpoint=checkpoint, model="made-up", repository=None, commit=None, folder="weights",
            weights_sha256="0" * 64, config_sha256="0" * 64, tokenizer_sha256="0" * 64, parameters=1,
            layers=layers, width=width,
            dtype="float32", step=step, tokens_seen=None, converged=False, dropped=dropped,
        ),
    )  # fmt: skip
