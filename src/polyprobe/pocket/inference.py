"""Natural language inference: pairs of a premise and a hypothesis whose label follows from how they were made.

A pair speaks of one scene: descriptions that can mean the same thing do, and what adjectives, adverbs and places say
describes the scene and so stands outside negation. Then a premise entails a hypothesis that says less or says it more
generally; contradicts one that has an opposite, the other polarity or the roles swapped; and else leaves it open.

Every hypothesis comes with one premise per label, so that it cannot give the label away. Premises are balanced too:
each has one detail more than its hypothesis; where polarity is turned, as many turn one way as the other; and premises
more general or more specific than their hypothesis are equally frequent under every label.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any, Final, Literal, get_args

from polyprobe.pocket.concepts import draw, inventory, nouns_in, verbs_for
from polyprobe.pocket.scenes import Cast, draw_adjective, draw_event, draw_one_way_event, draw_place, top
from polyprobe.pocket.semantics import Entity, Event

Label = Literal["entailment", "neutral", "contradiction"]
LABELS: Final[tuple[Label, ...]] = get_args(Label)

_DETAILED: Final = 0.65
"""Share of hypotheses with a detail."""


@dataclass(frozen=True)
class Triple:
    """A hypothesis and a premise for each label."""

    hypothesis: Event
    premises: dict[Label, Event]


@dataclass(frozen=True)
class _Draft:
    """A hypothesis in the making."""

    event: Event
    slot: str | None
    """The detail that it has."""
    role: str | None
    """Of a participant whose noun is at stake, as hypernym or hyponym."""
    hyponym: str | None
    """That participant's noun in specific premises, where the hypothesis has the hypernym."""

    def specific(self, event: Event) -> Event:
        """Return the event with the hyponym in place of the hypernym, if there is one."""
        return event if self.role is None or self.hyponym is None else _changed(event, self.role, noun=self.hyponym)


def draw_triple(random: Random, cast: Cast | None = None) -> Triple:
    """Draw one hypothesis with its premises.

    Args:
        random: the source of randomness.
        cast: whom it is about; None: a cast of its own.
    """
    draft, opposing = _opposed_draft(random, cast)
    if draft.role is not None and draft.hyponym is None and random.random() < 0.5:
        hypernym = inventory().nouns[_noun(draft.event, draft.role) or ""].hypernym
        neutral = _detailed(_changed(draft.event, draft.role, noun=hypernym), random)
    else:
        neutral = draft.specific(_other(draft, random))
    entailing = draft.specific(draft.event) if random.random() < 0.5 else draft.event
    opposing = draft.specific(opposing) if random.random() < 0.5 else opposing
    return Triple(
        draft.event,
        {
            "entailment": _detailed(entailing, random),
            "neutral": neutral,
            "contradiction": _detailed(opposing, random),
        },
    )


def _opposed_draft(random: Random, cast: Cast | None) -> tuple[_Draft, Event]:
    """Draw a hypothesis and what contradicts it.

    The way of contradicting is chosen first, so that it is independent of polarity.
    """
    chance = random.random()
    if chance < 0.07 and (event := draw_one_way_event(random, cast)) is not None:
        draft = _detailed_draft(event, None, None, random)
        return draft, _swapped(draft.event)
    oppose: Callable[[_Draft], Event | None]
    oppose = _turned if chance < 0.5 else _opposite_detail if chance < 0.8 else _opposite_verb
    for _ in range(50):
        draft = _draft(random, cast)
        opposing = oppose(draft)
        if opposing is not None:
            return draft, opposing
    return draft, _turned(draft)


def _draft(random: Random, cast: Cast | None) -> _Draft:
    event = replace(draw_event(random, cast), negated=random.random() < 0.5)
    nouns, hyponym = inventory().nouns, None
    roles = [role for role in ("subject", "object") if (noun := _noun(event, role)) and nouns[noun].hypernym]
    role = random.choice(roles) if roles and random.random() < 0.5 else None
    if role is not None and random.random() < 0.5:
        hyponym = _noun(event, role)
        event = _changed(event, role, noun=nouns[hyponym or ""].hypernym)
    return _detailed_draft(event, role, hyponym, random)


def _detailed_draft(event: Event, role: str | None, hyponym: str | None, random: Random) -> _Draft:
    slot = random.choice(_free_slots(event)) if random.random() < _DETAILED else None
    return _Draft(_fill(event, slot, random) if slot else event, slot, role, hyponym)


def _entity(event: Event, role: str) -> Entity | None:
    who = event.participant(role)
    return who if isinstance(who, Entity) else None


def _noun(event: Event, role: str) -> str | None:
    entity = _entity(event, role)
    return entity.noun if entity else None


def _changed(event: Event, role: str, **values: Any) -> Event:
    """Return the event with another noun or adjective of a participant.

    Args:
        event: the event.
        role: of the participant; one that no noun describes stays as it is.
        values: `noun` or `adjective`.
    """
    entity = _entity(event, role)
    return event.with_participant(role, replace(entity, **values)) if entity else event


