"""The words of each mini-language: a stem and a gender per concept, and every inflected form.

Lexicons are drawn in the fixed order of the six codes, each leaving alone every form of those before it, so that no two
languages share a word whichever of them a study uses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random
from typing import Final

from polyprobe.pocket.concepts import inventory
from polyprobe.pocket.morphology import Morphology, draw_morphology
from polyprobe.pocket.phonology import PHONOLOGIES, Phonology
from polyprobe.pocket.typology import TYPOLOGIES, Typology
from polyprobe.running.errors import BadInputError
from polyprobe.running.seeds import derive_seed

NUMBERS: Final = ("Sing", "Plur")
PERSONS: Final = "123"
DETERMINERS: Final = {"definite": "Art", "indefinite": "Art", "this": "Dem", "that": "Dem"}
"""Determiners and their PronType."""
PARTICLES: Final = {"of": "ADP", "yes": "INTJ", "no": "INTJ", "perhaps": "ADV", "not": "PART"}
"""Words without inflection beside adverbs, adpositions, conjunctions and numerals, and their part of speech."""


@dataclass(frozen=True, slots=True)
class Word:
    """One form with what CoNLL-U says of it."""

    form: str
    lemma: str
    upos: str
    feats: str = "_"
    """In UD's notation, sorted."""


