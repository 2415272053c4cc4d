"""UniMorph tags and attributes against a slow, separate implementation, and each clause of each language's rules."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polyprobe.treebanks import attributes, to_unimorph
from support import slow_unimorph as slow

Token = tuple[str, str, str]
"""UPOS, FEATS, form."""
Case = tuple[str, str, str, str]
"""UPOS, FEATS, form, tags."""

quick = settings(derandomize=True, deadline=None, database=None, max_examples=100)

LANGUAGES = ["ar", "ca", "en", "es", "eu", "fr", "hi", "mr", "pt", "ta", "ur", "vi", "zh", "xx"]
UPOS = [item for item, _ in slow.TABLE if "=" not in item]
FEATURES = [item for item, _ in slow.TABLE if "=" in item]
NAMES = sorted({item.split("=")[0] for item in FEATURES})
WITHOUT_TAG = [
    "Degree=Pos", "NumType=Card", "Poss=Yes", "PronType=Art", "PronType=Int,Rel", "Case=Cau", "Case=Lat", "Mood=Des",
    "Foreign=Yes", "Gender=Unsp", "Mood=Inter", "Case=", "Reflex=No", "UPOS=NOUN", "UPOS=VERB", "number=Sing",
    "Number=sing", "Number=SG",
]  # fmt: skip
BARE_UPOS_AS_FEATURE = ["NOUN", "PROPN", "VERB", "PUNCT"]


@st.composite
def layers(draw: st.DrawFn) -> list[str]:
    """Items of bracketed layers, each feature once."""
    names = draw(st.lists(st.sampled_from(["Number", "Person", "Gender", "Polite", "Case"]), unique=True, max_size=3))
    layer = draw(st.sampled_from(["psor", "erg", "dat", "abs", "psed", "gram"]))
    values = {
        "Number": ["Sing", "Plur", "Dual", "Tri", "None", "Sing,Plur"],
        "Person": ["0", "1", "2", "3"],
        "Gender": ["Masc", "Fem"],
        "Polite": ["Infm", "Elev"],
        "Case": ["Erg"],
    }
    return [f"{name}[{layer}]={draw(st.sampled_from(values[name]))}" for name in names]


@st.composite
def comma_lists(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(NAMES))
    known = [item.split("=")[1] for item in FEATURES if item.startswith(f"{name}=")]
    return f"{name}={','.join(draw(st.lists(st.sampled_from([*known, 'None', '']), min_size=2, max_size=4)))}"


MALFORMED = st.sampled_from(["Number[foo]=Sing", "Number[]=Sing", "Number[psor", "Number[psor]", "Number[PSOR]=Sing"])
ANY_UPOS = [*UPOS, "PUNCT", "SYM", "X", "_", "WORD"]
NAMES_IN_RULES = ["Aspect", "Mood", "Number", "Person", "Tense", "VerbForm", "Voice"]
ITEMS_OF_RULES = [item for item in FEATURES if item.split("=")[0] in NAMES_IN_RULES]
ITEMS = st.one_of(
    st.sampled_from(FEATURES), st.sampled_from(FEATURES), st.sampled_from([*WITHOUT_TAG, *BARE_UPOS_AS_FEATURE]),
    comma_lists(),
)  # fmt: skip
ENDINGS = st.sampled_from(["", "do", "to", "ram", "ra", "ran", "DO", "To", "RAM", "RA", "m", "am", "rá", "do "])
CHANGES = st.sampled_from(["upos", "form", "ending", "drop", "add", "add", "value"])


@st.composite
def any_tokens(draw: st.DrawFn) -> Token:
    """A token of any features, now and then of layers and of what is refused."""
    items = draw(st.lists(ITEMS, max_size=5))
    for _ in range(draw(st.integers(0, 2))):
        items += draw(layers())
    if draw(st.sampled_from([False] * 7 + [True])):
        items.append(draw(MALFORMED))
    feats = joined(draw(st.permutations(items)))
    return draw(st.sampled_from(ANY_UPOS)), feats, draw(st.sampled_from(["", "a", "HECHO", "गृह"])) + draw(ENDINGS)


@st.composite
def tokens_near_a_clause(draw: st.DrawFn, language: str) -> Token:
    """A token at the edge of one of the language's clauses, after at most two changes."""
    upos, feats, form = draw(st.sampled_from(edges(language)))
    items = [] if feats == "_" else feats.split("|")
    for change in draw(st.lists(CHANGES, max_size=2)):
        if change == "upos":
            upos = draw(st.sampled_from(ANY_UPOS))
        elif change == "form":
            form = draw(st.sampled_from([form.upper(), form[:-1], form + "s", "a" + form]))
        elif change == "ending":
            form += draw(ENDINGS)
        elif change == "add":
            items.append(draw(st.sampled_from(ITEMS_OF_RULES) | ITEMS))
        elif items:
            place = draw(st.integers(0, len(items) - 1))
            name = items.pop(place).split("=")[0]
            if change == "value":
                items.append(draw(st.sampled_from([item for item in FEATURES if item.split("=")[0] == name] or [name])))
    return upos, joined(items), form


