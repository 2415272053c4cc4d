"""Similarity of parallel sentences."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polyprobe.artefacts import similarity
from polyprobe.checkpoints.similarity import no_similarities, sentence_similarity, similarity_table


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b))


@pytest.mark.parametrize("rows", [1, 5, 12, 1000])
def test_equals_a_loop_over_pairs(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyprobe.checkpoints.similarity._ROWS", rows)
    generator = np.random.default_rng(0)
    source, target = generator.normal(size=(2, 12, 5)).astype(np.float32)
    target += 0.5 * source
    cosines = [[_cosine(a, b) for b in target] for a in source]
    found = sentence_similarity(source, target)
    assert found.cosine == pytest.approx(np.mean([cosines[i][i] for i in range(12)]), abs=1e-6)
    others = [cosines[i][j] for i in range(12) for j in range(12) if i != j]
    assert found.mismatched == pytest.approx(np.mean(others), abs=1e-6)
    assert found.precision_at_1 == pytest.approx(np.mean([int(np.argmax(cosines[i])) == i for i in range(12)]))
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


def _pairs(**sides: dict[int, str]) -> pd.DataFrame:
    rows = [(pair, language, text) for language, side in sides.items() for pair, text in side.items()]
    return pd.DataFrame(rows, columns=["pair", "language", "text"]).sample(frac=1, random_state=0)


class _Model:
    """Random states of sentences, the same ones for the same sentence; keeps what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, texts: list[str]) -> Any:
        self.calls.append(texts)
        return {
            (layer, pooling): np.stack([self.state(text, layer, pooling) for text in texts])
            for layer in (3, 10)
            for pooling in ("mean", "last")
        }

    def state(self, text: str, layer: int, pooling: str) -> np.ndarray:
        return np.random.default_rng([layer, *pooling.encode(), *text.encode()]).normal(size=4)


def test_the_table_has_a_row_per_layer_language_and_pooling(tmp_path: Path) -> None:
    sides = {language: {pair: f"{language} {pair}" for pair in range(6)} for language in ("qac", "qaa", "qab")}
    model = _Model()
    table = similarity_table(_pairs(**sides), model, "qaa")
    assert table[["layer", "language", "pooling"]].values.tolist() == [
        [layer, language, pooling] for layer in (3, 10) for language in ("qab", "qac") for pooling in ("last", "mean")
    ]
    source, target = (model(list(sides[language].values()))[10, "mean"] for language in ("qaa", "qac"))
    assert table.iloc[-1]["cosine"] == sentence_similarity(source, target).cosine
    assert model.calls[0] == list(sides["qaa"].values())  # in the pairs' order
    similarity.TABLE.write(table, tmp_path / "similarity.parquet")
    assert len(similarity.TABLE.read(tmp_path / "similarity.parquet")) == 8


def test_each_language_is_compared_on_its_own_pairs_and_no_sentence_runs_twice() -> None:
    source = {0: "one", 1: "two", 2: "two", 3: "three", 4: "four"}
    model = _Model()
    table = similarity_table(
        _pairs(qaa=source, qab={0: "x", 1: "y"}, qac={2: "z", 3: "x", 4: "z"}, qad={}), model, "qaa"
    )
    assert sorted(map(tuple, model.calls)) == sorted([("one", "two", "three", "four"), ("x", "y"), ("z", "x")])
    for language, pairs, texts in (("qab", [0, 1], ["x", "y"]), ("qac", [2, 3, 4], ["z", "x", "z"])):
        states = [np.stack([model.state(text, 3, "last") for text in side]) for side in
                  ([source[pair] for pair in pairs], texts)]  # fmt: skip
        expected = sentence_similarity(*states)
        row = table[(table["language"] == language) & (table["layer"] == 3) & (table["pooling"] == "last")].iloc[0]
        assert (row["cosine"], row["mismatched"], row["pairs"]) == (expected.cosine, expected.mismatched, len(pairs))
    assert set(table["language"]) == {"qab", "qac"}


@pytest.mark.parametrize("sides", [{}, {"qab": {0: "x", 1: "y"}}, {"qaa": {0: "x"}, "qab": {1: "y"}}])
def test_without_parallel_text_of_the_source_language_the_table_is_empty(
    sides: dict[str, dict[int, str]], tmp_path: Path
) -> None:
    model = _Model()
    for table in (similarity_table(_pairs(**sides), model, "qaa"), no_similarities()):
        similarity.TABLE.write(table, tmp_path / "similarity.parquet")
        assert similarity.TABLE.read(tmp_path / "similarity.parquet").empty
    assert model.calls == []