@dataclass(frozen=True)
class Lexicon:
    """The words of one language. Concepts go in, words come out."""

    code: str
    typology: Typology
    morphology: Morphology
    stems: dict[tuple[str, str], str]
    """(part of speech, concept) to stem."""
    genders: dict[str, str]
    """Noun or proper name to gender; empty where the language has none."""

    def noun(self, concept: str, number: str, case: str | None) -> Word:
        """Return a form of a noun.

        Args:
            concept: its concept.
            number: a value of UD's Number.
            case: a value of UD's Case; None where the language has none.
        """
        stem, gender = self.stems["NOUN", concept], self.genders.get(concept)
        return Word(
            self.morphology.nominal_form(stem, gender, number, case),
            self.morphology.nominal_form(stem, gender, "Sing", self.typology.subject_case),
            "NOUN",
            _feats(Case=case, Gender=gender, Number=number),
        )

    def adjective(self, concept: str, gender: str | None, number: str, case: str | None) -> Word:
        """Return a form of an adjective that stands with such a noun.

        Args:
            concept: its concept.
            gender: the noun's; None where the language has none.
            number: the noun's.
            case: the noun's; None where the language has none.
        """
        stem = self.stems["ADJ", concept]
        if not self.typology.adjective_agreement:
            return Word(stem, stem, "ADJ")
        form = self.morphology.nominal_form(stem, gender, number, case)
        return Word(form, self._citation(stem), "ADJ", _feats(Case=case, Gender=gender, Number=number))

    def determiner(self, concept: str, gender: str | None, number: str, case: str | None) -> Word | None:
        """Return a form of a determiner; None for an article that the language does without.

        Args:
            concept: a key of `DETERMINERS`.
            gender: the noun's; None where the language has none.
            number: the noun's.
            case: the noun's; None where the language has none.
        """
        missing = {"both": (), "definite": ("indefinite",), "none": ("definite", "indefinite")}
        if concept in missing[self.typology.articles]:
            return None
        stem, kind = self.stems["DET", concept], DETERMINERS[concept]
        definite = {"definite": "Def", "indefinite": "Ind"}.get(concept)
        if not self.typology.adjective_agreement:
            return Word(stem, stem, "DET", _feats(Definite=definite, PronType=kind))
        form = self.morphology.nominal_form(stem, gender, number, case)
        values = _feats(Case=case, Definite=definite, Gender=gender, Number=number, PronType=kind)
        return Word(form, self._citation(stem), "DET", values)

    def pronoun(self, person: str, gender: str | None, number: str, case: str | None) -> Word:
        """Return a form of a personal pronoun; only the third person has gender.

        Args:
            person: one of `PERSONS`.
            gender: of what it stands for; None where the language has none.
            number: a value of UD's Number.
            case: a value of UD's Case; None where the language has none.
        """
        shown = gender if person == "3" else None
        stem = self.stems["PRON", person + number]
        return Word(
            self.morphology.nominal_form(stem, shown or self._first_gender, number, case),
            self.morphology.nominal_form(stem, self._first_gender, number, self.typology.subject_case),
            "PRON",
            _feats(Case=case, Gender=shown, Number=number, Person=person, PronType="Prs"),
        )

    def finite(self, concept: str, tense: str, person: str, number: str, *, negative: bool, upos: str = "VERB") -> Word:
        """Return a finite verb form.

        Args:
            concept: the verb's concept.
            tense: a value of UD's Tense; the present stands for one that the language does without.
            person: the subject's.
            number: the subject's.
            negative: whether it is negated; it counts only where negation is an affix.
            upos: its part of speech, `VERB` or `AUX`.
        """
        negative = negative and self.typology.negation == "affix"
        tense = tense if tense in self.typology.tenses else "Pres"
        stem, agrees = self.stems[upos, concept], self.typology.agreement == "person"
        values = _feats(
            Mood="Ind",
            Number=number if agrees else None,
            Person=person if agrees else None,
            Polarity="Neg" if negative else None,
            Tense=tense,
            VerbForm="Fin",
        )
        form = self.morphology.verbal_form(stem, tense, person, number, negative=negative)
        return Word(form, self.morphology.infinitive(stem), upos, values)

    def infinitive(self, concept: str) -> Word:
        """Return the infinitive."""
        form = self.morphology.infinitive(self.stems["VERB", concept])
        return Word(form, form, "VERB", _feats(VerbForm="Inf"))

    def name(self, name: str) -> Word:
        """Return a proper name: the same form in every language and case."""
        return Word(name, name, "PROPN", _feats(Gender=self.genders.get(name), Number="Sing"))

    def particle(self, concept: str, upos: str) -> Word:
        """Return a word without inflection.

        Args:
            concept: its concept.
            upos: its part of speech.
        """
        stem = self.stems[upos, concept]
        polarity = {"not": "Neg"}.get(concept)
        return Word(stem, stem, upos, _feats(NumType="Card" if upos == "NUM" else None, Polarity=polarity))

    def citation(self, upos: str, concept: str) -> str:
        """Return the lemma of a word of the language's own.

        Args:
            upos: its part of speech.
            concept: its concept; of a pronoun, person and number.
        """
        stem = self.stems[upos, concept]
        if upos == "NOUN":
            return self.noun(concept, "Sing", self.typology.subject_case).lemma
        if upos in ("VERB", "AUX"):
            return self.morphology.infinitive(stem)
        if upos == "PRON":
            return self.pronoun(concept[0], None, concept[1:], self.typology.subject_case).lemma
        return self._citation(stem) if upos in ("ADJ", "DET") and self.typology.adjective_agreement else stem

    @property
    def _first_gender(self) -> str | None:
        return self.typology.genders[0] if self.typology.genders else None

    def _citation(self, stem: str) -> str:
        return self.morphology.nominal_form(stem, self._first_gender, "Sing", self.typology.subject_case)

    def forms(self) -> set[str]:
        """Return every form of every word of the language's own, so without proper names."""
        return {form for (upos, concept), stem in self.stems.items() for form in self.forms_of(upos, concept, stem)}

    def forms_of(self, upos: str, concept: str, stem: str) -> set[str]:
        """Return every form that this word would have with this stem.

        Args:
            upos: its part of speech.
            concept: its concept.
            stem: the stem.
        """
        if upos in ("VERB", "AUX"):
            return {self.morphology.infinitive(stem), *self._finite_forms(stem)}
        if upos == "NOUN":
            return self._nominal_forms(stem, (self.genders.get(concept),))
        if upos == "PRON" or (upos in ("ADJ", "DET") and self.typology.adjective_agreement):
            return self._nominal_forms(stem, self.typology.genders or (None,))
        return {stem}

    def _nominal_forms(self, stem: str, genders: tuple[str | None, ...]) -> set[str]:
        every = product(genders, NUMBERS, self.typology.cases)
        return {self.morphology.nominal_form(stem, gender, number, case) for gender, number, case in every}

    def _finite_forms(self, stem: str) -> set[str]:
        polarities = (False, True) if self.typology.negation == "affix" else (False,)
        every = product(self.typology.tenses, PERSONS, NUMBERS, polarities)
        return {
            self.morphology.verbal_form(stem, tense, person, number, negative=negative)
            for tense, person, number, negative in every
        }


