"""A table of words, a stretch of sentences at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int64

from polyprobe.checkpoints.sentences import Sentence, sentences_of


@dataclass(frozen=True)
class Chunk:
    """Sentences that follow one another, and the words wanted of them."""

    sentences: tuple[Sentence, ...]
    words: list[list[int]]
    """For each sentence the positions of the words wanted, at least one."""
    rows: Int64[np.ndarray, " word"]
    """The wanted words' rows in the table."""


def chunks(
    words: pd.DataFrame, rows: Int64[np.ndarray, " word"], *, most_words: int, most_sentences: int
) -> Iterator[Chunk]:
    """Yield the sentences that hold a wanted word, in the table's order, so many at a time.

    Args:
        words: whole sentences with the columns sentence, form and space_after, rows numbered from 0.
        rows: the words wanted, ascending.
        most_words: wanted words of a chunk at most, unless its one sentence has more.
        most_sentences: sentences of a chunk at most.
    """
    numbers = words["sentence"].to_numpy()
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
    bounds = np.searchsorted(rows, np.append(starts, len(numbers)))
    used = np.flatnonzero(np.diff(bounds))
    ends = np.append(starts[1:], len(numbers))
    first = 0
    while first < len(used):
        within = int(np.searchsorted(bounds[used + 1], bounds[used[first]] + most_words, side="right"))
        last = min(max(within, first + 1), first + most_sentences)
        yield _chunk(words, rows, starts[used[first:last]], ends[used[first:last]])
        first = last


def _chunk(
    words: pd.DataFrame,
    rows: Int64[np.ndarray, " word"],
    starts: Int64[np.ndarray, " sentence"],
    ends: Int64[np.ndarray, " sentence"],
) -> Chunk:
    kept = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends, strict=True)])
    sentences = tuple(sentences_of(words.iloc[kept]))
    bounds = np.searchsorted(rows, np.append(starts, ends[-1]))
    wanted = [
        (rows[low:high] - start).tolist() for low, high, start in zip(bounds[:-1], bounds[1:], starts, strict=True)
    ]
    return Chunk(sentences, wanted, rows[bounds[0] : bounds[-1]])
