"""How alike a model finds sentences and their translations."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

Embed = Callable[[list[str]], Mapping[tuple[int, Literal["mean", "last"]], Float[np.ndarray, "sentence neuron"]]]
"""From sentences to their hidden states by layer and pooling."""


_ROWS: Final = 1000
"""Sentences whose cosines with all translations are held at once."""


@dataclass(frozen=True)
class Similarity:
    """Cosine similarity of sentences with their translations."""

    cosine: float
    """Mean over pairs."""
    mismatched: float
    """Mean cosine of a sentence with another one's translation: what the space's shape alone gives."""
    precision_at_1: float
    """Share of sentences whose nearest neighbour among all translations is their own; ties count in part."""
    pairs: int


_COLUMNS: Final = ["layer", "language", "pooling", *(field.name for field in fields(Similarity))]


def sentence_similarity(
    source: Float[np.ndarray, "pair neuron"], target: Float[np.ndarray, "pair neuron"]
) -> Similarity:
    """Compare sentences with their translations.

    A vector of nothing but zeros is similar to none (cosine 0).

    Args:
        source: hidden states of the sentences.
        target: those of the translations; row i translates row i of `source`.

    Raises:
        ValueError: fewer than two pairs, which leaves no mismatched ones.
    """
    pairs = len(source)
    if pairs < 2:
        raise ValueError(f"expected at least two pairs, got {pairs}")
    ours, theirs = _unit(source), _unit(target)
    matched, total, right = np.empty(pairs), 0.0, 0.0
    for start in range(0, pairs, _ROWS):
        rows = np.arange(start, min(start + _ROWS, pairs))
        cosines = ours[rows] @ theirs.T
        matched[rows] = cosines[np.arange(len(rows)), rows]
        best = cosines.max(axis=1)
        right += ((matched[rows] == best) / (cosines == best[:, None]).sum(axis=1)).sum()
        total += cosines.sum()
    return Similarity(
        cosine=float(matched.mean()),
        mismatched=float((total - matched.sum()) / (pairs * (pairs - 1))),
        precision_at_1=float(right / pairs),
        pairs=pairs,
    )


def similarity_table(pairs: pd.DataFrame, embed: Embed, source_language: str) -> pd.DataFrame:
    """Return one row per layer, target language and pooling, in the columns of `artefacts.similarity`.

    A target language is compared with the source language on the pairs that it has. Each sentence goes through the
    model once, the source language's first; the states of one target language are held at a time.

    Args:
        pairs: parallel sentences (`artefacts.parallel`), may be empty.
        embed: the model.
        source_language: the language that the others are compared with.

    Raises:
        ValueError: a language shares a single pair with the source language.
    """
    sides = {str(language): side for language, side in pairs.sort_values("pair").groupby("language", observed=True)}
    source = sides.pop(source_language, pairs[:0])
    shared = {language: side.merge(source, on="pair", suffixes=("", "_source")) for language, side in sides.items()}
    places, texts = pd.factorize(source["text"])
    first = dict(zip(source["pair"], places, strict=True))
    states = embed(texts.tolist()) if any(map(len, shared.values())) else {}
    rows: list[dict[str, object]] = []
    for language, both in shared.items():
        ours = np.array([first[pair] for pair in both["pair"]], dtype=np.int64)
        theirs, texts = pd.factorize(both["text"])
        for (layer, pooling), found in (embed(texts.tolist()) if len(both) else {}).items():
            compared = sentence_similarity(states[layer, pooling][ours], found[theirs])
            rows.append({"layer": layer, "language": language, "pooling": pooling} | asdict(compared))
    return pd.DataFrame(rows, columns=_COLUMNS).sort_values(_COLUMNS[:3], ignore_index=True)


def no_similarities() -> pd.DataFrame:
    """Return the table of a study without parallel sentences."""
    return pd.DataFrame(columns=_COLUMNS)


def _unit(vectors: Float[np.ndarray, "pair neuron"]) -> Float[np.ndarray, "pair neuron"]:
    wide = vectors.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: Float[np.ndarray, "pair neuron"] = wide / np.where(norms > 0, norms, 1.0)
    return unit
