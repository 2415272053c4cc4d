"""From meanings to sentences: trees of words in the order, with the agreement and cases, of one language's grammar."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from polyprobe.pocket.concepts import inventory
from polyprobe.pocket.lexicon import Lexicon, Word
from polyprobe.pocket.semantics import Clause, Entity, Event, Name, Participant, State, Utterance
from polyprobe.pocket.typology import Side


@dataclass(frozen=True, slots=True)
class Token:
    """One line of CoNLL-U."""

    word: Word
    head: int
    """1-based position of the head, 0 for the root."""
    relation: str
    space_after: bool


@dataclass(frozen=True, slots=True)
class Phrase:
    """A head with its dependants on either side, in the order of speech; so every tree is projective."""

    head: Word
    relation: str
    before: tuple["Phrase", ...] = ()
    after: tuple["Phrase", ...] = ()

    def with_before(self, *phrases: "Phrase | None") -> "Phrase":
        """Return the phrase with more dependants at the very front; None stands for no dependant."""
        return Phrase(self.head, self.relation, (*filter(None, phrases), *self.before), self.after)

    def with_after(self, *phrases: "Phrase | None") -> "Phrase":
        """Return the phrase with more dependants at the very end; None stands for no dependant."""
        return Phrase(self.head, self.relation, self.before, (*self.after, *filter(None, phrases)))

    def beside(self, side: Side, phrase: "Phrase | None") -> "Phrase":
        """Return the phrase with one more dependant at the outside of one side.

        Args:
            side: of the head.
            phrase: the dependant; None leaves the phrase as it is.
        """
        return self.with_before(phrase) if side == "before" else self.with_after(phrase)


@dataclass(frozen=True, slots=True)
class _Agreement:
    """What a noun phrase demands of words that agree with it."""

    gender: str | None
    number: str
    person: str = "3"


_STOPS: Final = {mark: Word(mark, mark, "PUNCT") for mark in ".?!,"}


def realise(utterance: Utterance, lexicon: Lexicon) -> list[Token]:
    """Return the tokens of the sentence that says this.

    Args:
        utterance: what is said.
        lexicon: the words and the grammar of the language.

    Returns:
        The tokens in the order of speech, punctuation among them.
    """
    tokens: list[tuple[Word, int, str]] = []
    _place(_Grammar(lexicon).sentence(utterance), 0, tokens)
    following = [word.upos == "PUNCT" for word, _, _ in tokens[1:]]
    return [
        Token(word, head, relation, not glued)
        for (word, head, relation), glued in zip(tokens, [*following, False], strict=True)
    ]


def _place(phrase: Phrase, head: int, tokens: list[tuple[Word, int, str]]) -> None:
    """Append the phrase's words in order, with the positions of their heads.

    Args:
        phrase: the tree.
        head: 1-based position of its head, 0 for the root.
        tokens: word, position of its head and relation of every token so far; grows.
    """
    own = len(tokens) + sum(map(_size, phrase.before)) + 1
    for part in phrase.before:
        _place(part, own, tokens)
    tokens.append((phrase.head, head, phrase.relation))
    for part in phrase.after:
        _place(part, own, tokens)


def _size(phrase: Phrase) -> int:
    return 1 + sum(map(_size, phrase.before)) + sum(map(_size, phrase.after))


def text_of(tokens: Sequence[Token]) -> str:
    """Return the sentence as written."""
    return "".join(token.word.form + " " * token.space_after for token in tokens).rstrip()


@dataclass(frozen=True, slots=True)
class _Grammar:
    lexicon: Lexicon

    def sentence(self, utterance: Utterance) -> Phrase:
        """Return the tree of a whole sentence."""
        stop = Phrase(_STOPS[utterance.mark], "punct")
        opening = self._opening(utterance)
        if utterance.clause is None:
            assert opening is not None
            return replace(opening, relation="root").with_after(stop)
        root = self._clause(utterance.clause, "root")
        if utterance.second is not None and utterance.link is not None:
            root = self._joined(root, utterance.link, utterance.second)
        if opening is not None:
            comma = None if utterance.opening == "perhaps" else Phrase(_STOPS[","], "punct")
            root = root.with_before(opening, comma)
        return root.with_after(stop)

    def _opening(self, utterance: Utterance) -> Phrase | None:
        if utterance.opening is None:
            return None
        if utterance.opening == "perhaps":
            return Phrase(self.lexicon.particle("perhaps", "ADV"), "advmod")
        return Phrase(self.lexicon.particle(utterance.opening, "INTJ"), "discourse")

    def _joined(self, root: Phrase, link: str, second: Clause) -> Phrase:
        if link in inventory().coordinators:
            conjunction = Phrase(self.lexicon.particle(link, "CCONJ"), "cc")
            return root.with_after(self._clause(second, "conj").with_before(conjunction))
        mark = Phrase(self.lexicon.particle(link, "SCONJ"), "mark")
        clause = self._clause(second, "advcl")
        if self.lexicon.typology.order == "SOV":
            return root.with_before(clause.with_after(mark), Phrase(_STOPS[","], "punct"))
        return root.with_after(clause.with_before(mark))

    def _clause(self, clause: Clause, relation: str) -> Phrase:
        return self._event(clause, relation) if isinstance(clause, Event) else self._state(clause, relation)

    def _event(self, event: Event, relation: str) -> Phrase:
        typology = self.lexicon.typology
        case = typology.subject_case if event.object is None else typology.agent_case
        subject, agreement = self._participant(event.subject, "nsubj", case)
        parts = self._complements(event)
        concept = event.modal or event.verb
        finite = self.lexicon.finite(concept, event.tense, agreement.person, agreement.number, negative=event.negated)
        if event.modal is not None:
            inner = Phrase(self.lexicon.infinitive(event.verb), "xcomp")
            inner = inner.with_before(*parts) if typology.order == "SOV" else inner.with_after(*parts)
            parts = [inner]
        verb = self._negate(Phrase(finite, relation), event.negated)
        if typology.order == "SVO":
            return verb.with_before(subject).with_after(*parts)
        if typology.order == "SOV":
            return verb.with_before(subject, *parts)
        return verb.with_after(subject, *parts)

    def _complements(self, event: Event) -> list[Phrase]:
        """Return everything that stands with the verb but its subject.

        Where the verb comes last, the object stands next to it.
        """
        typology = self.lexicon.typology
        obj = self._participant(event.object, "obj", typology.object_case)[0] if event.object else None
        place = None
        if event.place is not None and event.adposition is not None:
            phrase = self._participant(event.place, "obl", typology.oblique_case)[0]
            adposition = Phrase(self.lexicon.particle(event.adposition, "ADP"), "case")
            place = phrase.beside(typology.adposition, adposition)
        adverb = Phrase(self.lexicon.particle(event.adverb, "ADV"), "advmod") if event.adverb else None
        ordered = (place, obj, adverb) if typology.order == "SOV" else (obj, adverb, place)
        return [phrase for phrase in ordered if phrase]

    def _negate(self, phrase: Phrase, negated: bool) -> Phrase:
        """Return the verb with the particle beside it, if negation is one here."""
        sides: dict[str, Side] = {"particle before": "before", "particle after": "after"}
        side = sides.get(self.lexicon.typology.negation)
        if not negated or side is None:
            return phrase
        particle = Phrase(self.lexicon.particle("not", "PART"), "advmod")
        return phrase.beside(side, particle)

    def _state(self, state: State, relation: str) -> Phrase:
        typology = self.lexicon.typology
        subject, agreement = self._participant(state.subject, "nsubj", typology.subject_case)
        if state.predicate in inventory().adjectives:
            predicate = self.lexicon.adjective(
                state.predicate, agreement.gender, agreement.number, typology.subject_case
            )
        else:
            predicate = self.lexicon.noun(state.predicate, agreement.number, typology.subject_case)
        finite = self.lexicon.finite(
            "be", state.tense, agreement.person, agreement.number, negative=state.negated, upos="AUX"
        )
        copula = [Phrase(finite, "cop")]
        if state.negated and typology.negation != "affix":
            particle = Phrase(self.lexicon.particle("not", "PART"), "advmod")
            copula = [particle, *copula] if typology.negation == "particle before" else [*copula, particle]
        root = Phrase(predicate, relation)
        if typology.order == "SVO":
            return root.with_before(subject, *copula)
        if typology.order == "SOV":
            return root.with_before(subject).with_after(*copula)
        return root.with_before(*copula).with_after(subject)

    def _participant(self, who: Participant, relation: str, case: str | None) -> tuple[Phrase, _Agreement]:
        if isinstance(who, Name):
            return Phrase(self.lexicon.name(who.name), relation), _Agreement(self.lexicon.genders.get(who.name), "Sing")
        if isinstance(who, Entity):
            return self._noun_phrase(who, relation, case)
        number = "Plur" if who.plural else "Sing"
        genders = self.lexicon.typology.genders
        gender = self.lexicon.genders.get(who.stands_for or "", genders[0] if genders else None)
        pronoun = self.lexicon.pronoun(who.person, gender, number, case)
        return Phrase(pronoun, relation), _Agreement(gender, number, who.person)

    def _noun_phrase(self, entity: Entity, relation: str, case: str | None) -> tuple[Phrase, _Agreement]:
        """Return a noun with its determiner, numeral, adjective and possessor, and its agreement.

        From the noun outwards: adjective, numeral, possessor; the determiner stands at the very front.
        """
        lexicon, typology = self.lexicon, self.lexicon.typology
        number = "Plur" if entity.plural else "Sing"
        gender = lexicon.genders.get(entity.noun)
        phrase = Phrase(lexicon.noun(entity.noun, number, case), relation)
        if entity.adjective is not None:
            adjective = lexicon.adjective(entity.adjective, gender, number, case)
            phrase = phrase.beside(typology.adjective, Phrase(adjective, "amod"))
        if entity.count is not None:
            phrase = phrase.beside(typology.numeral, Phrase(self._numeral(entity.count), "nummod"))
        if entity.owner is not None:
            owner = self._participant(entity.owner, "nmod", typology.possessor_case)[0]
            if typology.possessor_case is None:
                owner = owner.beside(typology.adposition, Phrase(lexicon.particle("of", "ADP"), "case"))
            phrase = phrase.beside(typology.possessor, owner)
        determiner = lexicon.determiner(entity.determiner, gender, number, case)
        article = Phrase(determiner, "det") if determiner else None
        return phrase.with_before(article), _Agreement(gender, number)

    def _numeral(self, count: str) -> Word:
        if count.isdecimal():
            return Word(count, count, "NUM", "NumType=Card")
        return self.lexicon.particle(count, "NUM")
