"""The generated transfer tasks: layout, labels that follow from the meanings, nothing that gives them away."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from polyprobe.pocket import TYPOLOGIES, write_tasks
from polyprobe.pocket.concepts import inventory
from polyprobe.pocket.documents import draw_document
from polyprobe.pocket.inference import LABELS, Triple, draw_triple
from polyprobe.pocket.lexicon import lexicon
from polyprobe.pocket.realisation import realise, text_of
from polyprobe.pocket.semantics import Entity, Event, Name, Utterance
from polyprobe.study import Pocket

CODES = list(TYPOLOGIES)


def _settings(nli: dict[str, int], pos: dict[str, int] | None = None) -> Pocket:
    treebank = {"train": 6, "dev": 6, "test": 6, "parallel": 6}
    return Pocket.model_validate({"seed": 0, "treebank": treebank, "nli": nli, "pos": pos or nli})


SMALL = _settings({"train": 152, "dev": 16, "test": 31}, {"train": 60, "dev": 10, "test": 20})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("tasks")
    write_tasks(target, CODES, "qaa", SMALL)
    return target


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, ...]]]:
    """Pairs of realistic size, in the source language; written without the run-time checks of types, for speed."""
    target = tmp_path_factory.mktemp("realistic")
    script = "import sys; from pathlib import Path; from polyprobe.pocket import write_tasks; "
    script += "from polyprobe.study import Pocket; "
    script += "write_tasks(Path(sys.argv[1]), ['qaa'], 'qaa', Pocket.model_validate_json(sys.argv[2]))"
    settings = _settings({"train": 6000, "dev": 300, "test": 900}, {"train": 5, "dev": 5, "test": 5})
    subprocess.run([sys.executable, "-c", script, str(target), settings.model_dump_json()], check=True)
    return {split: _rows(target / "xnli" / f"{split}-qaa.tsv") for split in ("train", "dev", "test")}


@pytest.fixture(scope="module")
def triples() -> list[Triple]:
    random = Random(1)
    return [draw_triple(random) for _ in range(1000)]


def _text(event: Event, code: str = "qaa") -> str:
    return text_of(realise(Utterance(event), lexicon(code, 0)))


def _rows(path: Path) -> list[tuple[str, ...]]:
    return [tuple(line.split("\t")) for line in path.read_text(encoding="utf-8").splitlines()]


def test_xnli_has_xtremes_layout(folder: Path) -> None:
    names = {path.name for path in (folder / "xnli").iterdir()}
    assert names == {"train-qaa.tsv", "dev-qaa.tsv", *(f"test-{code}.tsv" for code in CODES)}
    for name in names:
        rows = _rows(folder / "xnli" / name)
        assert len(rows) == {"train": 152, "dev": 16, "test": 31}[name.split("-")[0]]
        assert all(len(row) == 3 and row[2] in LABELS for row in rows)
        counts = Counter(row[2] for row in rows)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_udpos_has_xtremes_layout(folder: Path) -> None:
    names = {path.name for path in (folder / "udpos").iterdir()}
    assert names == {"train-qaa.tsv", "dev-qaa.tsv", *(f"test-{code}.tsv" for code in CODES)}
    for name in names:
        text = (folder / "udpos" / name).read_text(encoding="utf-8")
        sentences = text.removesuffix("\n\n").split("\n\n")
        assert len(sentences) == {"train": 60, "dev": 10, "test": 20}[name.split("-")[0]]
        for sentence in sentences:
            rows = [line.split("\t") for line in sentence.split("\n")]
            assert all(len(row) == 2 and row[1].isupper() for row in rows)
            assert rows[-1][1] == "PUNCT"


def test_tests_are_the_same_items_in_every_language(folder: Path) -> None:
    labels = [[row[2] for row in _rows(folder / "xnli" / f"test-{code}.tsv")] for code in CODES]
    assert all(language == labels[0] for language in labels)
    tags = []
    for code in CODES:
        blocks = (folder / "udpos" / f"test-{code}.tsv").read_text(encoding="utf-8").removesuffix("\n\n").split("\n\n")
        tags.append([Counter(line.split("\t")[1] for line in block.split("\n")) for block in blocks])
    for counts in zip(*tags, strict=True):
        assert (
            len({tuple(count[tag] for tag in ("NOUN", "VERB", "ADJ", "ADV", "PROPN", "PRON")) for count in counts}) == 1
        )


def test_no_test_item_is_in_train_or_dev(pairs: dict[str, list[tuple[str, ...]]], folder: Path) -> None:
    hypotheses = {split: {hypothesis for _, hypothesis, _ in rows} for split, rows in pairs.items()}
    assert not hypotheses["train"] & hypotheses["dev"]
    assert not hypotheses["test"] & (hypotheses["train"] | hypotheses["dev"])
    sentences = {
        split: (folder / "udpos" / f"{split}-qaa.tsv").read_text(encoding="utf-8").removesuffix("\n\n").split("\n\n")
        for split in ("train", "dev", "test")
    }
    drawn = [sentence for split in sentences.values() for sentence in split]
    assert len(drawn) == len(set(drawn))


@pytest.mark.parametrize("side", [0, 1], ids=["premise", "hypothesis"])
def test_one_side_alone_does_not_give_the_label_away(pairs: dict[str, list[tuple[str, ...]]], side: int) -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    bag = CountVectorizer(token_pattern=r"\S+")
    train = bag.fit_transform([row[side] for row in pairs["train"]])
    test = bag.transform([row[side] for row in pairs["test"]])
    for strength in (0.01, 1.0):
        classifier = LogisticRegression(C=strength, max_iter=1000, tol=1e-3)
        classifier.fit(train, [row[2] for row in pairs["train"]])
        accuracy = classifier.score(test, [row[2] for row in pairs["test"]])
        assert accuracy == pytest.approx(1 / 3, abs=0.05)


def test_every_hypothesis_comes_under_every_label_alike(pairs: dict[str, list[tuple[str, ...]]]) -> None:
    counts = Counter((hypothesis, label) for _, hypothesis, label in pairs["train"])
    for hypothesis in {hypothesis for hypothesis, _ in counts}:
        assert len({counts[hypothesis, label] for label in LABELS}) == 1


def test_premises_look_alike_under_every_label(triples: list[Triple]) -> None:
    for measure in (
        lambda event: event.negated,
        lambda event: len([detail for detail in _details(event).values() if detail]),
        lambda event: event.adverb is not None,
        lambda event: event.place is not None,
        lambda event: _noun(event.subject) in inventory().kinds,
        lambda event: isinstance(event.subject, Entity) and event.subject.adjective is not None,
        lambda event: isinstance(event.object, Entity) and event.object.adjective is not None,
    ):
        means = [np.mean([measure(triple.premises[label]) for triple in triples]) for label in LABELS]
        spread = np.std([measure(triple.premises[LABELS[0]]) for triple in triples])
        assert max(means) - min(means) < 5 * spread * (2 / len(triples)) ** 0.5


def test_lengths_suit_a_small_model(pairs: dict[str, list[tuple[str, ...]]]) -> None:
    premises, hypotheses = ([len(row[side].split()) for row in pairs["train"]] for side in (0, 1))
    assert max(premises) <= 13
    assert 6 <= np.mean(premises) <= 9
    assert 4.5 <= np.mean(hypotheses) <= 7


def _who(who: object) -> str | None:
    return who.name if isinstance(who, Name) else _noun(who)


def _noun(who: object) -> str | None:
    return who.noun if isinstance(who, Entity) else None


def _details(event: Event) -> dict[str, tuple[str, str] | None]:
    """Each detail as (its quality's word, what else it says)."""
    return {
        "subject": (event.subject.adjective, "")
        if isinstance(event.subject, Entity) and event.subject.adjective
        else None,
        "object": (event.object.adjective, "") if isinstance(event.object, Entity) and event.object.adjective else None,
        "adverb": (event.adverb, "") if event.adverb else None,
        "place": (event.adposition, event.place.noun) if event.adposition and event.place else None,
    }


def is_a(noun: str, hypernym: str) -> bool:
    """Whether one is the other or lies below it."""
    above: str | None = noun
    while above is not None and above != hypernym:
        above = inventory().nouns[above].hypernym
    return above is not None


def _related(a: object, b: object, *, entailed: bool) -> bool:
    """Whether both can be the same one; with `entailed`, whether a must be what b says."""
    if not isinstance(a, Entity) or not isinstance(b, Entity):
        return a == b
    same = a.plural == b.plural
    return same and (is_a(a.noun, b.noun) or (not entailed and is_a(b.noun, a.noun)))


def _judge(premise: Event, hypothesis: Event) -> str:
    """The label by the rules that docs/pocket.md states, from the two meanings alone."""
    known = inventory()
    verb = known.verbs[hypothesis.verb]
    both_assert = not premise.negated and not hypothesis.negated
    if premise.verb == hypothesis.verb and verb.one_way and both_assert:
        crossed = (_who(premise.object), _who(premise.subject))
        if (_who(hypothesis.subject), _who(hypothesis.object)) == crossed:
            return "contradiction"
    if not _related(premise.subject, hypothesis.subject, entailed=False):
        return "neutral"
    if not _related(premise.object, hypothesis.object, entailed=False):
        return "neutral"
    if premise.verb == verb.opposite:
        return "contradiction" if both_assert else "neutral"
    if premise.verb != hypothesis.verb:
        return "neutral"
    opposites = {
        **{name: adjective.opposite for name, adjective in known.adjectives.items()},
        **known.scene_adverbs,
        **known.adpositions,
    }
    given, claimed = _details(premise), _details(hypothesis)
    for slot, detail in claimed.items():
        fact = given[slot]
        if detail and fact and opposites[detail[0]] == fact[0] and detail[1] == fact[1]:
            return "contradiction"
    if premise.negated != hypothesis.negated:
        return "contradiction"
    said = all(detail is None or detail == given[slot] for slot, detail in claimed.items())
    known_kinds = all(
        _related(a, b, entailed=True)
        for a, b in ((premise.subject, hypothesis.subject), (premise.object, hypothesis.object))
    )
    return "entailment" if said and known_kinds else "neutral"


def test_labels_follow_from_the_meanings(triples: list[Triple]) -> None:
    for triple in triples:
        for label in LABELS:
            premise = triple.premises[label]
            assert _judge(premise, triple.hypothesis) == label, (premise, triple.hypothesis)


def test_the_judge_is_right_about_simple_cases() -> None:
    event = Event("chase", Entity("dog"), Entity("cat"), "Past")
    assert event.object is not None
    assert _judge(event, event) == "entailment"
    assert _judge(event, replace(event, subject=Entity("animal"))) == "entailment"
    assert _judge(replace(event, subject=Entity("animal")), event) == "neutral"
    assert _judge(event, replace(event, negated=True)) == "contradiction"
    assert _judge(event, replace(event, subject=event.object, object=event.subject)) == "contradiction"
    assert _judge(event, replace(event, adverb="early")) == "neutral"
    assert _judge(replace(event, adverb="late"), replace(event, adverb="early")) == "contradiction"
    assert _judge(event, replace(event, subject=Name("Ada"))) == "neutral"


def test_every_operation_occurs_and_the_hard_ones_are_few(triples: list[Triple]) -> None:
    known, counts = inventory(), Counter[str]()
    for triple in triples:
        hypothesis, opposing = triple.hypothesis, triple.premises["contradiction"]
        kinds = {
            "negation": hypothesis.negated != opposing.negated,
            "opposite verb": known.verbs[hypothesis.verb].opposite == opposing.verb,
            "swap": opposing.object is not None and _who(hypothesis.subject) == _who(opposing.object),
            "hypernym": _who(triple.premises["entailment"].subject) != _who(hypothesis.subject),
        }
        counts.update(kind for kind, there in kinds.items() if there)
    shares = {kind: count / len(triples) for kind, count in counts.items()}
    assert 0.4 < shares["negation"] < 0.58
    assert 0.1 < shares["opposite verb"] < 0.3
    assert 0.02 < shares["swap"] < 0.12
    assert 0.02 < shares["hypernym"] < 0.2


def test_answers_in_documents_follow_from_what_was_said() -> None:
    random, labels = Random(3), {"yes": "entailment", "perhaps": "neutral", "no": "contradiction"}
    answered: Counter[str] = Counter()
    for _ in range(250):
        document = draw_document(random)
        assert 4 <= len(document) <= 8
        for statement, question, answer in zip(document, document[1:], document[2:], strict=False):
            if question.mark == "?":
                assert isinstance(statement.clause, Event)
                assert isinstance(question.clause, Event)
                assert answer.opening is not None
                assert _judge(_definite(statement.clause), question.clause) == labels[answer.opening]
                answered[answer.opening] += 1
    assert min(answered.values()) > 25


def _definite(event: Event) -> Event:
    for role in ("subject", "object"):
        who = event.participant(role)
        if isinstance(who, Entity):
            event = event.with_participant(role, replace(who, determiner="definite"))
    return event


def test_a_second_call_writes_the_same_bytes_and_languages_do_not_depend_on_each_other(
    folder: Path, tmp_path: Path
) -> None:
    write_tasks(tmp_path, ["qaf", "qaa"], "qaa", SMALL)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.tsv"))
    assert len(written) == 8
    assert all((tmp_path / name).read_bytes() == (folder / name).read_bytes() for name in written)
