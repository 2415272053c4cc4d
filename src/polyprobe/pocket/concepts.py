"""The inventory of concepts that all mini-languages share: what there is, what it is called, what goes with what."""

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any


@dataclass(frozen=True)
class Noun:
    """A kind of thing."""

    name: str
    hypernym: str | None
    """The noun directly above it."""
    top: str
    """The uppermost hypernym, which selectional restrictions are about."""
    gender: str | None
    """Natural gender, `Masc` or `Fem`."""


@dataclass(frozen=True)
class Adjective:
    """A property of things of some classes."""

    name: str
    classes: frozenset[str]
    opposite: str | None
    excludes: frozenset[str]
    """Adjectives that say something about the same quality, opposite and itself included."""


@dataclass(frozen=True)
class Verb:
    """What happens, with selectional restrictions on top hypernyms."""

    name: str
    subjects: frozenset[str]
    objects: frozenset[str]
    """Empty for an intransitive verb."""
    opposite: str | None
    one_way: bool
    """What a does to b, b does not do to a."""


@dataclass(frozen=True)
class Deck:
    """Names that are drawn with given weights."""

    names: tuple[str, ...]
    cumulative: tuple[float, ...]

    def draw(self, random: Random) -> str:
        """Draw one name."""
        return self.names[bisect(self.cumulative, random.random() * self.cumulative[-1])]


@dataclass(frozen=True)
class Inventory:
    """Every concept. Dicts are in the order of the data file, so by frequency within a group."""

    nouns: dict[str, Noun]
    adjectives: dict[str, Adjective]
    verbs: dict[str, Verb]
    modals: dict[str, str | None]
    """Verb to its opposite; likewise below."""
    scene_adverbs: dict[str, str | None]
    manner_adverbs: dict[str, str | None]
    adpositions: dict[str, str | None]
    coordinators: tuple[str, ...]
    subordinators: tuple[str, ...]
    numerals: tuple[str, ...]
    names: dict[str, str]
    """Proper name to gender."""
    weights: dict[str, float]
    """How often a concept is drawn, against others that could stand in its place (Zipf: 1 / (rank + 1))."""
    kinds: frozenset[str]
    """The nouns that are hypernyms of others."""


@cache
def inventory() -> Inventory:
    """Return the inventory, read once from concepts.yaml."""
    import yaml

    table = yaml.safe_load(Path(__file__).with_name("concepts.yaml").read_text(encoding="utf-8"))
    weights: dict[str, float] = {}

    def ranked(entries: Sequence[str]) -> dict[str, str | None]:
        opposites: dict[str, str | None] = {}
        for rank, entry in enumerate(entries):
            pair = entry.split(" / ")
            opposites |= dict(zip(pair, reversed(pair), strict=True)) if len(pair) == 2 else {entry: None}
            weights.update(dict.fromkeys(pair, 1 / (rank + 2)))
        return opposites

    nouns = _nouns(table, weights)
    adjectives, verbs = _rows(table["adjectives"]), _rows(table["verbs"])
    opposite_adjective, opposite_verb = ranked(list(adjectives)), ranked(list(verbs))
    return Inventory(
        nouns=nouns,
        kinds=frozenset(table["kinds"]),
        adjectives={
            name: Adjective(
                name,
                frozenset(classes),
                opposite_adjective[name],
                frozenset({name, opposite_adjective[name] or name}.union(*(g for g in table["groups"] if name in g))),
            )
            for entry, classes in adjectives.items()
            for name in entry.split(" / ")
        },
        verbs={
            name: Verb(
                name,
                frozenset(row["subject"]),
                frozenset(row.get("object", ())),
                opposite_verb[name],
                row.get("one way", False),
            )
            for entry, row in verbs.items()
            for name in entry.split(" / ")
        },
        modals=ranked(table["modals"]),
        scene_adverbs=ranked(table["scene adverbs"]),
        manner_adverbs=ranked(table["manner adverbs"]),
        adpositions=ranked(table["adpositions"]),
        coordinators=tuple(ranked(table["coordinators"])),
        subordinators=tuple(ranked(table["subordinators"])),
        numerals=tuple(ranked(table["numerals"])),
        names={name: gender for name, gender in map(_gendered, table["names"]) if gender},
        weights=weights | {_gendered(name)[0]: 1 / (rank + 2) for rank, name in enumerate(table["names"])},
    )


@cache
def deck(names: tuple[str, ...]) -> Deck:
    """Return the deck of these concepts or proper names, with the inventory's weights."""
    return Deck(names, tuple(accumulate(inventory().weights[name] for name in names)))


def draw(random: Random, names: Iterable[str]) -> str:
    """Draw one of these concepts or proper names by the inventory's weights.

    Args:
        random: the source of randomness.
        names: what is drawn from.
    """
    return deck(tuple(names)).draw(random)


@cache
def nouns_in(classes: frozenset[str]) -> Deck:
    """Return the deck of the nouns of these classes that have no hyponym."""
    known = inventory()
    those = (noun.name for noun in known.nouns.values() if noun.top in classes)
    return deck(tuple(name for name in those if name not in known.kinds))


@cache
def adjectives_for(top: str) -> Deck:
    """Return the deck of the adjectives that go with nouns of this class."""
    return deck(tuple(name for name, adjective in inventory().adjectives.items() if top in adjective.classes))


@cache
def verbs_for(subject: str, obj: str | None) -> Deck:
    """Return the deck of the verbs that take such a subject and object; it may be empty.

    Args:
        subject: the class of the subject.
        obj: the class of the object; None: intransitive verbs.
    """
    return deck(
        tuple(
            name
            for name, verb in inventory().verbs.items()
            if subject in verb.subjects and (obj in verb.objects if obj else not verb.objects)
        )
    )


def _nouns(table: dict[str, Any], weights: dict[str, float]) -> dict[str, Noun]:
    above: dict[str, str | None] = {kind: entry.get("of") for kind, entry in table["kinds"].items()}
    nouns = {}
    for kind, hypernym in above.items():
        top = hypernym or kind
        nouns[kind] = Noun(kind, hypernym, top, None)
        weights[kind] = 0.5
        for rank, (name, gender) in enumerate(map(_gendered, table["nouns"][kind])):
            nouns[name] = Noun(name, kind, top, gender)
            weights[name] = 1 / (rank + 2)
    return nouns


def _gendered(entry: str) -> tuple[str, str | None]:
    name, _, mark = entry.partition(" ")
    return name, {"": None, "(m)": "Masc", "(f)": "Fem"}[mark]


def _rows(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: row for entry in entries for name, row in entry.items()}
