"""The transfer tasks in XTREME's layout: train and dev in the source language, the same test items in all."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

from polyprobe.pocket.documents import draw_document
from polyprobe.pocket.inference import LABELS, Label, draw_triple
from polyprobe.pocket.lexicon import Lexicon, lexicon
from polyprobe.pocket.realisation import realise, text_of
from polyprobe.pocket.semantics import Event, Utterance
from polyprobe.pocket.treebanks import write_lines
from polyprobe.running.files import new_folder
from polyprobe.running.seeds import derive_seed
from polyprobe.study import Pocket

Pair = tuple[Event, Event, Label]
"""Premise, hypothesis, label."""


def write_tasks(folder: Path, languages: list[str], source: str, settings: Pocket) -> None:
    """Write `xnli/` (premise, hypothesis, label) and `udpos/` (word, tag).

    Columns are separated by tabs; in `udpos/` a blank line follows each sentence. No test item is in train or dev. A
    test file depends on its language, the source language (in which repeated items are told), `settings.seed` and its
    own size only.

    Args:
        folder: takes the two folders.
        languages: codes of mini-languages, a test file each.
        source: the code of the language of train and dev.
        settings: the section of params.yaml, with the numbers of items.

    Raises:
        BadInputError: a code that no mini-language has; nothing is written then.
    """
    words = lexicon(source, settings.seed)
    lexicons = {code: lexicon(code, settings.seed) for code in languages}
    files = [("train", source, words), ("dev", source, words)]
    files += [("test", code, target_words) for code, target_words in lexicons.items()]
    with new_folder(folder / "xnli") as target:
        pairs = draw_pairs(settings, words)
        for split, code, own in files:
            write_lines(target / f"{split}-{code}.tsv", _pair_lines(pairs[split], own))
    with new_folder(folder / "udpos") as target:
        sentences = draw_sentences(settings, words)
        for split, code, own in files:
            write_lines(target / f"{split}-{code}.tsv", _tagged_lines(sentences[split], own))


def draw_pairs(settings: Pocket, source: Lexicon) -> dict[str, list[Pair]]:
    """Draw the pairs of each split; no hypothesis (as `source` puts it) is in two splits.

    Args:
        settings: the section of params.yaml.
        source: the words of the source language.

    Returns:
        By split (test, dev, train), its pairs, labels balanced to within one.
    """
    sizes = {"test": settings.nli.test, "dev": settings.nli.dev, "train": settings.nli.train}
    seen: set[str] = set()
    splits = {}
    for split, size in sizes.items():
        random = Random(derive_seed(settings.seed, "pocket nli", split))
        own: set[str] = set()
        pairs: list[Pair] = []
        while len(pairs) < size:
            triple = draw_triple(random)
            hypothesis = _text(triple.hypothesis, source)
            # Within train a hypothesis may come again; in tests each counts once.
            if hypothesis in seen or (split != "train" and hypothesis in own):
                continue
            own.add(hypothesis)
            pairs += [(triple.premises[label], triple.hypothesis, label) for label in LABELS]
        seen |= own
        pairs = pairs[:size]
        random.shuffle(pairs)
        splits[split] = pairs
    return splits


def draw_sentences(settings: Pocket, source: Lexicon) -> dict[str, list[Utterance]]:
    """Draw the sentences of each split of the tagging task; none (as `source` puts it) is there twice.

    Args:
        settings: the section of params.yaml.
        source: the words of the source language.

    Returns:
        By split (test, dev, train), what its sentences say.
    """
    sizes = {"test": settings.pos.test, "dev": settings.pos.dev, "train": settings.pos.train}
    seen: set[str] = set()
    splits = {}
    for split, size in sizes.items():
        random = Random(derive_seed(settings.seed, "pocket pos", split))
        splits[split] = list(islice(_new_utterances(random, source, seen), size))
    return splits


def _new_utterances(random: Random, source: Lexicon, seen: set[str]) -> Iterator[Utterance]:
    while True:
        for utterance in draw_document(random):
            text = text_of(realise(utterance, source))
            if utterance.clause is not None and text not in seen:
                seen.add(text)
                yield utterance


def _text(event: Event, words: Lexicon) -> str:
    return text_of(realise(Utterance(event), words))


def _pair_lines(pairs: Iterable[Pair], words: Lexicon) -> Iterator[str]:
    for premise, hypothesis, label in pairs:
        yield f"{_text(premise, words)}\t{_text(hypothesis, words)}\t{label}"


def _tagged_lines(utterances: Iterable[Utterance], words: Lexicon) -> Iterator[str]:
    for utterance in utterances:
        yield from (f"{token.word.form}\t{token.word.upos}" for token in realise(utterance, words))
        yield ""
