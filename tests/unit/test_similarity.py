"""Similarity of parallel sentences."""

import numpy as np
import pytest

from polyprobe.alignment.similarity import sentence_similarity, similarity_table
from polyprobe.artefacts import similarity


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b))


def test_equals_a_loop_over_pairs() -> None:
    generator = np.random.default_rng(0)
    source, target = generator.normal(size=(2, 12, 5)).astype(np.float32)
    target += 0.5 * source
    cosines = [[_cosine(a, b) for b in target] for a in source]
    found = sentence_similarity(source, target)
    assert found.cosine == pytest.approx(np.mean([cosines[i][i] for i in range(12)]), abs=1e-6)
    others = [cosines[i][j] for i in range(12) for j in range(12) if i != j]
    assert found.mismatched == pytest.approx(np.mean(others), abs=1e-6)
    assert found.precision_at_1 == np.mean([int(np.argmax(cosines[i])) == i for i in range(12)])
    assert found.pairs == 12


def test_translations_that_are_the_same_vectors_are_all_found() -> None:
    vectors = np.random.default_rng(1).normal(size=(20, 8))
    found = sentence_similarity(vectors, 3 * vectors)
    assert found.cosine == pytest.approx(1)
    assert found.precision_at_1 == 1
    assert found.mismatched < 0.5


def test_vectors_that_are_all_the_same_find_their_translation_by_chance_only() -> None:
    vectors = np.ones((10, 4))
    found = sentence_similarity(vectors, vectors)
    assert found.precision_at_1 == pytest.approx(0.1)
    assert found.cosine == pytest.approx(found.mismatched)


def test_zero_vectors_are_similar_to_none() -> None:
    found = sentence_similarity(np.zeros((3, 4)), np.ones((3, 4)))
    assert (found.cosine, found.mismatched) == (0, 0)


def test_one_pair_is_too_few() -> None:
    with pytest.raises(ValueError, match="at least two pairs"):
        sentence_similarity(np.ones((1, 4)), np.ones((1, 4)))


def test_the_table_has_a_row_per_layer_language_and_pooling(tmp_path) -> None:
    generator = np.random.default_rng(2)
    states = {
        language: {(layer, pooling): generator.normal(size=(6, 4)) for layer in (3, 10) for pooling in ("mean", "last")}
        for language in ("qac", "qaa", "qab")
    }
    table = similarity_table(states, "qaa")
    assert table[["layer", "language", "pooling"]].values.tolist() == [
        [layer, language, pooling] for layer in (3, 10) for language in ("qab", "qac") for pooling in ("last", "mean")
    ]
    expected = sentence_similarity(states["qaa"][10, "mean"], states["qac"][10, "mean"])
    assert table.iloc[-1]["cosine"] == expected.cosine
    similarity.write(tmp_path / "similarity.parquet", table)
    assert len(similarity.read(tmp_path / "similarity.parquet")) == 8


@pytest.mark.parametrize("states", [{}, {"qab": {(1, "mean"): np.ones((2, 2))}}])
def test_without_parallel_text_of_the_source_language_the_table_is_empty(states, tmp_path) -> None:
    similarity.write(tmp_path / "similarity.parquet", similarity_table(states, "qaa"))
    assert similarity.read(tmp_path / "similarity.parquet").empty
