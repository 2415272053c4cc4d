"""The mini-languages' grammars, concepts and lexicons."""

import subprocess
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import fields
from itertools import combinations, pairwise
from random import Random

import pytest
from test_pocket_tasks import is_a

from polyprobe.languages import languages
from polyprobe.pocket import TYPOLOGIES, typology_distance
from polyprobe.pocket.concepts import inventory, nouns_in
from polyprobe.pocket.description import describe
from polyprobe.pocket.lexicon import lexicon
from polyprobe.pocket.scenes import draw_event, top
from polyprobe.pocket.typology import Typology
from support import ROOT

CODES = list(TYPOLOGIES)


def test_six_languages_are_known_by_name() -> None:
    assert CODES == ["qaa", "qab", "qac", "qad", "qae", "qaf"]
    assert set(CODES) <= set(languages())


def test_two_languages_are_near_the_source_and_two_far() -> None:
    near, middle, far = (
        [typology_distance("qaa", code) for code in codes] for codes in (CODES[1:3], ["qad"], CODES[4:])
    )
    assert max(near) < min(middle)
    assert max(middle) < min(far)


def test_distance_is_the_share_of_features_that_differ() -> None:
    for a, b in combinations(CODES, 2):
        one, other = TYPOLOGIES[a], TYPOLOGIES[b]
        differing = sum(getattr(one, f.name) != getattr(other, f.name) for f in fields(Typology))
        assert typology_distance(a, b) == typology_distance(b, a) == differing / len(fields(Typology))
    assert typology_distance("qaa", "qaa") == 0


def test_grammars_cover_what_the_study_needs() -> None:
    grammars = TYPOLOGIES.values()
    assert {grammar.order for grammar in grammars} == {"SVO", "SOV", "VSO"}
    assert (
        {grammar.adjective for grammar in grammars}
        == {grammar.adposition for grammar in grammars}
        == {"before", "after"}
    )
    assert {grammar.morphology for grammar in grammars} == {"fusional", "agglutinative"}
    assert {len(grammar.genders) for grammar in grammars} == {0, 2, 3}
    assert sum(bool(grammar.genders) for grammar in grammars) >= 4
    assert any(grammar.cases == (None,) for grammar in grammars)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_no_two_lexicons_share_a_form(seed: int) -> None:
    forms = {code: {form.lower() for form in lexicon(code, seed).forms()} for code in CODES}
    for a, b in combinations(CODES, 2):
        assert not forms[a] & forms[b]
    names = {name.lower() for name in inventory().names}
    assert not names & set().union(*forms.values())


def test_no_two_words_of_a_language_share_a_form() -> None:
    for code in CODES:
        words = lexicon(code, 0)
        counts: Counter[str] = Counter()
        for (upos, concept), stem in words.stems.items():
            counts.update(words.forms_of(upos, concept, stem))
        assert set(counts.values()) == {1}


def test_fusional_bundles_have_distinct_affixes() -> None:
    for code in CODES:
        morphology = lexicon(code, 0).morphology
        for table in (morphology.nominal, morphology.verbal):
            marked = [affix for affix in table.values() if affix]
            assert len(marked) == len(set(marked))


def test_a_lexicon_depends_on_code_and_seed_only() -> None:
    script = "from polyprobe.pocket.lexicon import lexicon; print(sorted(lexicon('qac', 0).stems.items()))"
    fresh = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert fresh.strip() == str(sorted(lexicon("qac", 0).stems.items()))
    assert lexicon("qac", 1).stems != lexicon("qac", 0).stems


def test_natural_gender_is_kept_everywhere() -> None:
    for code in CODES:
        genders = lexicon(code, 0).genders
        if genders:
            assert (genders["woman"], genders["man"]) == ("Fem", "Masc")
            assert set(genders.values()) == set(TYPOLOGIES[code].genders)


def test_concepts_are_consistent() -> None:
    known = inventory()
    assert len(known.nouns) >= 120
    groups: tuple[Collection[str], ...] = (
        known.nouns, known.adjectives, known.verbs, known.modals, known.scene_adverbs, known.manner_adverbs,
        known.adpositions, known.coordinators, known.subordinators, known.numerals, known.names,
    )  # fmt: skip
    assert sum(map(len, groups)) == len(set[str]().union(*groups)) == len(known.weights)
    for opposites in (
        {name: adjective.opposite for name, adjective in known.adjectives.items()},
        {name: verb.opposite for name, verb in known.verbs.items()},
        known.scene_adverbs,
        known.adpositions,
    ):
        for name, opposite in opposites.items():
            assert opposite is None or (opposite != name and opposites[opposite] == name)
            assert opposite is None or known.weights[name] == known.weights[opposite]
    tops = {noun.top for noun in known.nouns.values()}
    for verb in known.verbs.values():
        assert verb.subjects <= tops
        assert verb.objects <= tops
    for noun in known.nouns.values():
        assert is_a(noun.name, noun.top)


def test_frequencies_fall_with_rank_as_in_zipfs_law() -> None:
    known, random = inventory(), Random(0)
    deck = nouns_in(frozenset({"thing"}))
    direct = [name for name in deck.names if known.nouns[name].hypernym == "thing"]
    counts = Counter(deck.draw(random) for _ in range(20_000))
    assert all(counts[a] > counts[b] * 0.85 for a, b in pairwise(direct))
    # Weight 1 / (rank + 2) from rank 0.
    assert counts[direct[0]] / counts[direct[8]] == pytest.approx(5, rel=0.15)


def test_events_obey_selectional_restrictions() -> None:
    random = Random(0)
    for _ in range(500):
        event = draw_event(random)
        verb = inventory().verbs[event.verb]
        assert top(event.subject) in verb.subjects
        assert (event.object is None) == (not verb.objects)
        if event.object is not None:
            assert top(event.object) in verb.objects
            assert event.object != event.subject


def test_the_page_shows_what_the_command_prints() -> None:
    page = ROOT / "docs" / "pocket.md"
    assert describe() in page.read_text(encoding="utf-8")
