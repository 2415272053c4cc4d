"""Sentences as they were written, where their words lie in them, and a table of words as stretches of sentences."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int64


@dataclass(frozen=True)
class Sentence:
    """The words of a sentence."""

    forms: tuple[str, ...]
    space_after: tuple[bool, ...]
    """Whether a space follows each word."""

    @property
    def text(self) -> str:
        """The sentence as written."""
        return "".join(form + " " * space for form, space in zip(self.forms, self.space_after, strict=True)).rstrip()

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Each word's first character in the text and the one after its last."""
        spans, start = [], 0
        for form, space in zip(self.forms, self.space_after, strict=True):
            spans.append((start, start + len(form)))
            start += len(form) + space
        return spans


def sentences_of(words: pd.DataFrame) -> Iterator[Sentence]:
    """Yield the sentences of a table of words (`artefacts.words`).

    Args:
        words: whole sentences in the table's order, with the columns sentence, form and space_after.
    """
    numbers = words["sentence"].to_numpy()
    forms, spaces = words["form"].tolist(), words["space_after"].tolist()
    starts = [0, *((numbers[1:] != numbers[:-1]).nonzero()[0] + 1).tolist()] if len(numbers) else []
    for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
        yield Sentence(tuple(forms[start:end]), tuple(spaces[start:end]))


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
    # Of each sentence its first row, and its first wanted word in `rows`; then the ends of both.
    starts = np.append(np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1)), len(numbers))
    bounds = np.searchsorted(rows, starts)
    used = np.flatnonzero(np.diff(bounds))
    first = 0
    while first < len(used):
        within = int(np.searchsorted(bounds[used + 1], bounds[used[first]] + most_words, side="right"))
        last = min(max(within, first + 1), first + most_sentences)
        taken = used[first:last]
        kept = np.concatenate([np.arange(starts[sentence], starts[sentence + 1]) for sentence in taken])
        yield Chunk(
            sentences=tuple(sentences_of(words.iloc[kept])),
            words=[(rows[bounds[each] : bounds[each + 1]] - starts[each]).tolist() for each in taken],
            rows=rows[bounds[taken[0]] : bounds[taken[-1] + 1]],
        )
        first = last
