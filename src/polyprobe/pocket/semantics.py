"""Meanings: what a sentence says, before any language says it."""

from dataclasses import dataclass, replace
from typing import Literal

Tense = Literal["Past", "Pres", "Fut"]


@dataclass(frozen=True, slots=True)
class Entity:
    """Someone or something that a noun describes."""

    noun: str
    plural: bool = False
    determiner: str = "definite"
    """A key of lexicon.DETERMINERS."""
    adjective: str | None = None
    count: str | None = None
    """A numeral, or digits."""
    owner: "Entity | Name | None" = None


@dataclass(frozen=True, slots=True)
class Name:
    """Someone who is called by a proper name."""

    name: str


@dataclass(frozen=True, slots=True)
class Pronoun:
    """Speaker, hearer, or someone spoken of before."""

    person: Literal["1", "2", "3"]
    plural: bool
    stands_for: str | None = None
    """The noun or name whose gender a third person takes."""


Participant = Entity | Name | Pronoun


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens. Every part but the verb and its participants describes the scene."""

    verb: str
    subject: Participant
    object: Participant | None
    tense: Tense
    negated: bool = False
    adverb: str | None = None
    adposition: str | None = None
    place: Entity | None = None
    """Given together with `adposition`."""
    modal: str | None = None
    """A verb such as `want`, with the event as its infinitive."""

    def participant(self, role: str) -> "Participant | None":
        """Return the `subject` or the `object`."""
        return self.subject if role == "subject" else self.object

    def with_participant(self, role: str, who: "Participant") -> "Event":
        """Return this event with someone else as its `subject` or `object`.

        Args:
            role: `subject` or `object`.
            who: the participant.
        """
        return replace(self, subject=who) if role == "subject" else replace(self, object=who)


@dataclass(frozen=True, slots=True)
class State:
    """That something has a property, or is of a kind."""

    subject: Participant
    predicate: str
    """An adjective or a noun."""
    tense: Tense
    negated: bool = False


Clause = Event | State


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one sentence says. All parts but the marks may be missing."""

    clause: Clause | None = None
    """Missing in a bare answer such as "yes"."""
    opening: Literal["yes", "no", "perhaps"] | None = None
    link: str | None = None
    """A conjunction, given together with `second`."""
    second: Clause | None = None
    mark: Literal[".", "?", "!"] = "."
