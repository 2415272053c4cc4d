"""From a language's table of words to the float16 embeddings of the selected ones, a stretch of sentences at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float16, Float32, Int64
from torch import Tensor

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.embedding import embed_words
from polyprobe.checkpoints.sentences import chunks
from polyprobe.checkpoints.tokenising import Tokenisation
from polyprobe.running.errors import BadInputError
from polyprobe.running.progress import progress

CHUNK_BYTES: Final = 1 << 30
"""Of the float32 states that are held at once, whatever the treebank's size."""
CHUNK_SENTENCES: Final = 20_000


@dataclass(frozen=True)
class Subwords:
    """How the tokenizer cut the sentences that hold an embedded word."""

    sentences: int
    words: int
    """Those embedded."""
    subwords: int
    """Of the whole sentences."""
    shared_subwords: int
    """Those that two words share."""
    split_sentences: int
    """Sentences longer than the model's limit."""


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
    append: Callable[[dict[int, Float16[np.ndarray, "word neuron"]]], object],
    chunk_bytes: int = CHUNK_BYTES,
) -> Subwords:
    """Embed some of a language's words, and hand them on as they come.

    Only sentences that hold one of the words are run. A chunk's sentences are sorted by length among themselves. Where
    the chunks end has no influence on the result beyond rounding.

    Args:
        model: the checkpoint's base model.
        tokenizer: its tokenizer.
        words: the language's table of words (sentence, form, space_after), rows numbered from 0.
        rows: the words wanted, ascending.
        layers: numbered from 1.
        manifest: the checkpoint.
        language: for messages and progress.
        tokenisation: see `embed_words`.
        batch_tokens: see `word_embeddings`.
        append: given, in the order of `rows`, the embeddings of some more words by layer.
        chunk_bytes: so much of hidden states is held at once.

    Raises:
        BadInputError: float16 cannot hold a state, or a batch does not fit into memory.
    """
    most_words = chunk_bytes // (4 * manifest.width * len(layers))
    sentences = words["sentence"].iloc[rows].nunique()
    subwords = shared = split = 0
    bar: Any = progress(description=f"words {language}", total=sentences, unit="sentence")
    with bar:
        for chunk in chunks(words, rows, most_words=most_words, most_sentences=CHUNK_SENTENCES):
            embedded = embed_words(
                model,
                tokenizer,
                chunk.sentences,
                layers,
                words=chunk.words,
                tokenisation=tokenisation,
                batch_tokens=batch_tokens,
                advance=bar.update,
            )
            where = f"{manifest.checkpoint}: {language}: layer"
            append(
                {
                    layer: _to_float16(states, words["form"], chunk.rows, f"{where} {layer}")
                    for layer, states in embedded.states.items()
                }
            )
            subwords += embedded.subwords
            shared += embedded.shared_subwords
            split += embedded.split_sentences
            del embedded  # or it would be held while the next chunk's states are computed
    return Subwords(sentences, len(rows), subwords, shared, split)


def _to_float16(
    states: Float32[Tensor, "word neuron"], forms: pd.Series, rows: Int64[np.ndarray, " word"], where: str
) -> Float16[np.ndarray, "word neuron"]:
    small = states.to(torch.float16)
    finite = small.isfinite()
    if not finite.all():
        word, neuron = (~finite).nonzero()[0].tolist()
        raise BadInputError(
            f"{where}: word {forms.iloc[rows[word]]!r} (row {rows[word]}): neuron {neuron} is "
            f"{states[word, neuron]:g}, expected a finite number within float16's {np.finfo(np.float16).max:g}"
        )
    return small.cpu().numpy()
