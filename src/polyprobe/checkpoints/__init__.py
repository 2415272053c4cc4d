"""Checkpoints: what they are (resolve, hash, compare) and the hidden states of their words.

What needs pandas, torch or transformers is imported when it is first asked for, so that resolving and comparing start
fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from polyprobe.checkpoints.duplicates import apply_duplicates_policy, sets_of_equals
from polyprobe.checkpoints.hashing import tokenizer_hash, weights_summary
from polyprobe.checkpoints.location import HubCommit, Location, locate, location_of
from polyprobe.checkpoints.resolving import resolve

if TYPE_CHECKING:
    from polyprobe.checkpoints.embedding import embed_words, sentence_embeddings, word_embeddings
    from polyprobe.checkpoints.extraction import embed_selected_words
    from polyprobe.checkpoints.loading import load_model, load_tokenizer
    from polyprobe.checkpoints.selection import select_words
    from polyprobe.checkpoints.sentences import Sentence

__all__ = [
    "HubCommit",
    "Location",
    "Sentence",
    "apply_duplicates_policy",
    "embed_selected_words",
    "embed_words",
    "load_model",
    "load_tokenizer",
    "locate",
    "location_of",
    "resolve",
    "select_words",
    "sentence_embeddings",
    "sets_of_equals",
    "tokenizer_hash",
    "weights_summary",
    "word_embeddings",
]

_LATER = {
    "Sentence": "sentences",
    "embed_selected_words": "extraction",
    "embed_words": "embedding",
    "load_model": "loading",
    "load_tokenizer": "loading",
    "select_words": "selection",
    "sentence_embeddings": "embedding",
    "word_embeddings": "embedding",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
