"""Hidden states of words and of sentences: means over their sub-words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from torch import Tensor

from polyprobe.checkpoints.pooling import Groups, count_split, length_limit, pooled_states
from polyprobe.checkpoints.sentences import Sentence
from polyprobe.checkpoints.tokenising import Tokenisation, TokenisedSentence, encode, special_tokens, tokenise
from polyprobe.running.errors import BadInputError
from polyprobe.running.progress import progress

Pooling = Literal["mean", "last"]


@dataclass(frozen=True)
class EmbeddedWords:
    """Hidden states of words, and what had to be done to get them."""

    states: dict[int, Float32[Tensor, "word neuron"]]
    """By layer, on the model's device."""
    subwords: int
    """Sub-words of all sentences."""
    shared_subwords: int
    """Those that two words share."""
    split_sentences: int
    """Sentences longer than the model's limit."""


def word_embeddings(
    model: Any, tokenizer: Any, sentences: Sequence[Sentence], layers: Sequence[int], **settings: Any
) -> dict[int, Float32[np.ndarray, "word neuron"]]:
    """Return the states of `embed_words` as arrays, with a progress bar.

    Args:
        model: see `embed_words`.
        tokenizer: see `embed_words`.
        sentences: see `embed_words`.
        layers: see `embed_words`.
        **settings: the others of `embed_words`.

    Returns:
        By layer, one row per word in the order of sentences and words.

    Raises:
        BadInputError: as for `embed_words`.
    """
    bar: Any = progress(description="words", total=len(sentences), unit="sentence")
    with bar:
        embedded = embed_words(model, tokenizer, sentences, layers, advance=bar.update, **settings)
    return {layer: states.cpu().numpy() for layer, states in embedded.states.items()}


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
    advance: Callable[[int], object] = int,
) -> EmbeddedWords:
    """Return hidden states of words at some layers: the mean over each word's sub-words (fidelity rows 16 to 19).

    Args:
        model: a base model of transformers, causal or encoder.
        tokenizer: its fast tokenizer.
        sentences: whole sentences; each goes through the model as written.
        layers: numbered from 1, the embedding output; the last is after the final layer norm.
        words: for each sentence the positions of the words wanted, none twice; None for all of them.
        tokenisation: natural: the sentence as written; isolated: each word alone, without spaces.
        max_length: sub-words that the model takes at once; None for what model and tokenizer say.
        batch_tokens: sub-words of one forward pass; no influence on the result beyond rounding.
        advance: told how many more sentences have been begun.

    Returns:
        One row per word in the order of sentences and words, left where the model is; the counts beside them.

    Raises:
        BadInputError: a batch does not fit into memory, nor does half of it.
    """
    tokenised = tokenise(tokenizer, sentences, tokenisation)
    grouped, number = [], 0
    for sentence, found in enumerate(tokenised):
        count = len(sentences[sentence].forms)
        wanted = range(count) if words is None else words[sentence]
        grouped.append(_wanted(found, count, wanted, number))
        number += len(wanted)
    specials, limit = special_tokens(tokenizer), max_length or length_limit(model, tokenizer)
    return EmbeddedWords(
        states=pooled_states(
            model,
            grouped,
            number,
            layers,
            special_tokens=specials,
            max_length=limit,
            batch_tokens=batch_tokens,
            advance=advance,
        ),
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
    batch_tokens: int = 8192,
) -> dict[tuple[int, Pooling], Float32[np.ndarray, "sentence neuron"]]:
    """Return hidden states of sentences, in one or both poolings; special sub-words do not count.

    mean: over the sentence's sub-words. last: its last sub-word, where a causal model has seen the whole sentence (the
    authors' choice).

    Args:
        model: see `embed_words`.
        tokenizer: see `embed_words`.
        texts: the sentences as written.
        layers: see `embed_words`.
        poolings: those wanted.
        batch_tokens: see `embed_words`.

    Returns:
        By layer and pooling, one row per text.

    Raises:
        BadInputError: the tokenizer finds no sub-word in a text, or as for `embed_words`.
    """
    grouped = []
    for number, ids in enumerate(encode(tokenizer, texts)["input_ids"] if texts else []):
        if not ids:
            raise BadInputError(
                f"the tokenizer finds no sub-word in {texts[number]!r}, expected one that knows its characters"
            )
        members = [range(len(ids)) if pooling == "mean" else [len(ids) - 1] for pooling in poolings]
        positions = np.concatenate(members)
        groups = number * len(poolings) + np.repeat(np.arange(len(poolings)), [len(group) for group in members])
        grouped.append(Groups(np.array(ids), positions, groups))
    bar: Any = progress(description="sentences", total=len(texts), unit="sentence")
    with bar:
        states = pooled_states(
            model,
            grouped,
            len(texts) * len(poolings),
            layers,
            special_tokens=special_tokens(tokenizer),
            max_length=length_limit(model, tokenizer),
            batch_tokens=batch_tokens,
            advance=bar.update,
        )
    return {
        (layer, pooling): state.cpu().numpy()[position :: len(poolings)]
        for layer, state in states.items()
        for position, pooling in enumerate(poolings)
    }


def _wanted(found: TokenisedSentence, count: int, wanted: Sequence[int], first: int) -> Groups:
    """Group the sub-words of a sentence's wanted words, which are numbered from `first`.

    Args:
        found: the sentence's sub-words.
        count: how many words it has.
        wanted: positions of the words wanted.
        first: the number of the first of them.
    """
    numbers = np.full(count, -1)
    numbers[list(wanted)] = np.arange(first, first + len(wanted))
    groups = numbers[found.words]
    return Groups(found.ids, found.positions[groups >= 0], groups[groups >= 0])
