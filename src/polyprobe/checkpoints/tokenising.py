"""Sub-words of sentences and of their words, found by character offsets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from polyprobe.checkpoints.sentences import Sentence

Tokenisation = Literal["natural", "isolated"]

NO_LIMIT: Final = 1 << 20


@dataclass(frozen=True)
class TokenisedSentence:
    """A sentence's sub-words, without special ones."""

    ids: list[int]
    words: list[list[int]]
    """For each word the positions of its sub-words in `ids`, at least one."""
    shared: int
    """Sub-words that more than one word has."""


def tokenise(tokenizer: Any, sentences: Sequence[Sentence], tokenisation: Tokenisation) -> list[TokenisedSentence]:
    """The sub-words of sentences as written (natural), or of each word alone without spaces (isolated).

    A sub-word that overlaps two words belongs to both; the space that it may begin or end with is no part of a word. A
    word that no sub-word overlaps (nothing but characters that the tokenizer drops) takes the sub-word before it.
    """
    if not sentences:
        return []
    return _isolated(tokenizer, sentences) if tokenisation == "isolated" else _natural(tokenizer, sentences)


def encode(tokenizer: Any, texts: Sequence[str], *, offsets: bool = False) -> Any:
    """Texts as ids without special sub-words, whole however long they are."""
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
    """The special sub-words that the tokenizer puts before and behind a sentence."""
    encoding = tokenizer("a", add_special_tokens=True, return_special_tokens_mask=True)
    ids, mask = encoding["input_ids"], encoding["special_tokens_mask"]
    first, last = mask.index(0), len(mask) - mask[::-1].index(0)
    return ids[:first], ids[last:]


def _natural(tokenizer: Any, sentences: Sequence[Sentence]) -> list[TokenisedSentence]:
    texts = [sentence.text for sentence in sentences]
    encoding = encode(tokenizer, texts, offsets=True)
    return [
        _locate(ids, offsets, sentence.spans, text)
        for ids, offsets, sentence, text in zip(
            encoding["input_ids"], encoding["offset_mapping"], sentences, texts, strict=True
        )
    ]


def _locate(
    ids: list[int], offsets: list[tuple[int, int]], spans: list[tuple[int, int]], text: str
) -> TokenisedSentence:
    words: list[list[int]] = [[] for _ in spans]
    shared = 0
    first = 0
    for position, (start, end) in enumerate(offsets):
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        if start == end:
            continue
        while first < len(spans) and spans[first][1] <= start:
            first += 1
        owners = 0
        word = first
        while word < len(spans) and spans[word][0] < end:
            if spans[word][1] > start:
                words[word].append(position)
                owners += 1
            word += 1
        shared += owners > 1
    return TokenisedSentence(ids, _filled(words, len(ids)), shared)


def _isolated(tokenizer: Any, sentences: Sequence[Sentence]) -> list[TokenisedSentence]:
    forms = sorted({form for sentence in sentences for form in sentence.forms})
    subwords: dict[str, list[int]] = dict(zip(forms, encode(tokenizer, forms)["input_ids"], strict=True))
    found = []
    for sentence in sentences:
        ids: list[int] = []
        words: list[list[int]] = []
        for form in sentence.forms:
            words.append(list(range(len(ids), len(ids) + len(subwords[form]))))
            ids += subwords[form]
        found.append(TokenisedSentence(ids, _filled(words, len(ids)), 0))
    return found


def _filled(words: list[list[int]], subwords: int) -> list[list[int]]:
    """The same, words without sub-words given the one before them, or the first."""
    if subwords == 0 and words:
        raise ValueError("the tokenizer finds no sub-word in a sentence")
    before = 0
    for positions in words:
        if not positions:
            positions.append(before)
        before = positions[-1]
    return words