def joined(items: Iterable[str]) -> str:
    """FEATS, each feature once."""
    return "|".join({item.partition("=")[0]: item for item in items}.values()) or "_"


def edges(language: str) -> list[Token]:
    """The cases of the language's clauses; of all clauses for a language without any."""
    own = [CLAUSES[key] for key in CLAUSES if key[0] == language] or list(CLAUSES.values())
    return [case[:3] for changed, unchanged in own for case in (*changed, *unchanged)]


def outcome(function: Any, *arguments: Any) -> Any:
    """What a function returns, or that it refuses."""
    try:
        return function(*arguments)
    except ValueError as error:
        return "refused" if str(error) else "refused without a word"


def assert_equal(upos: str, feats: str, language: str, form: str) -> None:
    """The tags are those of the slow implementation, in canonical order, and so are the attributes."""
    expected = outcome(slow.tags_of, upos, feats, language, form)
    found = outcome(to_unimorph, upos, feats, language, form)
    if expected == "refused" or found == "refused":
        assert found == expected
        return
    assert isinstance(found, tuple)
    assert set(found) == expected
    assert len(found) == len(expected)
    assert_canonical(found)
    assert outcome(attributes, found) == outcome(slow.attributes_of, found)


def assert_canonical(tags: tuple[str, ...]) -> None:
    places = [place for tag in tags if (place := slow.schema_place(tag)) is not None]
    assert places == sorted(places)
    last = [tag for tag in tags if tag.startswith(("{", "LGSPEC")) or tag in ("DIST", "GRPA")]
    assert last == sorted(last)
    assert tags[len(tags) - len(last) :] == tuple(last)


@pytest.mark.parametrize("language", [*slow.STEPS, "eu"])
def test_tokens_near_a_clause_equal_the_slow_implementation(language: str) -> None:
    @quick
    @given(tokens_near_a_clause(language))
    def check(token: Token) -> None:
        assert_equal(*token[:2], language, token[2])

    check()


@quick
@given(any_tokens(), st.sampled_from(LANGUAGES))
@example(("NOUN", "UPOS=VERB", ""), "vi")
@example(("X", "NOUN|Number=Sing", ""), "vi")
@example(("NOUN", "Definite=Cons|Number[psor]=Sing", ""), "eu")
@example(("NOUN", "Case=Add,Acc", ""), "vi")
def test_any_tokens_equal_the_slow_implementation(token: Token, language: str) -> None:
    assert_equal(*token[:2], language, token[2])


SUMS = ["IN+ESS", "AT+ABL", "MASC+FEM", "PST+PRF", "PSSS", "PSS1", "NDEF", "{CMPR}", "SG+PST", "IN+PST"]
AGREEMENT = ["ARGAB3S", "ARGER1P", "ARGAB", "ARGABS", "ARGER3", "ARGDAP", "ARGAB3D", "ARGAB0S"]
SKIPPED = ["DIST", "GRPA", "LGSPEC1", "LGSPEC2", "{ACC/DAT}", "_"]


@quick
@given(st.lists(st.sampled_from([value for _, value in slow.VALUES] + AGREEMENT + SKIPPED), unique=True, max_size=12))
def test_attributes_of_any_tags_equal_the_slow_implementation(tags: list[str]) -> None:
    assert outcome(attributes, tags) == outcome(slow.attributes_of, tags)


