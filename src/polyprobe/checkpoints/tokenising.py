"""Sub-words of sentences and of their words, found by character offsets."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Bool, Int, Int64

from polyprobe.checkpoints.sentences import Sentence
from polyprobe.running.errors import BadInputError

Tokenisation = Literal["natural", "isolated"]

NO_LIMIT: Final = 1 << 20

_SPACES: Final = np.array([code for code in range(0x10000) if chr(code).isspace()], dtype=np.uint32)


@dataclass(frozen=True)
class TokenisedSentence:
    """A sentence's sub-words, without special ones, and which of them each word has (at least one)."""

    ids: Int[np.ndarray, " subword"]
    positions: Int[np.ndarray, " member"]
    """The words' sub-words, word by word, by their positions in `ids`."""
    words: Int[np.ndarray, " member"]
    """The word that each of these belongs to, ascending."""
    shared: int
    """Sub-words that more than one word has."""


def tokenise(tokenizer: Any, sentences: Sequence[Sentence], tokenisation: Tokenisation) -> list[TokenisedSentence]:
    """Return the sub-words of sentences as written (natural), or of each word alone without spaces (isolated).

    A sub-word that overlaps two words belongs to both; the space that it may begin or end with is no part of a word. A
    word that no sub-word overlaps (nothing but characters that the tokenizer drops) takes the sub-word before it.

    Args:
        tokenizer: a fast tokenizer.
        sentences: whole sentences.
        tokenisation: natural or isolated.

    Raises:
        BadInputError: the tokenizer finds no sub-word in a sentence.
    """
    if not sentences:
        return []
    return _isolated(tokenizer, sentences) if tokenisation == "isolated" else _natural(tokenizer, sentences)


def encode(tokenizer: Any, texts: Sequence[str], *, offsets: bool = False) -> Any:
    """Return texts as ids without special sub-words, whole however long they are.

    Args:
        tokenizer: a fast tokenizer.
        texts: the texts.
        offsets: whether the characters of each sub-word are wanted too.

    Returns:
        What the tokenizer returns: `input_ids` and, if wanted, `offset_mapping`, with one list per text.
    """
    return tokenizer(
        list(texts),
        add_special_tokens=False,
        return_offsets_mapping=offsets,
        return_attention_mask=False,
        return_token_type_ids=False,
        truncation=False,
        padding=False,
        verbose=False,
    )


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the special sub-words that the tokenizer puts before and behind a sentence.

    Raises:
        BadInputError: the tokenizer finds no sub-word in "a".
    """
    encoding = tokenizer("a", add_special_tokens=True, return_special_tokens_mask=True)
    ids, mask = encoding["input_ids"], encoding["special_tokens_mask"]
    if 0 not in mask:
        raise BadInputError("the tokenizer finds no sub-word in 'a', expected one that knows the letter")
    first, last = mask.index(0), len(mask) - mask[::-1].index(0)
    return ids[:first], ids[last:]


def _natural(tokenizer: Any, sentences: Sequence[Sentence]) -> list[TokenisedSentence]:
    encoding = encode(tokenizer, [sentence.text for sentence in sentences], offsets=True)
    # Sentences one behind the other in one text, a space between any two, whose characters are numbered.
    texts = [
        "".join(form + " " * space for form, space in zip(sentence.forms, sentence.space_after, strict=True))
        for sentence in sentences
    ]
    lengths = _flat(len(text) + 1 for text in texts)
    subwords_per_sentence = _flat(map(len, encoding["input_ids"]))
    offsets = _flat(chain.from_iterable(chain.from_iterable(encoding["offset_mapping"]))).reshape(-1, 2)
    offsets = offsets + np.repeat(np.cumsum(lengths) - lengths, subwords_per_sentence)[:, None]
    starts, ends = _trimmed(offsets, _solid(" ".join(texts)))
    word_starts, word_ends = _word_bounds(sentences)
    # A sub-word overlaps the words from the first that ends behind its start to the last that begins before its end.
    first_word = np.searchsorted(word_ends, starts, side="right")
    after_last_word = np.searchsorted(word_starts, ends, side="left")
    words_per_subword = np.where(starts < ends, after_last_word - first_word, 0).clip(min=0)
    subwords = np.repeat(np.arange(len(words_per_subword)), words_per_subword)
    words = np.repeat(first_word, words_per_subword) + _counted(words_per_subword)
    return _by_sentence(encoding["input_ids"], _words_of(sentences), words, subwords, words_per_subword > 1)


def _word_bounds(
    sentences: Sequence[Sentence],
) -> tuple[Int64[np.ndarray, " word"], Int64[np.ndarray, " word"]]:
    """Return words' first characters and those after their last, a space between any two sentences."""
    lengths = _flat(len(form) for sentence in sentences for form in sentence.forms)
    spaces = _flat(space for sentence in sentences for space in sentence.space_after)
    spaces_between_sentences = np.repeat(np.arange(len(sentences)), _words_of(sentences))
    ends = np.cumsum(lengths + spaces) - spaces + spaces_between_sentences
    return ends - lengths, ends


