"""Scenes: who does what to whom, drawn from the inventory's frequencies within its selectional restrictions."""

from dataclasses import dataclass
from random import Random

from polyprobe.pocket.concepts import adjectives_for, draw, inventory, nouns_in, verbs_for
from polyprobe.pocket.semantics import Entity, Event, Name, Participant, Tense

_TENSES: tuple[Tense, ...] = ("Past", "Past", "Pres", "Pres", "Fut")
ANIMATE = frozenset({"person", "animal"})


@dataclass(frozen=True, slots=True)
class Cast:
    """Who and what a document is about."""

    members: tuple[Entity | Name, ...]
    tense: Tense


def draw_cast(random: Random) -> Cast:
    """Draw two that act, and two more: food, things, places or further persons."""
    members: list[Entity | Name] = []
    while len(members) < 4:
        if len(members) < 2:
            member = draw_actor(random)
        else:
            top = random.choice(("food", "thing", "thing", "place", "person"))
            member = Entity(nouns_in(frozenset({top})).draw(random), plural=random.random() < 0.3)
        if member not in members:
            members.append(member)
    return Cast(tuple(members), random.choice(_TENSES))


def draw_actor(random: Random) -> Entity | Name:
    """Draw a person, an animal or someone with a name."""
    if random.random() < 0.25:
        return Name(draw(random, inventory().names))
    return Entity(nouns_in(ANIMATE).draw(random), plural=random.random() < 0.3)


def draw_event(random: Random, cast: Cast | None = None) -> Event:
    """Draw a bare event: verb and participants, no details.

    The cast's members take part where the verb lets them.

    Args:
        random: the source of randomness.
        cast: whom it is about; None: a cast of its own.

    Raises:
        AssertionError: no verb fits the participants in any of many tries.
    """
    cast = cast or draw_cast(random)
    for _ in range(100):
        subject, others = _shuffled_actor(cast, random)
        obj: Participant | None = None
        if random.random() < 0.7:
            obj = others[0] if random.random() < 0.8 else draw_actor(random)
            if obj == subject or _noun(obj) == _noun(subject):
                continue
        deck = verbs_for(top(subject), top(obj) if obj else None)
        if deck.names:
            return Event(deck.draw(random), subject, obj, cast.tense)
    raise AssertionError("every actor can do something")


def draw_one_way_event(random: Random, cast: Cast | None = None) -> Event | None:
    """Draw a bare event that is not the same with its roles swapped, though that could happen too.

    Args:
        random: the source of randomness.
        cast: whose first two members take part; None: a cast of its own.

    Returns:
        The event; None if no verb fits, or both are of the same noun.
    """
    cast = cast or draw_cast(random)
    subject, obj = random.sample(cast.members[:2], 2)
    verbs = [
        name
        for name in verbs_for(top(subject), top(obj)).names
        if inventory().verbs[name].one_way and name in verbs_for(top(obj), top(subject)).names
    ]
    if not verbs or _noun(subject) == _noun(obj) is not None:
        return None
    return Event(random.choice(verbs), subject, obj, cast.tense)


def draw_adjective(random: Random, noun: str) -> str:
    """Draw an adjective that goes with this noun.

    Args:
        random: the source of randomness.
        noun: its name.
    """
    return adjectives_for(inventory().nouns[noun].top).draw(random)


def draw_place(random: Random, event: Event) -> tuple[str, Entity]:
    """Draw an adposition and a place that the event does not speak of yet.

    Args:
        random: the source of randomness.
        event: what takes place there.
    """
    used = {_noun(event.subject), _noun(event.object)}
    adposition = draw(random, inventory().adpositions)
    while (noun := nouns_in(frozenset({"place"})).draw(random)) in used:
        pass
    return adposition, Entity(noun)


def top(participant: Participant) -> str:
    """Return the class that selectional restrictions see; names and pronouns are persons."""
    return inventory().nouns[participant.noun].top if isinstance(participant, Entity) else "person"


def _shuffled_actor(cast: Cast, random: Random) -> tuple[Entity | Name, list[Entity | Name]]:
    members = list(cast.members)
    random.shuffle(members)
    subject = next(member for member in members if top(member) in ANIMATE)
    members.remove(subject)
    return subject, members


def _noun(participant: Participant | None) -> str | None:
    return participant.noun if isinstance(participant, Entity) else None
