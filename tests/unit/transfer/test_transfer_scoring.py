"""Scores and their standard errors against sklearn, the binomial and the bootstrap."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from polyprobe.transfer.examples import LOST
from polyprobe.transfer.scoring import f1_xtreme, score, task_scores
from polyprobe.transfer.tasks import pos


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


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "f1_xtreme"])
def test_intervals_are_those_of_resampled_sentences(metric: str) -> None:
    """Against scoring each resample anew."""
    gold, predicted = tagged(60, seed=5)
    low, high = task_scores(gold, predicted, pos.LABELS, [metric])[metric].interval()
    generator = np.random.default_rng(60)
    resampled: list[float] = []
    for _ in range(10):
        for draws in generator.multinomial(60, np.full(60, 1 / 60), 100):
            rows = np.repeat(np.arange(60), draws)
            drawn_gold, drawn_predicted = [gold[row] for row in rows], [predicted[row] for row in rows]
            if metric == "f1_xtreme" and len(resampled) >= 100:
                break  # seqeval is slow
            resampled.append(task_scores(drawn_gold, drawn_predicted, pos.LABELS, [metric])[metric].value)
    if metric == "f1_xtreme":
        assert low < np.median(resampled) < high
    else:
        assert (low, high) == pytest.approx(tuple(np.quantile(resampled, [0.025, 0.975])))


@pytest.mark.slow
def test_intervals_cover_the_truth() -> None:
    """Pairs of 300 that are right with probability 0.7: 95 % of intervals hold it, to the accuracy of 300 trials."""
    generator = np.random.default_rng(7)
    inside = 0
    for _ in range(300):
        right = generator.random(300) < 0.7
        low, high = score([[1]] * 300, [[int(hit)] for hit in right], 2)["accuracy"].interval()
        inside += low <= 0.7 <= high
    assert 0.91 <= inside / 300 <= 0.98


def test_one_example_has_no_spread() -> None:
    assert score([[1, 1]], [[1, 0]], 2)["accuracy"].interval() == (0.5, 0.5)


def test_a_lost_item_is_wrong_and_no_class_false_alarm() -> None:
    lost = score([[0, 1], [1]], [[0, LOST], [1]], 2)
    assert lost["accuracy"].value == pytest.approx(2 / 3)
    assert lost["f1"] == lost["accuracy"]
    # Class 0: perfect. Class 1: one hit, one miss, no false alarm: 2 / 3.
    assert lost["f1_macro"].value == pytest.approx((1 + 2 / 3) / 2)


def numbers(*tags: str) -> list[int]:
    return [LOST if tag == "lost" else pos.LABELS.index(tag) for tag in tags]


def released_code(gold: list[list[int]], predicted: list[list[int]]) -> float:
    """What the released code computes; its lists have no word that was cut off."""
    from seqeval.metrics import f1_score as span_f1

    kept = [[(want, guess) for want, guess in zip(*rows, strict=True) if guess != LOST]
            for rows in zip(gold, predicted, strict=True)]  # fmt: skip
    sides = ([[pos.LABELS[pair[side]] for pair in row] for row in kept] for side in (0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(span_f1(*sides))


def tagged(sentences: int, seed: int, lost: float = 0.0) -> tuple[list[list[int]], list[list[int]]]:
    generator = np.random.default_rng(seed)
    gold = [generator.integers(0, 17, generator.integers(1, 13)).tolist() for _ in range(sentences)]
    predicted = []
    for labels in gold:
        wrong = generator.random(len(labels)) < generator.uniform(0, 0.8)
        guesses = np.where(wrong, generator.integers(0, 17, len(labels)), labels)
        predicted.append(np.where(generator.random(len(labels)) < lost, LOST, guesses).tolist())
    return gold, predicted


@pytest.mark.parametrize("lost", [0.0, 0.3, 1.0])
def test_the_released_codes_figure_is_seqevals(lost: float) -> None:
    for seed in range(20):
        gold, predicted = tagged(30, seed, lost)
        assert f1_xtreme(gold, predicted, pos.LABELS).value == pytest.approx(released_code(gold, predicted), abs=1e-12)


@pytest.mark.parametrize(
    ("gold", "predicted", "value"),
    [
        # Tags that differ in the first letter only are equal.
        (("NOUN", "SCONJ"), ("NOUN", "CCONJ"), 1.0),
        (("ADJ", "NOUN"), ("ADJ", "VERB"), 0.5),
        # Adjacent equal tags are one span: one wrong word of three costs the whole span. Gold 1, predicted 3, right 0.
        (("NOUN", "NOUN", "NOUN"), ("NOUN", "VERB", "NOUN"), 0.0),
        (("NOUN", "NOUN", "NOUN"), ("NOUN", "NOUN", "NOUN"), 1.0),
        # Two words of three are right, one span of two on either side.
        (("NOUN", "NOUN", "VERB"), ("NOUN", "NOUN", "ADJ"), 0.5),
        # A word that was cut off is in neither list.
        (("NOUN", "NOUN", "VERB"), ("NOUN", "NOUN", "lost"), 1.0),
        (("NOUN", "VERB", "NOUN"), ("NOUN", "lost", "NOUN"), 1.0),
    ],
)
def test_the_released_codes_figure_by_hand(gold: tuple[str, ...], predicted: tuple[str, ...], value: float) -> None:
    assert f1_xtreme([numbers(*gold)], [numbers(*predicted)], pos.LABELS).value == pytest.approx(value)


def test_spans_end_with_their_sentence() -> None:
    gold = [numbers("VERB", "NOUN"), numbers("NOUN", "VERB")]
    predicted = [numbers("VERB", "NOUN"), numbers("VERB", "VERB")]
    # Gold: 4 spans, predicted: 3, right: the first sentence's two.
    assert f1_xtreme(gold, predicted, pos.LABELS).value == pytest.approx(2 * 2 / 7)


@pytest.mark.slow
def test_its_error_agrees_with_the_bootstrap() -> None:
    gold, predicted = tagged(300, seed=4)
    generator = np.random.default_rng(5)
    resampled = []
    for _ in range(200):
        rows = generator.integers(0, 300, 300)
        drawn_gold, drawn_predicted = [gold[row] for row in rows], [predicted[row] for row in rows]
        resampled.append(f1_xtreme(drawn_gold, drawn_predicted, pos.LABELS).value)
    # 200 resamples know a standard deviation to 5 %.
    assert f1_xtreme(gold, predicted, pos.LABELS).standard_error == pytest.approx(np.std(resampled), rel=0.2)


def test_a_task_gets_the_scores_that_it_names() -> None:
    gold, predicted = tagged(50, seed=6)
    scores = task_scores(gold, predicted, pos.LABELS, pos.METRICS)
    assert tuple(scores) == pos.METRICS == ("f1", "f1_macro", "accuracy", "f1_xtreme")
    assert scores["f1"].value == score(gold, predicted, 17)["f1"].value
    assert task_scores(gold, predicted, pos.LABELS, ["f1"]).keys() == {"f1"}
