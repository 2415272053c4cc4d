"""UD in, words out: treebanks from a source, CoNLL-U, UniMorph tags and attributes, the lemma split."""

from polyprobe.treebanks.conllu import Sentence, Token, read_sentences
from polyprobe.treebanks.texts import training_texts
from polyprobe.treebanks.treebank import read_treebank_sentences
from polyprobe.treebanks.unimorph import attributes, to_unimorph

__all__ = [
    "Sentence",
    "Token",
    "attributes",
    "read_sentences",
    "read_treebank_sentences",
    "to_unimorph",
    "training_texts",
]
