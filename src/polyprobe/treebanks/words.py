"""The words of a language's treebanks with tags, labels and split: the rows of `data/words/<lang>.parquet`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.words import SPLITS
from polyprobe.study import Words
from polyprobe.treebanks.conllu import OnError, Sentence, Token
from polyprobe.treebanks.split import lemma_key, rare_lemmas, split_lemmas
from polyprobe.treebanks.treebank import read_treebank_sentences, treebank_files, treebank_path
from polyprobe.treebanks.unimorph import Analysis, analyse, combine


def word_table(
    folder: Path, language: str, treebanks: Sequence[str], settings: Words, on_error: OnError
) -> pd.DataFrame:
    """One row per word of the text: treebanks in the order given, files in the order train, dev, test.

    A multiword token is one word: form, lemma and tags are its own (usually `_`), and it has an attribute if exactly
    one of its parts has it. Words whose lemma is rarer than `words.min_lemma_count` have no attributes.

    Args:
        folder: what `fetch_ud` wrote.
        language: ISO code.
        treebanks: names of its treebank folders.
        settings: the study's `words`.
        on_error: what a malformed sentence does.

    Raises:
        BadInputError: a treebank is missing or malformed, or there are too few lemmas to split.
    """
    rows = _Rows()
    for treebank in treebanks:
        for file in treebank_files(treebank_path(language, treebank, folder)):
            rows.start_file(treebank, file.name)
            for sentence in read_treebank_sentences(file, language, on_error):
                rows.add(sentence, language)
    keys = [lemma_key(lemma, form) for lemma, form in zip(rows.lemma, rows.form, strict=True)]
    split_of = split_lemmas(keys, settings.seed, where=f"{folder / language}: {', '.join(treebanks)}")
    frame = rows.frame()
    frame["split"] = pd.Categorical([split_of[key] for key in keys], categories=list(SPLITS))
    labels = rows.labels()
    if rare := rare_lemmas(keys, settings.min_lemma_count):
        labels = labels.mask(pd.Series(keys).isin(rare), axis=0)
    return pd.concat([frame, labels], axis=1)


@dataclass
class _Rows:
    """Columns that grow word by word; repeated texts are kept as codes."""

    source: dict[tuple[str, str], int] = field(default_factory=dict)
    analyses: dict[Analysis, int] = field(default_factory=dict)
    sent_id: list[str] = field(default_factory=list)
    sentence_lengths: list[int] = field(default_factory=list)
    sentence_sources: list[int] = field(default_factory=list)
    form: list[str] = field(default_factory=list)
    space_after: list[bool] = field(default_factory=list)
    lemma: list[str] = field(default_factory=list)
    upos: list[str] = field(default_factory=list)
    analysis: list[int] = field(default_factory=list)

    def start_file(self, treebank: str, file: str) -> None:
        self.source[treebank, file] = len(self.source)

    def add(self, sentence: Sentence, language: str) -> None:
        before = len(self.form)
        for word, parts in sentence.surface_words():
            found = _analyse(word, parts, language)
            self.form.append(word.form)
            self.space_after.append(word.space_after)
            self.lemma.append(word.lemma)
            self.upos.append(word.upos)
            self.analysis.append(self.analyses.setdefault(found, len(self.analyses)))
        self.sent_id.append(sentence.sent_id)
        self.sentence_lengths.append(len(self.form) - before)
        self.sentence_sources.append(len(self.source) - 1)

    def frame(self) -> pd.DataFrame:
        """Every column but the split and the labels."""
        lengths = np.array(self.sentence_lengths, dtype=np.int64)
        sentence = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        sources = np.array(self.sentence_sources, dtype=np.int64)[sentence]
        codes = np.array(self.analysis, dtype=np.int64)
        return pd.DataFrame(
            {
                "treebank": _categorical([treebank for treebank, _ in self.source], sources),
                "file": _categorical([file for _, file in self.source], sources),
                "sent_id": np.array(self.sent_id, dtype=object)[sentence],
                "sentence": sentence,
                "position": (np.arange(len(sentence)) - starts).astype(np.int16),
                "form": self.form,
                "space_after": self.space_after,
                "lemma": self.lemma,
                "upos": pd.Categorical(self.upos),
                "unimorph": _categorical([analysis.unimorph for analysis in self.analyses], codes),
            }
        )

    def labels(self) -> pd.DataFrame:
        """One column per dimension, missing where a word has no value."""
        codes = np.array(self.analysis, dtype=np.int64)
        values = [dict(analysis.attributes) for analysis in self.analyses]
        return pd.DataFrame({name: _categorical([entry.get(name) for entry in values], codes) for name in dimensions()})


def _analyse(word: Token, parts: tuple[Token, ...], language: str) -> Analysis:
    whole = analyse(word.upos, word.feats, language, word.form)
    if not word.is_range:
        return whole
    return combine(whole, tuple(analyse(part.upos, part.feats, language, part.form) for part in parts))


def _categorical(values: Iterable[str | None], codes: np.ndarray) -> pd.Categorical:
    """`values` taken at `codes`; categories are sorted, so that equal columns are equal bytes."""
    values = list(values)
    categories = sorted({value for value in values if value is not None})
    place = {value: index for index, value in enumerate(categories)} | {None: -1}
    chosen = np.array([place[value] for value in values], dtype=np.int32)[codes] if len(codes) else codes
    return pd.Categorical.from_codes(chosen, pd.Index(categories, dtype="str"))