@pytest.mark.parametrize("tag", [*SUMS, *AGREEMENT, *SKIPPED])
def test_attributes_of_one_tag_equal_the_slow_implementation(tag: str) -> None:
    assert outcome(attributes, [tag]) == outcome(slow.attributes_of, [tag])


@pytest.mark.parametrize(("item", "tags"), slow.TABLE, ids=lambda value: value if isinstance(value, str) else "")
def test_every_row_of_the_base_table(item: str, tags: list[str]) -> None:
    upos, feats = ("X", item) if "=" in item else (item, "_")
    for language in ("vi", "xx"):
        assert set(to_unimorph(upos, feats, language)) == set(tags)
        assert_equal(upos, feats, language, "")


def test_the_schema_names_a_value_once() -> None:
    values = [value for _, value in slow.VALUES]
    assert len(values) == len(set(values))


# Each clause of each language's rules: the step, tokens that it changes, and tokens that it must just not change.
CLAUSES: dict[tuple[str, str], tuple[list[Case], list[Case]]] = {
    ("en", "always: remove FIN IND"): (
        [("VERB", "Mood=Ind|Tense=Past|VerbForm=Fin", "", "V PST"), ("X", "VerbForm=Fin", "", ""),
         ("NOUN", "Mood=Ind", "", "N")],
        [("VERB", "Mood=Sub|Tense=Past|VerbForm=Inf", "", "V SBJV PST NFIN")],
    ),
    ("en", "only V PRS: become V NFIN"): (
        [("VERB", "Tense=Pres", "", "V NFIN"), ("AUX", "Mood=Ind|Tense=Pres|VerbForm=Fin", "", "V NFIN")],
        [("VERB", "Tense=Pres|Person=3", "", "V PRS 3"), ("ADJ", "Tense=Pres", "", "ADJ PRS"),
         ("VERB", "Tense=Pres|Voice=Pass", "", "V PRS")],
    ),
    ("en", "only V V.MSDR: become V V.PTCP PRS"): (
        [("VERB", "VerbForm=Ger", "", "V V.PTCP PRS"), ("VERB", "Mood=Ind|VerbForm=Ger", "", "V V.PTCP PRS")],
        [("VERB", "Tense=Pres|VerbForm=Ger", "", "V V.MSDR PRS"), ("NOUN", "VerbForm=Ger", "", "N V.MSDR")],
    ),
    ("en", "has V: remove PASS"): (
        [("VERB", "Tense=Past|VerbForm=Part|Voice=Pass", "", "V V.PTCP PST")],
        [("ADJ", "Voice=Pass", "", "ADJ PASS"), ("VERB", "Voice=Act", "", "V ACT")],
    ),
    ("ca", "has V.PTCP: remove V"): (
        [("VERB", "Gender=Fem|Number=Sing|Tense=Past|VerbForm=Part", "", "V.PTCP FEM SG PST"),
         ("AUX", "VerbForm=Part", "", "V.PTCP")],
        [("VERB", "VerbForm=Inf", "", "V NFIN"), ("ADJ", "VerbForm=Part", "", "ADJ V.PTCP")],
    ),
    ("ca", "has V: remove FIN"): (
        [("VERB", "Mood=Ind|VerbForm=Fin", "", "V IND")],
        [("NOUN", "VerbForm=Fin", "", "N FIN")],
    ),
    ("ca", "has V PST: add PFV"): (
        [("VERB", "Mood=Ind|Tense=Past|VerbForm=Fin", "", "V IND PST PFV")],
        [("VERB", "Tense=Past|VerbForm=Part", "", "V.PTCP PST"), ("ADJ", "Tense=Past", "", "ADJ PST"),
         ("VERB", "Tense=Imp", "", "V IPFV PST"), ("VERB", "Tense=Pqp", "", "V PST+PRF")],
    ),
    ("ca", "has V IPFV: add PST"): (
        [("VERB", "Mood=Ind|Tense=Imp|VerbForm=Fin", "", "V IND IPFV PST"), ("AUX", "Aspect=Imp", "", "V IPFV PST")],
        [("NOUN", "Aspect=Imp", "", "N IPFV"), ("VERB", "Tense=Imp|VerbForm=Part", "", "V.PTCP IPFV")],
    ),
    ("ca", "has V COND: remove PRS"): (
        [("VERB", "Mood=Cnd|Tense=Pres", "", "V COND")],
        [("NOUN", "Mood=Cnd|Tense=Pres", "", "N COND PRS"), ("VERB", "Mood=Ind|Tense=Pres", "", "V IND PRS")],
    ),
    ("ca", "has V IMP: add POS, remove PRS"): (
        [("VERB", "Mood=Imp|Tense=Pres|VerbForm=Fin", "", "V IMP POS"), ("VERB", "Mood=Jus", "", "V IMP POS")],
        [("NOUN", "Mood=Imp|Tense=Pres", "", "N IMP PRS"), ("VERB", "Tense=Imp", "", "V IPFV PST")],
    ),
    ("ca", "only V V.MSDR: become PRS V.PTCP"): (
        [("VERB", "VerbForm=Ger", "", "PRS V.PTCP"), ("AUX", "VerbForm=Vnoun", "", "PRS V.PTCP")],
        [("VERB", "Number=Sing|VerbForm=Ger", "", "V V.MSDR SG"), ("NOUN", "VerbForm=Ger", "", "N V.MSDR"),
         ("VERB", "VerbForm=Conv", "", "V V.CVB")],
    ),
    ("ca", "more IPFV SBJV: remove IPFV"): (
        [("VERB", "Mood=Sub|Tense=Imp|VerbForm=Fin", "", "V SBJV PST"), ("NOUN", "Mood=Sub|Tense=Imp", "", "N SBJV")],
        [("X", "Mood=Sub|Tense=Imp", "", "SBJV IPFV"), ("VERB", "Mood=Ind|Tense=Imp", "", "V IND IPFV PST")],
    ),
    ("fr", "has V.PTCP: remove V MASC FEM SG PL"): (
        [("VERB", "Gender=Masc|Number=Sing|Tense=Past|VerbForm=Part", "", "V.PTCP PST"),
         ("ADJ", "Gender=Fem|Number=Plur|VerbForm=Part", "", "ADJ V.PTCP"), ("AUX", "VerbForm=Part", "", "V.PTCP")],
        [("ADJ", "Gender=Fem|Number=Plur", "", "ADJ FEM PL"),
         ("X", "Gender=Neut|Number=Dual|VerbForm=Part", "", "V.PTCP NEUT DU")],
    ),
    ("fr", "has V: remove FIN"): (
        [("VERB", "Mood=Ind|VerbForm=Fin", "", "V IND")],
        [("ADV", "VerbForm=Fin", "", "ADV FIN")],
    ),
    ("fr", "has V PST: add PFV"): (
        [("VERB", "Mood=Ind|Tense=Past|VerbForm=Fin", "", "V IND PST PFV")],
        [("VERB", "Tense=Past|VerbForm=Part", "", "V.PTCP PST"), ("VERB", "Tense=Imp", "", "V IPFV PST")],
    ),
    ("fr", "has V IPFV: add PST"): (
        [("VERB", "Mood=Sub|Tense=Imp|VerbForm=Fin", "", "V SBJV IPFV PST")],
        [("X", "Mood=Sub|Tense=Imp", "", "SBJV IPFV")],
    ),
    ("fr", "has V COND: remove PRS"): (
        [("AUX", "Mood=Cnd|Tense=Pres|VerbForm=Fin", "", "V COND")],
        [("DET", "Mood=Cnd|Tense=Pres", "", "DET COND PRS")],
    ),
    ("fr", "has V IMP: add POS, remove PRS"): (
        [("VERB", "Mood=Imp|Tense=Pres|VerbForm=Fin", "", "V IMP POS")],
        [("INTJ", "Mood=Imp|Tense=Pres", "", "INTJ IMP PRS")],
    ),
    ("fr", "only V V.MSDR: become PRS V.CVB"): (
        [("VERB", "VerbForm=Ger", "", "PRS V.CVB"), ("AUX", "VerbForm=Vnoun", "", "PRS V.CVB")],
        [("VERB", "Tense=Pres|VerbForm=Ger", "", "V V.MSDR PRS"), ("NOUN", "VerbForm=Ger", "", "N V.MSDR")],
    ),
    ("pt", "has V.PTCP: remove V"): (
        [("VERB", "Gender=Fem|Number=Sing|Tense=Past|VerbForm=Part", "feita", "V.PTCP FEM SG PST")],
        [("NOUN", "VerbForm=Part", "feita", "N V.PTCP PST")],
    ),
    ("pt", "has V.PTCP PASS: remove PASS, add PST"): (
        [("VERB", "Gender=Fem|VerbForm=Part|Voice=Pass", "feita", "V.PTCP FEM PST"),
         ("VERB", "Tense=Pres|VerbForm=Part|Voice=Pass", "feita", "V.PTCP PRS PST")],
        [("NOUN", "Voice=Pass", "feita", "N PASS"), ("VERB", "VerbForm=Part|Voice=Act", "feita", "V.PTCP ACT PST")],
    ),
    ("pt", "has V.PTCP, lacks PRS: add PST"): (
        [("VERB", "Gender=Fem|VerbForm=Part", "feita", "V.PTCP FEM PST"), ("X", "VerbForm=Part", "a", "V.PTCP PST")],
        [("VERB", "Tense=Pres|VerbForm=Part", "feita", "V.PTCP PRS"), ("ADJ", "_", "feita", "ADJ")],
    ),
    ("pt", "only PST V.PTCP, ends do to: add MASC SG"): (
        [("VERB", "VerbForm=Part", "amado", "V.PTCP PST MASC SG"),
         ("VERB", "Tense=Past|VerbForm=Part|Voice=Pass", "feito", "V.PTCP PST MASC SG"),
         ("X", "VerbForm=Part", "to", "V.PTCP PST MASC SG")],
        [("VERB", "VerbForm=Part", "AMADO", "V.PTCP PST"), ("VERB", "VerbForm=Part", "amada", "V.PTCP PST"),
         ("VERB", "VerbForm=Part", "o", "V.PTCP PST"), ("ADJ", "VerbForm=Part", "amado", "ADJ V.PTCP PST"),
         ("VERB", "Number=Sing|VerbForm=Part", "amado", "V.PTCP PST SG"),
         ("VERB", "Tense=Pres|VerbForm=Part", "amado", "V.PTCP PRS"), ("X", "Tense=Past", "amado", "PST")],
    ),
    ("pt", "only V V.MSDR: become PRS V.PTCP"): (
        [("VERB", "VerbForm=Ger", "amando", "PRS V.PTCP")],
        [("VERB", "Voice=Pass|VerbForm=Ger", "amando", "V V.MSDR"), ("NOUN", "VerbForm=Ger", "amando", "N V.MSDR")],
    ),
    ("pt", "has V: remove FIN"): (
        [("VERB", "Mood=Ind|VerbForm=Fin", "ama", "V IND")],
        [("NOUN", "VerbForm=Fin", "ama", "N FIN")],
    ),
    ("pt", "has V PST, lacks IPFV: add PFV"): (
        [("VERB", "Mood=Ind|Tense=Past|VerbForm=Fin", "amou", "V IND PST PFV")],
        [("VERB", "Aspect=Imp|Tense=Past", "amava", "V PST IPFV"), ("NOUN", "Tense=Past", "amou", "N PST"),
         ("VERB", "Tense=Pqp", "amara", "V PST PRF")],
    ),
    ("pt", "has V IPFV: add PST"): (
        [("VERB", "Mood=Ind|Tense=Imp|VerbForm=Fin", "amava", "V IND PST IPFV")],
        [("NOUN", "Tense=Imp", "amava", "N IPFV")],
    ),
    ("pt", "only 3 IND PL V, ends ram: add PFV PST"): (
        [("VERB", "Mood=Ind|Number=Plur|Person=3|VerbForm=Fin", "amaram", "V IND PL 3 PST PFV"),
         ("AUX", "Mood=Ind|Number=Plur|Person=3", "ram", "V IND PL 3 PST PFV")],
        [("VERB", "Mood=Ind|Number=Plur|Person=3", "amam", "V IND PL 3"),
         ("VERB", "Mood=Ind|Number=Plur|Person=3", "AMARAM", "V IND PL 3"),
         ("VERB", "Mood=Ind|Number=Sing|Person=3", "amaram", "V IND SG 3"),
         ("VERB", "Mood=Ind|Number=Plur", "amaram", "V IND PL"),
         ("VERB", "Mood=Ind|Number=Plur|Person=3|Voice=Pass", "amaram", "V IND PL 3"),
         ("VERB", "Mood=Ind|Number=Plur|Person=3|Tense=Pres", "amaram", "V IND PL 3 PRS")],
    ),
    ("pt", "has V: remove PASS"): (
        [("VERB", "Number=Sing|VerbForm=Inf|Voice=Pass", "ser", "V NFIN SG")],
        [("ADJ", "Voice=Pass", "ser", "ADJ PASS")],
    ),
    ("pt", "has V PST+PRF: remove PST+PRF, add PST PRF"): (
        [("VERB", "Mood=Ind|Tense=Pqp|VerbForm=Fin", "amara", "V IND PST PRF")],
        [("NOUN", "Tense=Pqp", "amara", "N PST+PRF"), ("VERB", "Tense=Pqp|VerbForm=Part", "a", "V.PTCP PST PST+PRF")],
    ),
    ("es", "always: remove FIN"): (
        [("VERB", "Mood=Ind|VerbForm=Fin", "", "V IND"), ("X", "VerbForm=Fin", "", "")],
        [("VERB", "VerbForm=Inf", "", "V NFIN")],
    ),
    ("es", "more V V.PTCP: remove V"): (
        [("VERB", "Gender=Masc|VerbForm=Part", "hecho", "V.PTCP MASC"),
         ("VERB", "Tense=Past|VerbForm=Part", "hecho", "V.PTCP PST")],
        [("VERB", "VerbForm=Part", "hecho", "V V.PTCP"), ("ADJ", "VerbForm=Part", "hecho", "ADJ V.PTCP")],
    ),
    ("es", "only V V.MSDR: become PRS V.CVB"): (
        [("VERB", "VerbForm=Ger", "haciendo", "PRS V.CVB")],
        [("VERB", "Number=Sing|VerbForm=Ger", "haciendo", "V V.MSDR SG"), ("X", "VerbForm=Ger", "", "V.MSDR")],
    ),
    ("es", "has PST, lacks V.PTCP: add PFV"): (
        [("VERB", "Mood=Ind|Tense=Past", "hizo", "V IND PST PFV"), ("ADJ", "Tense=Past", "hecho", "ADJ PST PFV")],
        [("VERB", "Tense=Past|VerbForm=Part", "hecho", "V.PTCP PST"), ("VERB", "Tense=Pqp", "", "V PST+PRF")],
    ),
    ("es", "more IND IPFV: add PST"): (
        [("VERB", "Mood=Ind|Tense=Imp", "era", "V IND IPFV PST")],
        [("X", "Mood=Ind|Tense=Imp|VerbForm=Fin", "era", "IND IPFV"), ("VERB", "Tense=Imp", "era", "V IPFV")],
    ),
    ("es", "has IMP: add POS"): (
        [("VERB", "Mood=Imp|Tense=Pres", "haz", "V IMP PRS POS"), ("X", "Mood=Jus", "haz", "IMP POS")],
        [("VERB", "Mood=Sub", "haga", "V SBJV")],
    ),
    ("es", "more IPFV SBJV, ends ra ran: add LGSPEC1"): (
        [("VERB", "Mood=Sub|Tense=Imp", "hiciera", "V SBJV PST LGSPEC1"),
         ("AUX", "Mood=Sub|Tense=Imp", "fueran", "V SBJV PST LGSPEC1"),
         ("NOUN", "Aspect=Imp|Mood=Sub", "ra", "N SBJV PST LGSPEC1")],
        [("VERB", "Mood=Sub|Tense=Imp", "hiciese", "V SBJV PST"),
         ("VERB", "Mood=Sub|Tense=Imp", "HICIERA", "V SBJV PST"),
         ("VERB", "Mood=Sub|Tense=Imp", "hiciéramos", "V SBJV PST"), ("X", "Mood=Sub|Tense=Imp", "ra", "SBJV IPFV"),
         ("VERB", "Mood=Ind|Tense=Imp", "era", "V IND IPFV PST")],
    ),
    ("es", "more IPFV SBJV: remove IPFV, add PST"): (
        [("VERB", "Mood=Sub|Tense=Imp", "hiciese", "V SBJV PST"), ("NOUN", "Mood=Sub|Tense=Imp", "", "N SBJV PST")],
        [("X", "Mood=Sub|Tense=Imp|VerbForm=Fin", "fuese", "SBJV IPFV"), ("VERB", "Tense=Imp", "", "V IPFV")],
    ),
    ("ur", "always: remove MASC FEM NEUT"): (
        [("PRON", "Gender=Masc|Person=3", "", "PRO 3"), ("ADJ", "Gender=Fem", "", "ADJ"), ("X", "Gender=Neut", "", "")],
        [("PRON", "Gender=Com", "", "PRO MASC+FEM"), ("PRON", "Animacy=Anim", "", "PRO ANIM")],
    ),
    ("ur", "has N, any SG PL: remove 3"): (
        [("NOUN", "Number=Sing|Person=3", "", "N SG"), ("NOUN", "Number=Plur|Person=3", "", "N PL")],
        [("NOUN", "Person=3", "", "N 3"), ("NOUN", "Number=Dual|Person=3", "", "N DU 3"),
         ("NOUN", "Number=Sing|Person=2", "", "N SG 2"), ("PRON", "Number=Sing|Person=3", "", "PRO SG 3")],
    ),
    ("ur", "has PROPN: remove 3"): (
        [("PROPN", "Person=3", "", "PROPN"), ("PROPN", "Number=Sing|Person=3", "", "PROPN SG")],
        [("PROPN", "Person=1", "", "PROPN 1"), ("PRON", "Person=3", "", "PRO 3")],
    ),
}  # fmt: skip


