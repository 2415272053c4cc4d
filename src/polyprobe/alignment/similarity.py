"""How alike a model finds sentences and their translations."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float


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


def sentence_similarity(
    source: Float[np.ndarray, "pair neuron"], target: Float[np.ndarray, "pair neuron"]
) -> Similarity:
    """Compares parallel sentences; row i of `target` translates row i of `source`.

    A vector of nothing but zeros is similar to none (cosine 0).

    Raises:
        ValueError: fewer than two pairs, which leaves no mismatched ones.
    """
    pairs = len(source)
    if pairs < 2:
        raise ValueError(f"expected at least two pairs, got {pairs}")
    cosines = _unit(source) @ _unit(target).T
    matched = np.diagonal(cosines)
    best = cosines.max(axis=1)
    tied = (cosines == best[:, None]).sum(axis=1)
    return Similarity(
        cosine=float(matched.mean()),
        mismatched=float((cosines.sum() - matched.sum()) / (pairs * (pairs - 1))),
        precision_at_1=float(((matched == best) / tied).mean()),
        pairs=pairs,
    )


def similarity_table(
    embeddings: Mapping[str, Mapping[tuple[int, str], Float[np.ndarray, "pair neuron"]]], source_language: str
) -> pd.DataFrame:
    """One row per layer, target language and pooling, in the columns of `artefacts.similarity`.

    Args:
        embeddings: per language, by layer and pooling, one row per parallel sentence; may be empty.
        source_language: the language that the others are compared with.
    """
    columns = ["layer", "language", "pooling", "cosine", "mismatched", "precision_at_1", "pairs"]
    source = embeddings.get(source_language, {})
    rows = [
        {"layer": layer, "language": language, "pooling": pooling}
        | asdict(sentence_similarity(source[layer, pooling], states))
        for language, by_layer in embeddings.items()
        if source and language != source_language
        for (layer, pooling), states in by_layer.items()
    ]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:3], ignore_index=True)


def _unit(vectors: Float[np.ndarray, "pair neuron"]) -> Float[np.ndarray, "pair neuron"]:
    wide = vectors.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: Float[np.ndarray, "pair neuron"] = wide / np.where(norms > 0, norms, 1.0)
    return unit
