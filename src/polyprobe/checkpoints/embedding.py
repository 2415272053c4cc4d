"""Hidden states of words and of sentences: means over their sub-words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

from polyprobe.checkpoints.pooling import Groups, count_split, length_limit, pooled_states
from polyprobe.checkpoints.sentences import Sentence
from polyprobe.checkpoints.tokenising import Tokenisation, encode, special_tokens, tokenise

Pooling = Literal["mean", "last"]


@dataclass(frozen=True)
class EmbeddedWords:
    """Hidden states of words, and what had to be done to get them."""

    embeddings: dict[int, Float32[np.ndarray, "word neuron"]]
    """By layer."""
    subwords: int
    """Sub-words of all sentences."""
    shared_subwords: int
    """Those that two words share."""
    split_sentences: int
    """Sentences longer than the model's limit."""


def word_embeddings(
    model: Any,
    tokenizer: Any,
    sentences: Sequence[Sentence],
    layers: Sequence[int],
    *,
    words: Sequence[Sequence[int]] | None = None,
    tokenisation: Tokenisation = "natural",
    max_length: int | None = None,
    batch_tokens: int = 8192,
) -> dict[int, Float32[np.ndarray, "word neuron"]]:
    """Hidden states of words at some layers: the mean over each word's sub-words (fidelity rows 16 to 19).

    Args:
        model: a base model of transformers, causal or encoder.
        tokenizer: its fast tokenizer.
        sentences: whole sentences; each goes through the model as written.
        layers: numbered from 1, the embedding output; the last is after the final layer norm.
        words: for each sentence the positions of the words wanted; None for all of them.
        tokenisation: natural: the sentence as written; isolated: each word alone, without spaces.
        max_length: sub-words that the model takes at once; None for what model and tokenizer say.
        batch_tokens: sub-words of one forward pass; no influence on the result beyond rounding.

    Returns:
        By layer, one row per word in the order of sentences and words.
    """
    return embed_words(
        model,
        tokenizer,
        sentences,
        layers,
        words=words,
        tokenisation=tokenisation,
        max_length=max_length,
        batch_tokens=batch_tokens,
    ).embeddings


def embed_words(
    model: Any,
    tokenizer: Any,
    sentences: Sequence[Sentence],
    layers: Sequence[int],
    *,
    words: Sequence[Sequence[int]] | None = None,
    tokenisation: Tokenisation = "natural",
    max_length: int | None = None,
    batch_tokens: int = 8192,
    description: str = "words",
) -> EmbeddedWords:
    """`word_embeddings` with the counts beside them."""
    tokenised = tokenise(tokenizer, sentences, tokenisation)
    grouped, number = [], 0
    for sentence, found in enumerate(tokenised):
        wanted = range(len(found.words)) if words is None else words[sentence]
        members = [found.words[word] for word in wanted]
        grouped.append(_groups(found.ids, members, number))
        number += len(members)
    specials, limit = special_tokens(tokenizer), max_length or length_limit(model, tokenizer)
    states = pooled_states(
        model, grouped, number, layers,
        special_tokens=specials, max_length=limit, batch_tokens=batch_tokens, description=description,
    )  # fmt: skip
    return EmbeddedWords(
        embeddings={layer: state.numpy() for layer, state in states.items()},
        subwords=sum(len(found.ids) for found in tokenised),
        shared_subwords=sum(found.shared for found in tokenised),
        split_sentences=count_split(grouped, specials, limit),
    )


def sentence_embeddings(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    layers: Sequence[int],
    poolings: Sequence[Pooling],
    *,
    max_length: int | None = None,
    batch_tokens: int = 8192,
    description: str = "sentences",
) -> dict[tuple[int, Pooling], Float32[np.ndarray, "sentence neuron"]]:
    """Hidden states of sentences: the mean over their sub-words, or the last one; special sub-words do not count.

    Returns:
        By layer and pooling, one row per text.
    """
    grouped = []
    for number, ids in enumerate(encode(tokenizer, texts)["input_ids"] if texts else []):
        if not ids:
            raise ValueError(f"the tokenizer finds no sub-word in {texts[number]!r}")
        members = [range(len(ids)) if pooling == "mean" else [len(ids) - 1] for pooling in poolings]
        grouped.append(_groups(ids, members, number * len(poolings)))
    states = pooled_states(
        model,
        grouped,
        len(texts) * len(poolings),
        layers,
        special_tokens=special_tokens(tokenizer),
        max_length=max_length or length_limit(model, tokenizer),
        batch_tokens=batch_tokens,
        description=description,
    )
    return {
        (layer, pooling): state.numpy()[place :: len(poolings)]
        for layer, state in states.items()
        for place, pooling in enumerate(poolings)
    }


def _groups(ids: list[int], members: Sequence[Sequence[int]], first: int) -> Groups:
    positions = np.array([position for group in members for position in group], dtype=np.int64)
    numbers = np.repeat(np.arange(first, first + len(members)), [len(group) for group in members])
    return Groups(ids, positions, numbers.astype(np.int64))
