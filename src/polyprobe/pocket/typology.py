"""The grammars of the mini-languages as records of typological features."""

from dataclasses import dataclass, fields, replace
from typing import Final, Literal

Side = Literal["before", "after"]


@dataclass(frozen=True)
class Typology:
    """One grammar. Sides are sides of the head: the noun for adjectives, the noun phrase for adpositions."""

    order: Literal["SVO", "SOV", "VSO"]
    adjective: Side
    adposition: Side
    possessor: Side
    numeral: Side
    morphology: Literal["fusional", "agglutinative"]
    """fusional: one ending says everything; agglutinative: one affix per feature, the common value unmarked."""
    affixes: Literal["suffix", "prefix"]
    genders: tuple[str, ...]
    """Values of UD's Gender; empty: no gender."""
    alignment: Literal["none", "accusative", "ergative"]
    """Case of subjects and objects."""
    oblique_case: str | None
    """The case that adpositions govern."""
    possessor_case: str | None
    """The case of possessors; None: an adposition marks them."""
    tenses: tuple[str, ...]
    """A future is told in the present where there is no Fut."""
    agreement: Literal["person", "none"]
    """Whether verbs agree with the subject in person and number."""
    articles: Literal["both", "definite", "none"]
    adjective_agreement: bool
    negation: Literal["particle before", "particle after", "affix"]
    """A word at the finite verb, or an affix on it."""

    @property
    def subject_case(self) -> str | None:
        """The case of a subject without an object, which is also that of citation forms."""
        return {"none": None, "accusative": "Nom", "ergative": "Abs"}[self.alignment]

    @property
    def agent_case(self) -> str | None:
        """The case of a subject that has an object beside it."""
        return {"none": None, "accusative": "Nom", "ergative": "Erg"}[self.alignment]

    @property
    def object_case(self) -> str | None:
        """The case of an object."""
        return {"none": None, "accusative": "Acc", "ergative": "Abs"}[self.alignment]

    @property
    def cases(self) -> tuple[str | None, ...]:
        """Every case, that of citation forms first; (None,) where there is none."""
        used = (self.subject_case, self.agent_case, self.object_case, self.oblique_case, self.possessor_case)
        return tuple(dict.fromkeys(case for case in used if case)) or (None,)


_QAA: Final = Typology(
    order="SVO",
    adjective="after",
    adposition="before",
    possessor="after",
    numeral="before",
    morphology="fusional",
    affixes="suffix",
    genders=("Masc", "Fem"),
    alignment="none",
    oblique_case=None,
    possessor_case=None,
    tenses=("Past", "Pres", "Fut"),
    agreement="person",
    articles="both",
    adjective_agreement=True,
    negation="particle before",
)
_QAC: Final = replace(_QAA, genders=("Masc", "Fem", "Neut"), tenses=("Past", "Pres"))

TYPOLOGIES: Final[dict[str, Typology]] = {
    "qaa": _QAA,
    "qab": replace(_QAA, adjective="before", articles="definite"),
    "qac": _QAC,
    "qad": replace(
        _QAC,
        adjective="before",
        possessor="before",
        alignment="accusative",
        oblique_case="Dat",
        possessor_case="Dat",
        articles="definite",
        negation="particle after",
    ),
    "qae": Typology(
        order="SOV",
        adjective="before",
        adposition="after",
        possessor="before",
        numeral="before",
        morphology="agglutinative",
        affixes="suffix",
        genders=(),
        alignment="accusative",
        oblique_case="Loc",
        possessor_case="Gen",
        tenses=("Past", "Pres"),
        agreement="person",
        articles="none",
        adjective_agreement=False,
        negation="affix",
    ),
    "qaf": Typology(
        order="VSO",
        adjective="after",
        adposition="before",
        possessor="after",
        numeral="after",
        morphology="agglutinative",
        affixes="prefix",
        genders=("Masc", "Fem", "Neut"),
        alignment="ergative",
        oblique_case="Dat",
        possessor_case="Gen",
        tenses=("Past", "Pres", "Fut"),
        agreement="none",
        articles="none",
        adjective_agreement=True,
        negation="affix",
    ),
}
"""The six grammars. qaa is meant as the source language: qab and qac lie close to it, qad between, qae and qaf far."""


def typology_distance(a: str, b: str) -> float:
    """Return the share of typological features in which two mini-languages differ.

    Args:
        a: the code of one.
        b: the code of the other.
    """
    names = [feature.name for feature in fields(Typology)]
    differing = [name for name in names if getattr(TYPOLOGIES[a], name) != getattr(TYPOLOGIES[b], name)]
    return len(differing) / len(names)
