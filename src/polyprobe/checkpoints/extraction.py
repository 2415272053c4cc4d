"""From a language's table of words to the float16 embeddings of the selected ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float16, Float32, Int64

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.embedding import embed_words
from polyprobe.checkpoints.sentences import sentences_of
from polyprobe.checkpoints.tokenising import Tokenisation
from polyprobe.running.errors import BadInputError


@dataclass(frozen=True)
class SelectedWords:
    """Embeddings of a language's selected words."""

    embeddings: dict[int, Float16[np.ndarray, "word neuron"]]
    """By layer."""
    metadata: dict[str, str]
    """What the artefact says of them, except the layer."""


def embed_selected_words(
    model: Any,
    tokenizer: Any,
    words: pd.DataFrame,
    rows: Int64[np.ndarray, " word"],
    layers: list[int],
    *,
    manifest: Manifest,
    language: str,
    tokenisation: Tokenisation,
    batch_tokens: int,
) -> SelectedWords:
    """Embeddings of some of a language's words; only sentences that hold one of them are run.

    Args:
        model: the checkpoint's base model.
        tokenizer: its tokenizer.
        words: the language's table of words (sentence, form, space_after), rows numbered from 0.
        rows: the words wanted, ascending.
        layers: numbered from 1.
        manifest: the checkpoint.
        language: for messages and progress.
        tokenisation: see `word_embeddings`.
        batch_tokens: see `word_embeddings`.

    Raises:
        BadInputError: a state that float16 cannot hold.
    """
    numbers = words["sentence"].to_numpy()
    kept = np.flatnonzero(np.isin(numbers, np.unique(numbers[rows])))
    starts, sentences = zip(*sentences_of(words.iloc[kept]), strict=True) if len(kept) else ((), ())
    places = np.searchsorted(kept, rows)
    bounds = np.searchsorted(places, [*starts, len(kept)])
    wanted = [(places[bounds[number] : bounds[number + 1]] - start).tolist() for number, start in enumerate(starts)]
    embedded = embed_words(
        model, tokenizer, sentences, layers,
        words=wanted, tokenisation=tokenisation, batch_tokens=batch_tokens, description=f"words {language}",
    )  # fmt: skip
    forms = words["form"]
    return SelectedWords(
        embeddings={
            layer: _to_float16(states, forms, rows, f"{manifest.checkpoint}: {language}: layer {layer}")
            for layer, states in embedded.embeddings.items()
        },
        metadata={
            "weights_sha256": manifest.weights_sha256,
            "tokenisation": tokenisation,
            "shared_subwords": f"{embedded.shared_subwords / max(1, embedded.subwords):.6f}",
            "split_sentences": str(embedded.split_sentences),
        },
    )


def _to_float16(
    states: Float32[np.ndarray, "word neuron"], forms: pd.Series, rows: Int64[np.ndarray, " word"], where: str
) -> Float16[np.ndarray, "word neuron"]:
    with np.errstate(over="ignore"):
        small = states.astype(np.float16)
    bad = np.argwhere(~np.isfinite(small))
    if len(bad):
        word, neuron = bad[0]
        raise BadInputError(
            f"{where}: word {forms.iloc[rows[word]]!r} (row {rows[word]}): neuron {neuron} is "
            f"{states[word, neuron]:g}, expected a finite number within float16's {np.finfo(np.float16).max:g}"
        )
    return small
