"""Task files in XTREME's layout, written.

A file holds text as it is, without quoting. What the layout cannot hold, a tab or a line end inside a text, becomes a
space; a word with nothing in it becomes `_`, UD's sign for no form.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from polyprobe.transfer.examples import word_form

_SEPARATORS: Final = re.compile(r"\r\n|[\t\n\r]")


def write_pairs(file: Path, pairs: Iterable[tuple[str, str, str]]) -> None:
    """Write premises, hypotheses and labels, a pair per line.

    Args:
        file: where to; its folder is made if it is not there.
        pairs: premise, hypothesis and label of each.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as opened:
        for premise, hypothesis, label in pairs:
            opened.write(f"{_one_line(premise)}\t{_one_line(hypothesis)}\t{label}\n")


def write_sentences(file: Path, sentences: Iterable[tuple[Sequence[str], Sequence[str]]]) -> None:
    """Write words and tags, a word per line, a blank line after each sentence.

    Args:
        file: where to; its folder is made if it is not there.
        sentences: words and tags of each.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as opened:
        for words, tags in sentences:
            for word, tag in zip(words, tags, strict=True):
                opened.write(f"{word_form(_one_line(word))}\t{tag}\n")
            opened.write("\n")


def _one_line(text: str) -> str:
    return _SEPARATORS.sub(" ", text)