def _isolated(tokenizer: Any, sentences: Sequence[Sentence]) -> list[TokenisedSentence]:
    forms = sorted({form for sentence in sentences for form in sentence.forms})
    subwords: dict[str, list[int]] = dict(zip(forms, encode(tokenizer, forms)["input_ids"], strict=True))
    ids = [list(chain.from_iterable(subwords[form] for form in sentence.forms)) for sentence in sentences]
    lengths = _flat(len(subwords[form]) for sentence in sentences for form in sentence.forms)
    words = np.repeat(np.arange(len(lengths)), lengths)
    return _by_sentence(ids, _words_of(sentences), words, np.arange(len(words)), np.zeros(len(words), dtype=bool))


def _words_of(sentences: Sequence[Sentence]) -> Int64[np.ndarray, " sentence"]:
    """Return how many words each sentence has."""
    return _flat(len(sentence.forms) for sentence in sentences)


def _solid(text: str) -> Bool[np.ndarray, " character"]:
    """Return which characters are no spaces."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    solid: Bool[np.ndarray, " character"] = np.isin(codes, _SPACES, invert=True)
    return solid


def _trimmed(
    offsets: Int64[np.ndarray, "subword 2"], solid: Bool[np.ndarray, " character"]
) -> tuple[Int64[np.ndarray, " subword"], Int64[np.ndarray, " subword"]]:
    """Return sub-words' first characters and those after their last, without the spaces at both ends."""
    places = np.arange(len(solid))
    following = np.minimum.accumulate(np.where(solid, places, len(solid))[::-1])[::-1]
    start, end = offsets.T
    start = np.minimum(np.append(following, len(solid))[start], end)
    preceding = np.maximum.accumulate(np.where(solid, places + 1, 0))
    return start, np.maximum(np.append(0, preceding)[end], start)


def _by_sentence(
    ids: list[list[int]],
    counts: Int64[np.ndarray, " sentence"],
    words: Int64[np.ndarray, " member"],
    places: Int64[np.ndarray, " member"],
    shared: Bool[np.ndarray, " subword"],
) -> list[TokenisedSentence]:
    """Cut what is numbered over all sentences; words without sub-words are given the one before them, or the first.

    Args:
        ids: each sentence's sub-words.
        counts: how many words each sentence has.
        words: the word of each membership of a sub-word in a word.
        places: its sub-word.
        shared: whether more than one word has the sub-word.

    Raises:
        BadInputError: a sentence with words has no sub-word.
    """
    lengths = _flat(map(len, ids))
    if np.any((lengths == 0) & (counts > 0)):
        raise BadInputError("the tokenizer finds no sub-word in a sentence, expected one that knows its characters")
    first_word, first_place = np.cumsum(counts) - counts, np.cumsum(lengths) - lengths
    last = np.full(counts.sum(), -1)
    np.maximum.at(last, words, places)
    empty = np.flatnonzero(last < 0)
    starts = first_word[counts > 0]
    last[starts] = np.maximum(last[starts], first_place[counts > 0])
    known = np.maximum.accumulate(np.where(last < 0, 0, np.arange(len(last))))
    words, places = np.append(words, empty), np.append(places, last[known[empty]])
    order = np.lexsort((places, words))
    words, places = words[order], places[order]
    bounds = np.searchsorted(words, np.append(first_word, len(last)))
    twice = np.append(0, np.cumsum(shared))
    return [
        TokenisedSentence(
            ids=np.array(mine, dtype=np.int64),
            positions=places[low:high] - position,
            words=words[low:high] - word,
            shared=int(twice[position + len(mine)] - twice[position]),
        )
        for mine, low, high, word, position in zip(ids, bounds[:-1], bounds[1:], first_word, first_place, strict=True)
    ]


def _flat(numbers: Any) -> Int64[np.ndarray, " number"]:
    return np.fromiter(numbers, dtype=np.int64)


def _counted(lengths: Int64[np.ndarray, " run"]) -> Int64[np.ndarray, " member"]:
    """Return 0, 1, 2, … for each run."""
    counted: Int64[np.ndarray, " member"] = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return counted
