"""Which categories of a treebank survive under each way of splitting its lemmas and of choosing among its tags.

Two ways to split: the released code's (unique lemmas in order of first appearance, which depends on the order of the
files, `train_test_split` with random state 0, `_` a lemma like any other) and ours (`polyprobe.treebanks.split`). Two
ways to choose where several tags of a word say something of one dimension: the last one in an arbitrary order of the
tags, as the released code does, and ours (`polyprobe.treebanks.attributes`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import permutations, product
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.words import SPLITS, label_counts
from polyprobe.running.errors import BadInputError
from polyprobe.running.progress import progress
from polyprobe.treebanks import attributes, read_treebank_sentences, to_unimorph
from polyprobe.treebanks.split import NO_LEMMA, lemma_key, split_lemmas
from polyprobe.treebanks.treebank import treebank_files
from polyprobe.treebanks.unimorph.tags import read_tag
from polyprobe.treebanks.words import categorical

SEEDS: Final = 20
"""Seeds of our split, and arbitrary orders of the tags."""

Tags = tuple[str, ...]
Reading = Callable[[Tags], dict[str, str]]
"""From the tags of one syntactic word to a value per dimension."""
SplitOf = dict[str, str]
"""The split of each lemma."""


@dataclass(frozen=True)
class Treebank:
    """The words of one treebank in reading order."""

    language: str
    files: tuple[str, ...]
    file: tuple[int, ...]
    """Which file each word is from."""
    lemma: tuple[str, ...]
    """As written; a multiword token's is that of its range."""
    form: tuple[str, ...]
    tags: tuple[tuple[Tags, ...], ...]
    """The tags of each word's syntactic words."""

    def split_keys(self) -> list[str]:
        """What stands for each word in our split."""
        return [lemma_key(lemma, form) for lemma, form in zip(self.lemma, self.form, strict=True)]

    def without_lemma(self) -> int:
        """How many words have `_` for a lemma."""
        return self.lemma.count(NO_LEMMA)


@dataclass(frozen=True)
class Runs:
    """How one category fares over the runs of one kind."""

    margins: tuple[int, ...]
    """For each run, the words that the second best value has in the split where it has fewest."""
    minimum: int
    """What a margin must reach."""

    @property
    def survived(self) -> int:
        """In how many runs two values have enough words in every split."""
        return sum(margin >= self.minimum for margin in self.margins)

    @property
    def varies(self) -> bool:
        """Whether it survives in some runs and not in others."""
        return 0 < self.survived < len(self.margins)


@dataclass(frozen=True)
class Comparison:
    """One category of one treebank under all kinds of runs."""

    seeds: Runs
    """Our split under each seed, our choice among tags."""
    tag_orders: Runs
    """Our split under seed 0, the last tag in each order."""
    file_orders: Runs
    """The released split under each order of the files, our choice among tags."""
    released: Runs
    """The released split under each order of the files, the last tag in each order."""

    @property
    def tie_break_decides(self) -> bool:
        """Whether, under some split, the pair survives with one choice among tags and not with another."""
        ours, released = self.tag_orders.margins, self.released.margins
        of_order = [released[start : start + SEEDS] for start in range(0, len(released), SEEDS)]
        pairs = zip([self.seeds.margins[0], *self.file_orders.margins], [ours, *of_order], strict=True)
        return any(Runs((first, *others), self.seeds.minimum).varies for first, others in pairs)


def read_treebank(folder: Path, language: str) -> Treebank:
    """The words of a treebank folder.

    Raises:
        BadInputError: the folder is missing or a sentence is malformed.
    """
    files = treebank_files(folder)
    place, lemma, form, tags = [], [], [], []
    for number, file in enumerate(files):
        for sentence in read_treebank_sentences(file, language):
            for word, parts in sentence.surface_words():
                place.append(number)
                lemma.append(word.lemma)
                form.append(word.form)
                tags.append(tuple(to_unimorph(part.upos, part.feats, language, part.form) for part in parts))
    return Treebank(language, tuple(file.name for file in files), tuple(place), tuple(lemma), tuple(form), tuple(tags))


