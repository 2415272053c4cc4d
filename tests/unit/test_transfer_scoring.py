"""Scores and their standard errors against sklearn, the binomial and the bootstrap."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from polyprobe.transfer.examples import LOST
from polyprobe.transfer.scoring import score


def drawn(examples: int, items: int, seed: int) -> tuple[list[list[int]], list[list[int]]]:
    """Sentences of up to `items` words with 5 classes, the last one only predicted."""
    generator = np.random.default_rng(seed)
    gold = [generator.integers(0, 4, generator.integers(1, items + 1)).tolist() for _ in range(examples)]
    predicted = []
    for labels in gold:
        wrong = generator.random(len(labels)) < generator.uniform(0, 0.8)
        predicted.append(np.where(wrong, generator.integers(0, 5, len(labels)), labels).tolist())
    return gold, predicted


def test_scores_equal_sklearns() -> None:
    gold, predicted = drawn(200, 12, seed=0)
    flat_gold, flat_predicted = np.concatenate(gold), np.concatenate(predicted)
    scores = score(gold, predicted, 5)
    assert scores["accuracy"].value == pytest.approx(accuracy_score(flat_gold, flat_predicted))
    assert scores["f1"].value == pytest.approx(f1_score(flat_gold, flat_predicted, average="micro"))
    macro = f1_score(flat_gold, flat_predicted, average="macro", labels=sorted(set(flat_gold)))
    assert scores["f1_macro"].value == pytest.approx(macro)


def test_with_one_item_each_the_error_is_the_binomial() -> None:
    gold, predicted = drawn(500, 1, seed=1)
    accuracy = score(gold, predicted, 5)["accuracy"]
    p = accuracy.value
    assert accuracy.standard_error == pytest.approx(np.sqrt(p * (1 - p) / 500))


@pytest.mark.parametrize("metric", ["f1", "f1_macro"])
def test_errors_over_sentences_agree_with_the_bootstrap(metric: str) -> None:
    gold, predicted = drawn(300, 10, seed=2)
    generator = np.random.default_rng(3)
    resampled = []
    for _ in range(400):
        rows = generator.integers(0, 300, 300)
        resampled.append(score([gold[row] for row in rows], [predicted[row] for row in rows], 5)[metric].value)
    # 400 resamples know a standard deviation to 3.5 %; the rest is linearisation.
    assert score(gold, predicted, 5)[metric].standard_error == pytest.approx(np.std(resampled), rel=0.15)


def test_a_lost_item_is_wrong_and_no_class_false_alarm() -> None:
    lost = score([[0, 1], [1]], [[0, LOST], [1]], 2)
    assert lost["accuracy"].value == pytest.approx(2 / 3)
    assert lost["f1"] == lost["accuracy"]
    # Class 0: perfect. Class 1: one hit, one miss, no false alarm: 2 / 3.
    assert lost["f1_macro"].value == pytest.approx((1 + 2 / 3) / 2)