def _adjective(event: Event, role: str) -> str:
    entity = _entity(event, role)
    return (entity and entity.adjective) or ""


def _free_slots(event: Event) -> list[str]:
    """Return the details that could still be added."""
    slots = [
        role
        for role in ("subject", "object")
        if (entity := _entity(event, role)) is not None and entity.adjective is None
    ]
    slots += ["adverb"] if event.adverb is None else []
    return slots + (["place"] if event.place is None else [])


def _fill(event: Event, slot: str, random: Random) -> Event:
    if slot == "adverb":
        return replace(event, adverb=draw(random, inventory().scene_adverbs))
    if slot == "place":
        adposition, place = draw_place(random, event)
        return replace(event, adposition=adposition, place=place)
    return _changed(event, slot, adjective=draw_adjective(random, _noun(event, slot) or ""))


def _detailed(event: Event, random: Random) -> Event:
    """Return the event with one more detail."""
    return _fill(event, random.choice(_free_slots(event)), random)


def _turned(draft: _Draft) -> Event:
    return replace(draft.event, negated=not draft.event.negated)


def _opposite_detail(draft: _Draft) -> Event | None:
    event, slot, known = draft.event, draft.slot, inventory()
    if slot == "adverb" and event.adverb is not None:
        return replace(event, adverb=known.scene_adverbs[event.adverb])
    if slot == "place" and event.adposition is not None and known.adpositions[event.adposition]:
        return replace(event, adposition=known.adpositions[event.adposition])
    if slot in ("subject", "object"):
        opposite = known.adjectives[_adjective(event, slot)].opposite
        return _changed(event, slot, adjective=opposite) if opposite else None
    return None


def _opposite_verb(draft: _Draft) -> Event | None:
    opposite = inventory().verbs[draft.event.verb].opposite
    return replace(draft.event, verb=opposite) if opposite and not draft.event.negated else None


def _swapped(event: Event) -> Event:
    assert event.object is not None
    return replace(event, subject=event.object, object=event.subject)


def _other(draft: _Draft, random: Random) -> Event:
    """Return a premise, one detail larger, that neither says nor excludes what the hypothesis says."""
    ways: list[Callable[[_Draft, Random], Event | None]] = [_other_verb]
    if draft.hyponym is None:
        ways += [partial(_other_noun, "subject"), partial(_other_noun, "object")]
    if draft.slot is not None:
        ways += [_without_detail, _without_detail, _other_detail, _other_detail]
    random.shuffle(ways)
    return next(premise for way in ways if (premise := way(draft, random)) is not None)


def _without_detail(draft: _Draft, random: Random) -> Event | None:
    """Return a premise with two details elsewhere instead of the hypothesis' one.

    Returns:
        The premise; None where there is no room for two.
    """
    slots = _free_slots(draft.event)
    if len(slots) < 2:
        return None
    event = draft.event
    for slot in random.sample(slots, 2):
        event = _fill(event, slot, random)
    if draft.slot == "adverb":
        return replace(event, adverb=None)
    if draft.slot == "place":
        return replace(event, adposition=None, place=None)
    return _changed(event, draft.slot or "", adjective=None)


def _other_detail(draft: _Draft, random: Random) -> Event | None:
    event, slot = draft.event, draft.slot
    if slot == "adverb" and event.adverb is not None:
        adverbs = inventory().scene_adverbs
        while (adverb := draw(random, adverbs)) in (event.adverb, adverbs[event.adverb]):
            pass
        return _detailed(replace(event, adverb=adverb), random)
    if slot not in ("subject", "object"):
        return None
    excludes = inventory().adjectives[_adjective(event, slot)].excludes
    while (adjective := draw_adjective(random, _noun(event, slot) or "")) in excludes:
        pass
    return _detailed(_changed(event, slot, adjective=adjective), random)


def _other_noun(role: str, draft: _Draft, random: Random) -> Event | None:
    """Return a premise in which someone or something else of the same class does it, or undergoes it.

    Args:
        role: `subject` (who does it) or `object` (who undergoes it).
        draft: the hypothesis.
        random: the source of randomness.

    Returns:
        The premise, one detail larger; None where no noun has the role.
    """
    event = draft.event
    entity = _entity(event, role)
    if entity is None:
        return None
    used = {_noun(event, "subject"), _noun(event, "object"), event.place and event.place.noun}
    while (noun := nouns_in(frozenset({top(entity)})).draw(random)) in used:
        pass
    return _detailed(_changed(event, role, noun=noun), random)


def _other_verb(draft: _Draft, random: Random) -> Event | None:
    event, old = draft.event, inventory().verbs[draft.event.verb]
    deck = verbs_for(top(event.subject), top(event.object) if event.object else None)
    if set(deck.names) <= {old.name, old.opposite}:
        return None
    while (verb := deck.draw(random)) in (old.name, old.opposite):
        pass
    return _detailed(replace(event, verb=verb), random)
