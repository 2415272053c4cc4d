"""The mini-languages described from their own records: what `polyprobe pocket` prints."""

from collections.abc import Iterator
from dataclasses import fields
from random import Random
from typing import Final

from polyprobe.languages import language
from polyprobe.pocket.inference import LABELS, draw_triple
from polyprobe.pocket.lexicon import Lexicon, Word, lexicon
from polyprobe.pocket.realisation import realise, text_of
from polyprobe.pocket.semantics import Entity, Event, Utterance
from polyprobe.pocket.typology import TYPOLOGIES, Typology, typology_distance
from polyprobe.running.seeds import derive_seed

EXAMPLE: Final = Utterance(
    Event(
        "see",
        Entity("girl", adjective="small"),
        Entity("horse", plural=True, count="two"),
        "Past",
        negated=True,
        adposition="in",
        place=Entity("garden"),
    )
)
"""The sentence that is shown in every language."""


def describe(seed: int = 0, triples: int = 3) -> str:
    """Return a description in Markdown: grammars, an example sentence with its gloss in each language, inference.

    Args:
        seed: of the words and of the examples of inference.
        triples: how many hypotheses are shown, each with a premise per label.
    """
    return "\n".join([*_grammars(), "", *_examples(seed), "", *_inference(seed, triples)]) + "\n"


def _grammars() -> Iterator[str]:
    codes = list(TYPOLOGIES)
    yield "| | " + " | ".join(f"{language(code).name} ({code})" for code in codes) + " |"
    yield "|---" * (len(codes) + 1) + "|"
    for feature in fields(Typology):
        values = (_shown(getattr(TYPOLOGIES[code], feature.name)) for code in codes)
        yield f"| {feature.name.replace('_', ' ')} | " + " | ".join(values) + " |"
    distances = (f"{typology_distance('qaa', code):.2f}" for code in codes)
    yield "| **distance from qaa** | " + " | ".join(distances) + " |"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (" ".join(value) if isinstance(value, tuple) else str(value or "")) or "none"


def _examples(seed: int) -> Iterator[str]:
    for code in TYPOLOGIES:
        words = lexicon(code, seed)
        tokens, concepts = realise(EXAMPLE, words), _concepts(words)
        yield f"- {language(code).name}: *{text_of(tokens)}*  "
        yield "  " + " ".join(_gloss(token.word, concepts) for token in tokens if token.word.upos != "PUNCT")


def _gloss(word: Word, concepts: dict[tuple[str, str], str]) -> str:
    values = (item.partition("=")[2] for item in word.feats.split("|") if word.feats != "_")
    shown = [value for value in values if value not in ("Fin", "Ind", "Def", "Art", "Card", "Prs")]
    return ".".join([concepts.get((word.upos, word.lemma), word.lemma), *shown])


def _concepts(words: Lexicon) -> dict[tuple[str, str], str]:
    """Map (part of speech, lemma) to concept."""
    return {(upos, words.citation(upos, concept)): concept for upos, concept in words.stems}


def _inference(seed: int, triples: int) -> Iterator[str]:
    words, random = lexicon("qaa", seed), Random(derive_seed(seed, "pocket examples"))
    concepts = _concepts(words)
    yield "| premise | hypothesis | label |"
    yield "|---|---|---|"
    for _ in range(triples):
        triple = draw_triple(random)
        for label in LABELS:
            pair = (_glossed(event, words, concepts) for event in (triple.premises[label], triple.hypothesis))
            yield "| " + " | ".join(pair) + f" | {label} |"


def _glossed(event: Event, words: Lexicon, concepts: dict[tuple[str, str], str]) -> str:
    tokens = realise(Utterance(event), words)
    gloss = (concepts.get((token.word.upos, token.word.lemma), token.word.form) for token in tokens)
    return f"*{text_of(tokens)}* ({' '.join(gloss).removesuffix(' .')})"
