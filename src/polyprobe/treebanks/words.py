"""The words of a language's treebanks with tags, labels and split: the rows of `data/words/<lang>.parquet`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.words import SPLITS
from polyprobe.languages.withheld import NO_FORM
from polyprobe.study import Words
from polyprobe.treebanks.conllu import OnError, Problem, Sentence
from polyprobe.treebanks.split import lemma_key, rare_lemmas, split_lemmas
from polyprobe.treebanks.treebank import read_treebank_sentences, treebank_files, treebank_path
from polyprobe.treebanks.unimorph import Analysis, analyse, combine

SyntacticWord = tuple[str, str, str]
"""UPOS, FEATS, UniMorph tags joined by `;`."""

_CHUNK: Final = 1 << 18
"""Rows held as a frame at a time."""
_ALL: Final = slice(None)


def read_words(
    folder: Path, language: str, treebanks: Sequence[str], settings: Words, on_error: OnError
) -> "WordTable":
    """Read the words of the text: treebanks in the order given, files in the order train, dev, test.

    A multiword token is one word: form, lemma and tags are its own (usually `_`), and it has an attribute if exactly
    one of its parts has it. Words whose lemma is rarer than `words.min_lemma_count` have no attributes, and neither
    have words without a form; sentences without their text are left out.

    Args:
        folder: what `fetch_ud` wrote.
        language: ISO code.
        treebanks: names of its treebank folders.
        settings: the study's `words`.
        on_error: what happens at a malformed sentence.

    Raises:
        BadInputError: a treebank is missing or malformed, or there are too few lemmas to split.
    """
    rows = _Rows()
    for treebank in treebanks:
        for file in treebank_files(treebank_path(language, treebank, folder)):
            rows.source[treebank, file.name] = len(rows.source)
            for sentence in read_treebank_sentences(file, language, on_error, rows.skipped, rows.withheld):
                rows.add(sentence, language)
    return WordTable(rows, settings, where=f"{folder / language}: {', '.join(treebanks)}")


@dataclass
class _Rows:
    """Columns that grow word by word; repeated texts are kept as codes."""

    source: dict[tuple[str, str], int] = field(default_factory=dict)
    sent_id: list[str] = field(default_factory=list)
    sentence_lengths: list[int] = field(default_factory=list)
    sentence_sources: list[int] = field(default_factory=list)
    texts: dict[str, int] = field(default_factory=dict)
    """Forms and lemmas."""
    form: list[int] = field(default_factory=list)
    lemma: list[int] = field(default_factory=list)
    tags: dict[str, int] = field(default_factory=dict)
    """UPOS."""
    upos: list[int] = field(default_factory=list)
    space_after: list[bool] = field(default_factory=list)
    analyses: dict[Analysis, int] = field(default_factory=dict)
    analysis: list[int] = field(default_factory=list)
    tokens: Counter[SyntacticWord] = field(default_factory=Counter)
    """How often each occurs."""
    skipped: list[Problem] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)

    def add(self, sentence: Sentence, language: str) -> None:
        texts, analyses, before = self.texts, self.analyses, len(self.form)
        for word, parts in sentence.surface_words():
            of_parts = tuple(analyse(part.upos, part.feats, language, part.form) for part in parts)
            found = of_parts[0]
            if word.is_range:
                found = combine(analyse(word.upos, word.feats, language, word.form), of_parts)
            self.form.append(texts.setdefault(word.form, len(texts)))
            self.lemma.append(texts.setdefault(word.lemma, len(texts)))
            self.upos.append(self.tags.setdefault(word.upos, len(self.tags)))
            self.space_after.append(word.space_after)
            self.analysis.append(analyses.setdefault(found, len(analyses)))
            for part, own in zip(parts, of_parts, strict=True):
                self.tokens[part.upos, part.feats, own.unimorph] += 1
        self.sent_id.append(sentence.sent_id)
        self.sentence_lengths.append(len(self.form) - before)
        self.sentence_sources.append(len(self.source) - 1)


class WordTable:
    """The words of one language, compact; frames of them on demand.

    Args:
        rows: what was read.
        settings: the study's `words`.
        where: what the words are from, for errors.

    Raises:
        BadInputError: there are too few lemmas to split.
    """

    def __init__(self, rows: _Rows, settings: Words, where: str) -> None:
        self._rows = rows
        self.tokens: Final = rows.tokens
        """How often each kind of syntactic word occurs (the parts of multiword tokens, not the tokens)."""
        self.skipped: Final = rows.skipped
        """What was wrong with the sentences left out."""
        self.withheld: Final = rows.withheld
        """The sent_id of each sentence left out because it comes without its text."""
        self._texts = np.array([*rows.texts, None], dtype=object)[:-1]
        self._form, self._lemma, self._upos, self._analysis = (
            np.array(column, dtype=np.int32) for column in (rows.form, rows.lemma, rows.upos, rows.analysis)
        )
        pairs, occurrence = np.unique(self._lemma.astype(np.int64) * len(rows.texts) + self._form, return_inverse=True)
        written = [tuple(self._texts[[*divmod(pair, len(rows.texts))]]) for pair in pairs.tolist()]
        keys = [lemma_key(lemma, form) for lemma, form in written]
        split_of = split_lemmas(keys, settings.seed, where)
        self._split = np.array([SPLITS.index(split_of[key]) for key in keys], dtype=np.int8)[occurrence]
        rare = rare_lemmas(keys, np.bincount(occurrence, minlength=len(keys)).tolist(), settings.min_lemma_count)
        unlabelled = [key in rare or form == NO_FORM for key, (_, form) in zip(keys, written, strict=True)]
        self._unlabelled = np.array(unlabelled, dtype=bool)[occurrence]
        self._space_after = np.array(rows.space_after, dtype=bool)
        lengths = np.array(rows.sentence_lengths, dtype=np.int64)
        self._sentence = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        self._source = np.repeat(np.array(rows.sentence_sources, dtype=np.int32), lengths)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        self._position = (np.arange(len(self)) - starts).astype(np.int16)

    def __len__(self) -> int:
        return len(self._form)

    def frames(self) -> Iterator[pd.DataFrame]:
        """Yield the rows in order, some at a time; at least one frame."""
        for start in range(0, max(len(self), 1), _CHUNK):
            yield self.frame(slice(start, start + _CHUNK))

    def frame(self, rows: slice = _ALL) -> pd.DataFrame:
        """Return the rows in one frame.

        Args:
            rows: those wanted.
        """
        sentence, source = self._sentence[rows], self._source[rows]
        frame = pd.DataFrame(
            {
                "treebank": categorical([treebank for treebank, _ in self._rows.source], source),
                "file": categorical([file for _, file in self._rows.source], source),
                "sent_id": np.array(self._rows.sent_id, dtype=object)[sentence],
                "sentence": sentence,
                "position": self._position[rows],
                "form": self._texts[self._form[rows]],
                "space_after": self._space_after[rows],
                "lemma": self._texts[self._lemma[rows]],
                "upos": categorical(self._rows.tags, self._upos[rows]),
                "unimorph": categorical([entry.unimorph for entry in self._rows.analyses], self._analysis[rows]),
            }
        )
        return pd.concat([frame, self.labels(rows)], axis=1)

    def labels(self, rows: slice = _ALL) -> pd.DataFrame:
        """Return the split and one column per dimension, missing where a word has no value; one row per word.

        Args:
            rows: those wanted.
        """
        codes = np.where(self._unlabelled[rows], len(self._rows.analyses), self._analysis[rows])
        values = [*(dict(entry.attributes) for entry in self._rows.analyses), {}]
        splits = pd.Categorical.from_codes(self._split[rows], pd.Index(list(SPLITS), dtype="str"))
        columns = {name: categorical([entry.get(name) for entry in values], codes) for name in dimensions()}
        return pd.DataFrame({"split": splits} | columns)


def categorical(values: Iterable[str | None], codes: np.ndarray) -> pd.Categorical:
    """Return `values` taken at `codes`, with sorted categories, so that equal columns are equal bytes.

    Args:
        values: texts, some of which may be equal; None is a missing value.
        codes: indices into `values`, one per row.

    Returns:
        One text per row, shape [rows].
    """
    values = list(values)
    categories = sorted({value for value in values if value is not None})
    number = {value: index for index, value in enumerate(categories)} | {None: -1}
    chosen = np.array([number[value] for value in values], dtype=np.int32)[codes] if len(codes) else codes
    return pd.Categorical.from_codes(chosen, pd.Index(categories, dtype="str"))
