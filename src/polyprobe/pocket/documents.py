"""Documents: short narratives and dialogues in which later sentences take up what earlier ones said.

A causal model that reads them gains from looking back: sentences restate, shorten, generalise, deny or extend what came
before, and questions are answered by yes, no or perhaps as the text so far has it.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Final, Literal

from polyprobe.pocket.concepts import adjectives_for, draw, inventory, nouns_in
from polyprobe.pocket.inference import LABELS, Label, draw_triple
from polyprobe.pocket.scenes import Cast, draw_adjective, draw_cast, draw_event, draw_place, top
from polyprobe.pocket.semantics import Entity, Event, Name, Participant, Pronoun, State, Utterance

ANSWERS: Final[dict[Label, Literal["yes", "no", "perhaps"]]] = {
    "entailment": "yes",
    "neutral": "perhaps",
    "contradiction": "no",
}


def draw_document(random: Random) -> list[Utterance]:
    """Draw four to eight sentences about one cast."""
    cast, length = draw_cast(random), random.randint(4, 8)
    utterances: list[Utterance] = []
    while len(utterances) < length:
        utterances += _exchange(random, cast, first=not utterances)
        if random.random() < 0.75:
            utterances.append(_remark(random, cast))
    return utterances[:8]


def documents(random: Random, sentences: int) -> Iterator[list[Utterance]]:
    """Yield documents of this many sentences together; the last one is cut.

    Args:
        random: the source of randomness.
        sentences: their number over all documents.
    """
    while sentences > 0:
        document = draw_document(random)[:sentences]
        sentences -= len(document)
        yield document


def _exchange(random: Random, cast: Cast, *, first: bool) -> list[Utterance]:
    """Draw a statement, and something that follows from it, contradicts it, or is left open by it.

    Args:
        random: the source of randomness.
        cast: whom it is about.
        first: whether it opens the document, so that it may bring in its participants as new ones.
    """
    triple, label = draw_triple(random, cast), random.choice(LABELS)
    premise, hypothesis, answer = triple.premises[label], triple.hypothesis, ANSWERS[label]
    opening = _introduced(premise) if first and random.random() < 0.6 else premise
    said = [Utterance(opening)]
    if random.random() < 0.6:
        reason = {"entailment": hypothesis, "contradiction": premise}.get(label) if random.random() < 0.3 else None
        return [*said, Utterance(hypothesis, mark="?"), Utterance(reason, opening=answer)]
    return [*said, Utterance(hypothesis, opening=answer)]


def _introduced(event: Event) -> Event:
    """Return the event with indefinite participants, as new ones are brought in.

    A negated event stays as it is: in the scope of negation they would change its sense.
    """
    if event.negated:
        return event
    for role in ("subject", "object"):
        who = event.participant(role)
        if isinstance(who, Entity):
            event = event.with_participant(role, replace(who, determiner="indefinite"))
    return event


def _remark(random: Random, cast: Cast) -> Utterance:
    """Draw something more to say about the cast."""
    kind = random.random()
    if kind < 0.3:
        return Utterance(_state(random, cast), mark="!" if random.random() < 0.2 else ".")
    event = _elaborated(draw_event(random, cast), random)
    if kind < 0.5:
        return Utterance(event)
    if kind < 0.7:
        return Utterance(_with_pronoun(event, random))
    if kind < 0.85:
        return Utterance(replace(event, modal=draw(random, inventory().modals)))
    links = inventory().coordinators if random.random() < 0.6 else inventory().subordinators
    second = _with_pronoun(draw_event(random, cast), random)
    return Utterance(replace(event, place=None, adposition=None), link=draw(random, links), second=second)


def _state(random: Random, cast: Cast) -> State:
    subject = random.choice([member for member in cast.members if isinstance(member, Entity)] or [cast.members[0]])
    if isinstance(subject, Name):
        predicate = adjectives_for("person").draw(random)
    else:
        hypernym = inventory().nouns[subject.noun].hypernym
        general = hypernym is not None and random.random() < 0.4
        predicate = hypernym if general and hypernym else draw_adjective(random, subject.noun)
    return State(subject, predicate, cast.tense, negated=random.random() < 0.15)


def _elaborated(event: Event, random: Random) -> Event:
    """Return the event with some further details, of kinds that inference does without."""
    kind = random.random()
    if kind < 0.25:
        event = replace(event, adverb=draw(random, inventory().manner_adverbs))
    elif kind < 0.45:
        adposition, place = draw_place(random, event)
        event = replace(event, adposition=adposition, place=place)
    obj = event.object and _described(event.object, random)
    return replace(event, subject=_described(event.subject, random), object=obj)


def _described(who: Participant, random: Random) -> Participant:
    """Return the participant, counted, owned or pointed at now and then."""
    if not isinstance(who, Entity):
        return who
    kind = random.random()
    if kind < 0.1:
        return replace(who, determiner=random.choice(("this", "that")))
    if kind < 0.25 and who.plural:
        number = draw(random, inventory().numerals) if random.random() < 0.7 else str(random.randint(2, 99))
        return replace(who, count=number)
    if kind < 0.25:
        owner: Entity | Name = Entity(nouns_in(frozenset({"person"})).draw(random))
        if random.random() < 0.4:
            owner = Name(draw(random, inventory().names))
        return replace(who, owner=owner) if top(who) != "place" and getattr(owner, "noun", None) != who.noun else who
    return who


def _with_pronoun(event: Event, random: Random) -> Event:
    """Return the event with a pronoun for its subject, half of the time of the third person."""
    subject = event.subject
    if random.random() < 0.5:
        plural = isinstance(subject, Entity) and subject.plural
        stands_for = subject.noun if isinstance(subject, Entity) else getattr(subject, "name", None)
        return replace(event, subject=Pronoun("3", plural, stands_for))
    return replace(event, subject=Pronoun(random.choice(("1", "2")), random.random() < 0.4))
