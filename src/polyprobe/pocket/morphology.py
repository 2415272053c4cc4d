"""Affixes: how the values of features are put on a stem."""

from dataclasses import dataclass
from random import Random

from polyprobe.pocket.phonology import Phonology
from polyprobe.pocket.typology import Typology

INFINITIVE = ("Inf",)
NEGATIVE = "Neg"


@dataclass(frozen=True)
class Morphology:
    """The affixes of one language, drawn once from its sounds."""

    typology: Typology
    nominal: dict[tuple[str, ...], str]
    """Affix of each bundle of values of nouns, adjectives, determiners and pronouns."""
    verbal: dict[tuple[str, ...], str]
    """Affix of each bundle of values of verbs."""

    def nominal_form(self, stem: str, gender: str | None, number: str, case: str | None) -> str:
        """Return the form of a noun or of a word that agrees with one.

        Args:
            stem: the bare stem.
            gender: a value of UD's Gender; None where the language has none.
            number: a value of UD's Number.
            case: a value of UD's Case; None where the language has none.
        """
        return self._attach(stem, self.nominal, tuple(value for value in (gender, number, case) if value))

    def verbal_form(self, stem: str, tense: str, person: str, number: str, *, negative: bool) -> str:
        """Return a finite form.

        Args:
            stem: the bare stem.
            tense: a value of UD's Tense that the language has.
            person: of the subject; it counts only where verbs agree.
            number: of the subject; likewise.
            negative: whether it is negated; only where negation is an affix.
        """
        values = (tense, person, number) if self.typology.agreement == "person" else (tense,)
        return self._attach(stem, self.verbal, (*values, NEGATIVE) if negative else values)

    def infinitive(self, stem: str) -> str:
        """Return the infinitive, a verb's citation form."""
        return self._attach(stem, self.verbal, INFINITIVE)

    def _attach(self, stem: str, table: dict[tuple[str, ...], str], values: tuple[str, ...]) -> str:
        fusional = self.typology.morphology == "fusional"
        affixes = [table[values]] if fusional else [table[(value,)] for value in values]
        return stem + "".join(affixes) if self.typology.affixes == "suffix" else "".join(reversed(affixes)) + stem


def draw_morphology(typology: Typology, phonology: Phonology, random: Random) -> Morphology:
    """Draw affixes for every value that the grammar knows; no two marked ones of one table are alike.

    In agglutinative languages the singular, the citation case, the present and the third person are unmarked.

    Args:
        typology: the grammar.
        phonology: how affixes may sound.
        random: the source of randomness.
    """
    genders = typology.genders or (None,)
    verbal: list[tuple[str, ...]]
    if typology.morphology == "fusional":
        nominal = [
            tuple(value for value in (gender, number, case) if value)
            for case in typology.cases
            for number in ("Sing", "Plur")
            for gender in genders
        ]
        verbal = [
            (tense, person, number) for tense in typology.tenses for number in ("Sing", "Plur") for person in "321"
        ]
    else:
        nominal = [(value,) for value in ("Sing", "Plur", *genders, *typology.cases) if value]
        verbal = [(value,) for value in (*typology.tenses, *"321", "Sing", "Plur", NEGATIVE)]
    unmarked: set[tuple[str, ...]] = set()
    if typology.morphology == "agglutinative":
        unmarked = {("Sing",), (typology.subject_case or "",), ("Pres",), ("3",)}
    return Morphology(
        typology,
        _distinct_affixes(nominal, unmarked, typology, phonology, random),
        _distinct_affixes([*verbal, INFINITIVE], unmarked, typology, phonology, random),
    )


def _distinct_affixes(
    bundles: list[tuple[str, ...]],
    unmarked: set[tuple[str, ...]],
    typology: Typology,
    phonology: Phonology,
    random: Random,
) -> dict[tuple[str, ...], str]:
    draw = phonology.suffix if typology.affixes == "suffix" else phonology.prefix
    affixes: dict[tuple[str, ...], str] = {}
    shortest = 1 if typology.morphology == "fusional" else 2
    for bundle in bundles:
        if bundle in unmarked:
            affixes[bundle] = ""
            continue
        for attempt in range(1000):
            affix = draw(random, shortest + attempt // 8)
            if affix not in affixes.values():
                break
        affixes[bundle] = affix
    return affixes