def test_every_clause_of_every_language_has_its_cases() -> None:
    assert list(CLAUSES) == [(language, step) for language in slow.STEPS for step in slow.steps_of(language)]


@pytest.mark.parametrize(("language", "step"), CLAUSES)
def test_a_clause_changes_what_it_should_and_no_more(language: str, step: str) -> None:
    changed, unchanged = CLAUSES[language, step]
    assert changed
    assert unchanged
    for cases, fires in ((changed, True), (unchanged, False)):
        for upos, feats, form, tags in cases:
            assert (step in slow.steps_that_change(upos, feats, language, form)) == fires, (upos, feats, form)
            assert slow.tags_of(upos, feats, language, form) == set(tags.split())
            assert_equal(upos, feats, language, form)


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code not in slow.STEPS])
def test_other_languages_have_no_rules(language: str) -> None:
    for changed, unchanged in CLAUSES.values():
        for upos, feats, form, _ in (*changed, *unchanged):
            assert set(to_unimorph(upos, feats, language, form)) == slow.base_bag(upos, feats)


def distinct_tokens(folder: Path) -> Iterable[tuple[str, str, str, str]]:
    """Every UPOS, FEATS, language and form's last three letters (where a rule reads the form) of the treebanks."""
    found = set()
    for file in folder.rglob("*.conllu"):
        language = file.name.split("-")[0].split("_")[0]
        for line in file.read_text(encoding="utf-8").split("\n"):
            if line and line[0] != "#":
                columns = line.split("\t")
                found.add((columns[3], columns[5], language, columns[1][-3:] if language in ("pt", "es") else ""))
    return sorted(found)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif("POLYPROBE_DATA" not in os.environ, reason="POLYPROBE_DATA names no treebanks")
def test_every_token_of_real_treebanks_equals_the_slow_implementation() -> None:
    tokens = list(distinct_tokens(Path(os.environ["POLYPROBE_DATA"])))
    assert len(tokens) > 1000
    for token in tokens:
        assert_equal(*token)
