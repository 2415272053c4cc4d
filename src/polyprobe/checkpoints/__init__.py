"""Checkpoints: what they are (resolve, hash, compare) and the hidden states of their words.

What needs pandas, torch or transformers is imported when it is first asked for, so that comparing is fast and bad
parameters are told at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from polyprobe.checkpoints.duplicates import apply_duplicates_policy, described_duplicates, equal_to_previous
from polyprobe.checkpoints.hashing import weights_summary
from polyprobe.checkpoints.location import HubCommit, Location, locate, location_of
from polyprobe.checkpoints.resolving import resolve

if TYPE_CHECKING:
    from polyprobe.checkpoints.embedding import embed_words, sentence_embeddings, word_embeddings
    from polyprobe.checkpoints.extraction import embed_selected_words
    from polyprobe.checkpoints.loading import load_model
    from polyprobe.checkpoints.selection import select_words
    from polyprobe.checkpoints.sentences import Sentence
    from polyprobe.checkpoints.tokenizer import load_tokenizer, tokenizer_hash

__all__ = [
    "HubCommit",
    "Location",
    "Sentence",
    "apply_duplicates_policy",
    "described_duplicates",
    "embed_selected_words",
    "embed_words",
    "equal_to_previous",
    "load_model",
    "load_tokenizer",
    "locate",
    "location_of",
    "resolve",
    "select_words",
    "sentence_embeddings",
    "tokenizer_hash",
    "weights_summary",
    "word_embeddings",
]

_LATER = {
    "Sentence": "sentences",
    "embed_selected_words": "extraction",
    "embed_words": "embedding",
    "load_model": "loading",
    "load_tokenizer": "tokenizer",
    "select_words": "selection",
    "sentence_embeddings": "embedding",
    "tokenizer_hash": "tokenizer",
    "word_embeddings": "embedding",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
