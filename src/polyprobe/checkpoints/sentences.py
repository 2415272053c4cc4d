"""Sentences as they were written, and where their words lie in them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd


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
