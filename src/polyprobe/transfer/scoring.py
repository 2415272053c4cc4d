"""Scores of labelled items, with standard errors over examples.

An example (a pair, a sentence) is the unit that is drawn at random, so that a standard error is that of a ratio
estimator over examples, by linearisation: for one item per example, accuracy's is the binomial sqrt(p (1 - p) / n).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from polyprobe.transfer.examples import LOST


@dataclass(frozen=True)
class Score:
    """A score in [0, 1] and its standard error."""

    value: float
    standard_error: float


def score(gold: list[list[int]], predicted: list[list[int]], classes: int) -> dict[str, Score]:
    """Accuracy, micro-F1 over items, and macro-F1 over the classes that occur in `gold`.

    An item without a prediction (LOST) is wrong: a miss of its class, in micro-F1 a false alarm too, so that micro-F1
    and accuracy are one number.

    Args:
        gold: per example, its items' label numbers below `classes`.
        predicted: the same shape, LOST where there is no prediction.
    """
    hits = np.zeros((len(gold), classes), dtype=np.int64)
    golds = np.zeros_like(hits)
    guesses = np.zeros_like(hits)
    for row, (wanted, found) in enumerate(zip(gold, predicted, strict=True)):
        for want, guess in zip(wanted, found, strict=True):
            golds[row, want] += 1
            hits[row, want] += want == guess
            if guess != LOST:
                guesses[row, guess] += 1
    accuracy = _accuracy(hits, golds)
    return {"accuracy": accuracy, "f1": accuracy, "f1_macro": _macro_f1(hits, golds, guesses)}


def _accuracy(hits: Int[ndarray, "example label"], golds: Int[ndarray, "example label"]) -> Score:
    total = golds.sum()
    value = float(hits.sum() / total)
    return Score(value, _standard_error((hits.sum(1) - value * golds.sum(1)) / total))


def _macro_f1(
    hits: Int[ndarray, "example label"],
    golds: Int[ndarray, "example label"],
    guesses: Int[ndarray, "example label"],
) -> Score:
    present = golds.sum(0) > 0
    doubled = 2 * hits[:, present]
    extent = golds[:, present] + guesses[:, present]
    f1 = doubled.sum(0) / extent.sum(0)
    influences = (doubled - f1 * extent) / extent.sum(0)
    return Score(float(f1.mean()), _standard_error(influences.mean(1)))


def _standard_error(influences: Float[ndarray, " example"]) -> float:
    return float(np.sqrt((influences**2).sum()))