def compare(treebank: Treebank, minimum: int) -> dict[str, Comparison]:
    """Every category that some word of the treebank has a value in, under all kinds of runs.

    Args:
        treebank: its words.
        minimum: words that a value needs in each split.

    Raises:
        BadInputError: too few lemmas to split.
    """
    orders = list(permutations(range(len(treebank.files))))
    splits = [
        *(_split_column(treebank.split_keys(), split_ours(treebank, seed)) for seed in range(SEEDS)),
        *(_split_column(treebank.lemma, split_released(treebank, order)) for order in orders),
    ]
    of_order, of_tags = range(SEEDS, SEEDS + len(orders)), range(1, 1 + SEEDS)
    # A run is a split and a reading by number; reading 0 is our choice among tags.
    kinds = {
        "seeds": [(split, 0) for split in range(SEEDS)],
        "tag_orders": [(0, reading) for reading in of_tags],
        "file_orders": [(split, 0) for split in of_order],
        "released": list(product(of_order, of_tags)),
    }
    codes, distinct = _distinct_words(treebank)
    readings = [[_held_once(parts, reading) for parts in distinct] for reading in (attributes, *tag_orders(treebank))]

    @cache
    def margin_of(split: int, values: tuple[str | None, ...]) -> int:
        return margin(pd.Series(categorical(values, codes)), splits[split])

    found = {}
    for category in progress(list(dimensions()), description=treebank.language, unit="category"):
        values = [tuple(held.get(category) for held in reading) for reading in readings]
        if any(values[0]):
            runs = {
                kind: Runs(tuple(margin_of(split, values[reading]) for split, reading in pairs), minimum)
                for kind, pairs in kinds.items()
            }
            found[category] = Comparison(**runs)
    return found


def split_ours(treebank: Treebank, seed: int) -> SplitOf:
    """Our split of the words' keys.

    Raises:
        BadInputError: ten lemmas or fewer.
    """
    return split_lemmas(treebank.split_keys(), seed, where=", ".join(treebank.files))


def split_released(treebank: Treebank, order: Sequence[int]) -> SplitOf:
    """The released code's split, the files read in the given order.

    Raises:
        BadInputError: ten lemmas or fewer.
    """
    from sklearn.model_selection import train_test_split

    by_file: list[dict[str, None]] = [{} for _ in treebank.files]
    for file, lemma in zip(treebank.file, treebank.lemma, strict=True):
        by_file[file][lemma] = None
    lemmas = list(dict.fromkeys(lemma for file in order for lemma in by_file[file]))
    if len(lemmas) <= 10:
        raise BadInputError(f"{', '.join(treebank.files)}: {len(lemmas)} lemmas, expected more than 10 to split by")
    train, held_out = train_test_split(lemmas, test_size=0.2, random_state=0)
    half = len(held_out) // 2
    parts = zip(SPLITS, (train, held_out[:half], held_out[half:]), strict=True)
    return {lemma: split for split, part in parts for lemma in part}


def tag_orders(treebank: Treebank) -> Iterator[Reading]:
    """For each of the arbitrary orders of all tags, the reading in which the last tag of a dimension wins."""
    tags = sorted({tag for parts in treebank.tags for part in parts for tag in part})
    for seed in range(SEEDS):
        places = np.random.default_rng(seed).permutation(len(tags))
        yield partial(last_tag_wins, dict(zip(tags, places.tolist(), strict=True)))


def last_tag_wins(place: dict[str, int], tags: Tags) -> dict[str, str]:
    """One value per dimension: that of the last tag in the order that `place` gives."""
    read = (read_tag(tag) for tag in sorted(tags, key=place.__getitem__))
    return {attribute.dimension: attribute.value for attribute in read if attribute}


def labels(treebank: Treebank, reading: Reading) -> pd.DataFrame:
    """Each word's value in every dimension, missing where it has none: an attribute that exactly one part has."""
    codes, distinct = _distinct_words(treebank)
    values = [_held_once(parts, reading) for parts in distinct]
    return pd.DataFrame({name: categorical([held.get(name) for held in values], codes) for name in dimensions()})


def _distinct_words(treebank: Treebank) -> tuple[np.ndarray, list[tuple[Tags, ...]]]:
    """Which of the distinct tags each word has, and these."""
    distinct: dict[tuple[Tags, ...], int] = {}
    codes = [distinct.setdefault(parts, len(distinct)) for parts in treebank.tags]
    return np.array(codes, dtype=np.int64), list(distinct)


def _held_once(parts: Sequence[Tags], reading: Reading) -> dict[str, str]:
    held = [pair for part in parts for pair in reading(part).items()]
    names = [name for name, _ in held]
    return {name: value for name, value in held if names.count(name) == 1}


def _split_column(lemmas: Sequence[str], split_of: SplitOf) -> pd.Series:
    return pd.Series(pd.Categorical([split_of[lemma] for lemma in lemmas], categories=list(SPLITS)))


def margin(of_words: pd.Series, splits: pd.Series) -> int:
    """What must reach `min_label_count` for a category to survive: the least split of its second best value.

    Args:
        of_words: each word's value, missing where it has none.
        splits: each word's split.
    """
    least = sorted(label_counts(of_words, splits).min(axis=1), reverse=True)
    return int(least[1]) if len(least) > 1 else 0
