"""In how many runs a category of a treebank survives: ways of splitting its lemmas, ways of choosing among its tags.

Two ways to split: the released code's (unique lemmas in order of first appearance, which depends on the order of the
files, `train_test_split` with random state 0, `_` a lemma like any other) and ours (`polyprobe.treebanks.split`).

Two ways to choose where several tags of a word say something of one dimension: the last one in an arbitrary order of
the tags, as the released code does, and ours (`polyprobe.treebanks.attributes`).

A category survives a run where its second best value has enough words in every split.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, permutations
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.words import SPLITS
from polyprobe.languages.withheld import NO_FORM
from polyprobe.running.errors import BadInputError
from polyprobe.running.progress import progress
from polyprobe.treebanks import attributes, read_treebank_sentences, to_unimorph
from polyprobe.treebanks.split import NO_LEMMA, lemma_key, split_lemmas
from polyprobe.treebanks.treebank import treebank_files
from polyprobe.treebanks.unimorph import read_tag

SEEDS: Final = 20
"""Seeds of our split, and arbitrary orders of the tags."""

Tags = tuple[str, ...]
"""The UniMorph tags of one syntactic word."""
Choice = Callable[[Tags], dict[str, str]]
"""From the tags of one syntactic word to a value per dimension."""


@dataclass(frozen=True)
class Treebank:
    """The words of one treebank."""

    language: str
    files: tuple[str, ...]
    words: pd.DataFrame
    """A row per word in reading order: `form` and `lemma` (a multiword token's are those of its range), `file` and
    `tagging` (places in the lists here)."""
    taggings: tuple[tuple[Tags, ...], ...]
    """The distinct taggings of words: tags for each syntactic word of the word."""

    def lemma_keys(self) -> pd.Series:
        """Return what stands for each word in our split."""
        pairs = zip(self.words["lemma"], self.words["form"], strict=True)
        return pd.Series([lemma_key(lemma, form) for lemma, form in pairs], dtype=object)

    def without_lemma(self) -> int:
        """Return how many words have no lemma."""
        return int((self.words["lemma"] == NO_LEMMA).sum())


@dataclass(frozen=True)
class Runs:
    """How one category fares over the runs of one kind."""

    counts: tuple[int, ...]
    """For each run, the words that the second best value has in the split where it has fewest."""
    minimum: int
    """The words that it needs there."""

    @property
    def survived(self) -> int:
        """In how many runs the category survives."""
        return sum(count >= self.minimum for count in self.counts)

    @property
    def varies(self) -> bool:
        """Whether it survives in some runs and not in others."""
        return 0 < self.survived < len(self.counts)


@dataclass(frozen=True)
class Comparison:
    """One category of one treebank under all kinds of runs, with the counts of `Runs`."""

    minimum: int
    of_seeds: tuple[int, ...]
    """Our split under each seed, our choice among tags."""
    our_split: tuple[int, ...]
    """Our split under seed 0: our choice among tags first, then the last tag in each order of the tags."""
    released_splits: tuple[tuple[int, ...], ...]
    """The released split, the same for each order of the files."""

    @property
    def seeds(self) -> Runs:
        """Our split under each seed, our choice among tags."""
        return Runs(self.of_seeds, self.minimum)

    @property
    def tag_orders(self) -> Runs:
        """Our split under seed 0, the last tag in each order."""
        return Runs(self.our_split[1:], self.minimum)

    @property
    def file_orders(self) -> Runs:
        """The released split under each order of the files, our choice among tags."""
        return Runs(tuple(counts[0] for counts in self.released_splits), self.minimum)

    @property
    def released(self) -> Runs:
        """The released split under each order of the files, the last tag in each order."""
        return Runs(tuple(chain.from_iterable(counts[1:] for counts in self.released_splits)), self.minimum)

    @property
    def tag_choice_decides(self) -> bool:
        """Whether, under some split, the pair survives with one choice among tags and not with another."""
        return any(Runs(counts, self.minimum).varies for counts in (self.our_split, *self.released_splits))


def read_treebank(folder: Path, language: str) -> Treebank:
    """Return the words of a treebank folder.

    Sentences that come without their text are left out.

    Args:
        folder: in UD's layout.
        language: whose UniMorph rules apply.

    Raises:
        BadInputError: the folder is missing or a sentence is malformed.
    """
    files = treebank_files(folder)
    taggings: dict[tuple[Tags, ...], int] = {}
    rows = []
    for number, file in enumerate(files):
        for sentence in read_treebank_sentences(file, language):
            for word, parts in sentence.surface_words():
                tagging = tuple(to_unimorph(part.upos, part.feats, language, part.form) for part in parts)
                if word.form == NO_FORM:
                    tagging = ()
                rows.append((number, word.form, word.lemma, taggings.setdefault(tagging, len(taggings))))
    words = pd.DataFrame(rows, columns=["file", "form", "lemma", "tagging"])
    return Treebank(language, tuple(file.name for file in files), words, tuple(taggings))


def compare(treebank: Treebank, minimum: int) -> dict[str, Comparison]:
    """Return how every category that some word of a treebank has a value in fares, under all kinds of runs.

    Args:
        treebank: its words.
        minimum: words that a value needs in each split.

    Raises:
        BadInputError: too few lemmas to split.
    """
    file_orders = permutations(range(len(treebank.files)))
    of_seeds = [words_by_split(treebank, our_split(treebank, seed)) for seed in range(SEEDS)]
    of_file_orders = [words_by_split(treebank, released_split(treebank, order)) for order in file_orders]
    our_labels = labels(treebank, attributes)
    all_labels = [our_labels, *(labels(treebank, choice) for choice in last_tag_choices(treebank))]
    found = {}
    for category in progress(list(dimensions()), description=treebank.language, unit="category"):
        if our_labels[category].notna().any():
            of_choices = [frame[category] for frame in all_labels]
            found[category] = Comparison(
                minimum,
                of_seeds=tuple(second_best(counts, our_labels[category]) for counts in of_seeds),
                our_split=tuple(second_best(of_seeds[0], values) for values in of_choices),
                released_splits=tuple(
                    tuple(second_best(counts, values) for values in of_choices) for counts in of_file_orders
                ),
            )
    return found


def our_split(treebank: Treebank, seed: int) -> pd.Series:
    """Return the split of each word as the pipeline draws it.

    Args:
        treebank: its words.
        seed: `words.seed`.

    Raises:
        BadInputError: ten lemmas or fewer.
    """
    keys = treebank.lemma_keys()
    return keys.map(split_lemmas(keys, seed, where=", ".join(treebank.files)))


def released_split(treebank: Treebank, file_order: Sequence[int]) -> pd.Series:
    """Return the split of each word as the released code draws it.

    Args:
        treebank: its words.
        file_order: the order in which the files are read.

    Raises:
        BadInputError: ten lemmas or fewer.
    """
    words = treebank.words
    lemmas = pd.concat([words.loc[words["file"] == file, "lemma"] for file in file_order]).unique().tolist()
    if len(lemmas) <= 10:
        raise BadInputError(f"{', '.join(treebank.files)}: {len(lemmas)} lemmas, expected more than 10 to split by")
    train, held_out = train_test_split(lemmas, test_size=0.2, random_state=0)
    half = len(held_out) // 2
    parts = zip(SPLITS, (train, held_out[:half], held_out[half:]), strict=True)
    return words["lemma"].map({lemma: split for split, part in parts for lemma in part})


def last_tag_choices(treebank: Treebank) -> Iterator[Choice]:
    """Yield the choice in which the last tag of a dimension wins, for each of the arbitrary orders of all tags.

    Args:
        treebank: whose tags are ordered.
    """
    tags = sorted({tag for tagging in treebank.taggings for part in tagging for tag in part})
    for seed in range(SEEDS):
        ranks = np.random.default_rng(seed).permutation(len(tags))
        yield partial(last_tag_wins, dict(zip(tags, ranks.tolist(), strict=True)))


def last_tag_wins(ranks: Mapping[str, int], tags: Tags) -> dict[str, str]:
    """Return one value per dimension: that of its tag of the highest rank.

    Args:
        ranks: each tag's place in an order.
        tags: of one syntactic word.
    """
    in_order = (read_tag(tag) for tag in sorted(tags, key=ranks.__getitem__))
    return {attribute.dimension: attribute.value for attribute in in_order if attribute}


def labels(treebank: Treebank, choice: Choice) -> pd.DataFrame:
    """Return the value of each tagging (row) in every dimension (column), missing where it has none.

    A word has an attribute where exactly one of its syntactic words has it.

    Args:
        treebank: whose taggings they are.
        choice: how a syntactic word's value is chosen among its tags.
    """
    rows = []
    for tagging in treebank.taggings:
        attributes_of_parts = [pair for part in tagging for pair in choice(part).items()]
        dimensions_of_parts = [dimension for dimension, _ in attributes_of_parts]
        rows.append({name: value for name, value in attributes_of_parts if dimensions_of_parts.count(name) == 1})
    return pd.DataFrame(rows, columns=list(dimensions()), dtype=object)


def words_by_split(treebank: Treebank, split: pd.Series) -> pd.DataFrame:
    """Return how many words of each tagging (row) are in each split (column).

    Args:
        treebank: its words.
        split: each word's.
    """
    return pd.crosstab(treebank.words["tagging"], split).reindex(columns=list(SPLITS), fill_value=0)


def second_best(counts: pd.DataFrame, values: pd.Series) -> int:
    """Return the words that the second best value has in its smallest split: what must reach `min_label_count`.

    Args:
        counts: words by tagging and split.
        values: each tagging's, missing where it has none.
    """
    in_smallest_split = counts.groupby(values).sum().min(axis=1).nlargest(2)
    return int(in_smallest_split.iloc[1]) if len(in_smallest_split) > 1 else 0