def _feats(**values: str | None) -> str:
    return "|".join(f"{name}={value}" for name, value in values.items() if value) or "_"


@cache
def lexicon(code: str, seed: int) -> Lexicon:
    """Return the lexicon of one language, which depends on the code and the seed only.

    Args:
        code: a key of `TYPOLOGIES`.
        seed: `pocket.seed`.

    Raises:
        BadInputError: no mini-language has this code.
        RuntimeError: every stem that was tried for some word is taken.
    """
    if code not in TYPOLOGIES:
        raise BadInputError(f"pocket: no mini-language has the code {code!r}, expected {', '.join(TYPOLOGIES)}")
    typology, phonology = TYPOLOGIES[code], PHONOLOGIES[code]
    codes = list(TYPOLOGIES)
    earlier = codes[: codes.index(code)]
    taken = {name.lower() for name in inventory().names}.union(*(lexicon(other, seed).forms() for other in earlier))
    random = Random(derive_seed(seed, "pocket lexicon", code))
    morphology = draw_morphology(typology, phonology, random)
    drawn = Lexicon(code, typology, morphology, {}, _genders(code, typology, seed))
    for upos, concept in _entries():
        stem, forms = _free_stem(drawn, phonology, upos, concept, taken, random)
        drawn.stems[upos, concept] = stem
        taken |= forms
    return drawn


def _free_stem(
    drawn: Lexicon, phonology: Phonology, upos: str, concept: str, taken: set[str], random: Random
) -> tuple[str, set[str]]:
    closed = upos in ("DET", "PRON", "AUX", "ADP", "CCONJ", "SCONJ", "PART", "INTJ", "NUM")
    common = closed or inventory().weights.get(concept, 0.0) > 0.2
    for attempt in range(10_000):
        stem = phonology.stem(random, (1 if common or random.random() < 0.3 else 2) + attempt // 40)
        forms = drawn.forms_of(upos, concept, stem)
        if taken.isdisjoint(forms):
            return stem, forms
    raise RuntimeError(f"{drawn.code}: no free stem for {upos} {concept}")


def _entries() -> Iterator[tuple[str, str]]:
    known = inventory()
    yield "AUX", "be"
    for concept in DETERMINERS:
        yield "DET", concept
    for person, number in product(PERSONS, NUMBERS):
        yield "PRON", person + number
    for concept, upos in PARTICLES.items():
        yield upos, concept
    groups = {
        "ADP": known.adpositions,
        "CCONJ": known.coordinators,
        "SCONJ": known.subordinators,
        "NUM": known.numerals,
        "NOUN": known.nouns,
        "VERB": [*known.verbs, *known.modals],
        "ADJ": known.adjectives,
        "ADV": [*known.scene_adverbs, *known.manner_adverbs],
    }
    for upos, concepts in groups.items():
        for concept in concepts:
            yield upos, concept


def _genders(code: str, typology: Typology, seed: int) -> dict[str, str]:
    """Return the gender of each noun and name; none where the language has no gender.

    It is the natural one where there is one; else one that most languages agree on, redrawn here for some nouns.
    """
    if not typology.genders:
        return {}
    shared, own = Random(derive_seed(seed, "pocket gender")), Random(derive_seed(seed, "pocket gender", code))
    genders = dict(inventory().names)
    for noun in inventory().nouns.values():
        common = shared.choice(("Masc", "Fem"))
        redraw, other = own.random(), own.choice(typology.genders)
        neuter = "Neut" in typology.genders and noun.top not in ("person", "animal") and own.random() < 0.5
        genders[noun.name] = noun.gender or ("Neut" if neuter else other if redraw < 0.3 else common)
    return genders
