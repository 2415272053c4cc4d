"""Scores of labelled items, with standard errors and intervals over examples.

Each score is a ratio of two sums over examples, or the mean of such ratios over labels. An example (a pair, a sentence)
is the unit that is drawn at random: the standard error is that of a ratio estimator, by linearisation (for one item per
example, accuracy's is the binomial sqrt(p (1 - p) / n)), and the interval that of the bootstrap over examples.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int, Real
from numpy import ndarray

from polyprobe.transfer.examples import LOST

RESAMPLES: Final = 1000
LEVEL: Final = 0.95
_CHUNK: Final = 100
"""Resamples at a time: what memory a bootstrap takes."""


@dataclass(frozen=True, eq=False)
class Score:
    """A score in [0, 1]: the mean over labels of the ratios of two sums over examples."""

    parts: Int[ndarray, "example label"]
    wholes: Int[ndarray, "example label"]

    @property
    def value(self) -> float:
        """The score; 0 where there is nothing to score."""
        return float(_mean_ratio(self.parts.sum(0, keepdims=True), self.wholes.sum(0, keepdims=True))[0])

    @property
    def standard_error(self) -> float:
        """The standard error over examples, by linearisation."""
        present = self.wholes.sum(0) > 0
        if not present.any():
            return 0.0
        parts, wholes = self.parts[:, present], self.wholes[:, present]
        influences = (parts - parts.sum(0) / wholes.sum(0) * wholes) / wholes.sum(0)
        return float(np.sqrt((influences.mean(1) ** 2).sum()))

    def interval(self) -> tuple[float, float]:
        """Return the interval of the bootstrap over examples, by percentiles at `LEVEL`.

        A label absent from a resample is left out of it. All scores of as many examples have the same resamples.
        """
        examples = len(self.parts)
        generator = np.random.default_rng(examples)
        # How often each example is drawn, so that a resample's sums are a product of matrices.
        chances = np.full(examples, 1 / examples)
        drawn = (generator.multinomial(examples, chances, _CHUNK).astype(float) for _ in range(RESAMPLES // _CHUNK))
        values = np.concatenate([_mean_ratio(draws @ self.parts, draws @ self.wholes) for draws in drawn])
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)


def _mean_ratio(
    parts: Real[ndarray, "resample label"], wholes: Real[ndarray, "resample label"]
) -> Float[ndarray, " resample"]:
    present = wholes > 0
    ratios = np.divide(parts, wholes, out=np.zeros(parts.shape), where=present)
    means: Float[ndarray, " resample"] = ratios.sum(1) / np.maximum(present.sum(1), 1)
    return means


def task_scores(
    gold: list[list[int]], predicted: list[list[int]], labels: Sequence[str], metrics: Sequence[str]
) -> dict[str, Score]:
    """Return the scores that a task reports: `accuracy`, `f1` and `f1_macro` of `score`, and `f1_xtreme`.

    Args:
        gold: per example, its items' label numbers.
        predicted: the same shape, LOST where there is no prediction.
        labels: the labels' names by their numbers.
        metrics: which scores to give, in this order.
    """
    scores = score(gold, predicted, len(labels))
    if "f1_xtreme" in metrics:
        scores["f1_xtreme"] = f1_xtreme(gold, predicted, labels)
    return {metric: scores[metric] for metric in metrics}


def score(gold: list[list[int]], predicted: list[list[int]], classes: int) -> dict[str, Score]:
    """Return accuracy, micro-F1 over items, and macro-F1 over the classes that occur in `gold`.

    An item without a prediction (LOST) is wrong: a miss of its class, in micro-F1 a false alarm too, so that micro-F1
    and accuracy are one number.

    Args:
        gold: per example, its items' label numbers below `classes`.
        predicted: the same shape, LOST where there is no prediction.
        classes: the number of labels.

    Returns:
        The scores as `accuracy`, `f1` and `f1_macro`.
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
    accuracy = Score(hits.sum(1, keepdims=True), golds.sum(1, keepdims=True))
    present = golds.sum(0) > 0
    macro = Score(2 * hits[:, present], (golds + guesses)[:, present])
    return {"accuracy": accuracy, "f1": accuracy, "f1_macro": macro}


def confusion(
    gold: list[list[int]], predicted: list[list[int]], labels: Sequence[str]
) -> dict[tuple[str, str | None], int]:
    """Count how many items of each gold label got each prediction.

    Args:
        gold: per example, its items' label numbers.
        predicted: the same shape, LOST where there is no prediction.
        labels: the labels' names by their numbers.

    Returns:
        Items per gold and predicted label, for the pairs that occur, in the labels' order; no prediction is None, after
        the labels.
    """
    counts = np.zeros((len(labels), len(labels) + 1), dtype=np.int64)
    for wanted, found in zip(gold, predicted, strict=True):
        for want, guess in zip(wanted, found, strict=True):
            counts[want, guess if guess != LOST else len(labels)] += 1
    names = [*labels, None]
    return {(labels[want], names[guess]): int(counts[want, guess]) for want, guess in np.argwhere(counts)}


def f1_xtreme(gold: list[list[int]], predicted: list[list[int]], labels: Sequence[str]) -> Score:
    """Return the released code's figure: seqeval's micro-F1 over spans, with tags given as if they were chunk tags.

    seqeval takes a tag's first letter for the place in a chunk and the rest for its type: adjacent words of one tag
    are one span (but for SCONJ and SYM), and CCONJ predicted for SCONJ is right. An item without a prediction (LOST)
    is left out of both the gold and the predicted tags, as in the released code, whose words end with the last
    sub-word that the model reads.

    Args:
        gold: per sentence, its words' label numbers.
        predicted: the same shape, LOST where there is no prediction.
        labels: the labels' names by their numbers.
    """
    kept = [
        [(labels[want], labels[guess]) for want, guess in zip(wanted, found, strict=True) if guess != LOST]
        for wanted, found in zip(gold, predicted, strict=True)
    ]
    golds, guesses = (_spans([[pair[side] for pair in sentence] for sentence in kept]) for side in (0, 1))
    ends = np.cumsum([len(sentence) + 1 for sentence in kept])
    hits, extent = (_per_sentence(spans, ends) for spans in (golds & guesses, [*golds, *guesses]))
    return Score(2 * hits[:, np.newaxis], extent[:, np.newaxis])


_Span = tuple[str, int, int]
"""Type, first and last word."""


def _spans(sentences: list[list[str]]) -> set[_Span]:
    """Return the spans of all sentences, words counted through all of them with one place more after each.

    All at once: seqeval lets a span that begins with a sentence's first word X begin in the sentence before.
    """
    from seqeval.metrics.sequence_labeling import get_entities

    with warnings.catch_warnings():
        # The tags are none of a chunk, which is what makes the figure what it is.
        warnings.filterwarnings("ignore", message=r".* seems not to be NE tag\.", category=UserWarning)
        return set(get_entities(sentences))


def _per_sentence(spans: Iterable[_Span], ends: Int[ndarray, " sentence"]) -> Int[ndarray, " sentence"]:
    """Count the spans that end in each sentence.

    Args:
        spans: those of all sentences, as `_spans` counts words.
        ends: the place after each sentence, the one place more included.
    """
    places = np.searchsorted(ends, [last for _, _, last in spans], side="right")
    return np.bincount(places, minlength=len(ends))
