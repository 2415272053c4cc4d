"""From UD's features to UniMorph tags and attributes: the base table, layers, each language's rules, competing tags."""

import math
import os
import re
from itertools import permutations
from pathlib import Path
from pkgutil import iter_modules

import pytest

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.treebanks import attributes, read_sentences, to_unimorph
from polyprobe.treebanks.unimorph import analyse, combine, languages
from polyprobe.treebanks.unimorph.tags import read_tag

NONE: tuple[str, ...] = ()

# The published table, feature by feature (UD value and tag).
TABLE = """
Person 0 0, 1 1, 2 2, 3 3, 4 4
Gender Masc MASC, Fem FEM, Neut NEUT, Com MASC+FEM
Animacy Anim ANIM, Hum HUM, Inan INAN, Nhum NHUM
Case Nom NOM, Acc ACC, Abs ABS, Erg ERG, Dat DAT, Gen GEN, Voc VOC, Loc ESS, Par PRT, Dis DIST, Ess FRML, Tra TRANS
Case Com COM, Abe PRIV, Ine IN+ESS, Ill IN+ALL, Ela IN+ABL, Add IN+ALL;LGSPEC1, All AT+ALL, Abl AT+ABL, Sup ON+ESS
Case Sub ON+ALL, Ben BEN, Cmp COMPV, Equ EQTV, Ins INS, Ade AT+ESS
Definite Ind INDF, Spec SPEC, Def DEF, Cons PSSD
Degree Abs AB, Cmp CMPR, Equ EQT, Sup RL
Mood Ind IND, Imp IMP, Cnd COND, Pot POT, Sub SBJV, Jus IMP, Prp PURP, Qot QUOT, Opt OPT, Adm ADM
Evident Fh FH, Nfh NFH
Number Sing SG, Plur PL, Dual DU, Tri TRI, Pauc PAUC, Grpa GRPA, Grpl GRPL, Inv INVN
Polite Elev ELEV, Form FORM, Humb HUMB, Infm INFM
Polarity Pos POS, Neg NEG
VerbForm Fin FIN, Inf NFIN, Sup V.CVB, Part V.PTCP, Conv V.CVB, Gdv V.CVB, Ger V.MSDR, Vnoun V.MSDR, Short LGSPEC1
Tense Fut FUT, Imp IPFV, Past PST, Pqp PST+PRF, Pres PRS
Aspect Hab HAB, Imp IPFV, Iter ITER, Perf PFV, Prog PROG, Prosp PROSP
Voice Act ACT, Mid MID, Pass PASS, Antip ANTIP, Dir DIR, Inv INV, Rcp RECP, Cau CAUS
Reflex Yes REFL
"""
ENTRIES = [
    (f"{line.split()[0]}={entry.split()[0]}", entry.split()[1])
    for line in TABLE.strip().splitlines()
    for entry in line.split(" ", 1)[1].split(", ")
]
UPOS = {
    "ADV": "ADV", "PRON": "PRO", "VERB": "V", "ADP": "ADP", "DET": "DET", "NOUN": "N", "ADJ": "ADJ", "SCONJ": "CONJ",
    "CCONJ": "CONJ", "NUM": "NUM", "AUX": "V", "PROPN": "PROPN", "PART": "PART", "INTJ": "INTJ",
}  # fmt: skip


@pytest.mark.parametrize(("feature", "tag"), ENTRIES)
def test_base_table(feature: str, tag: str) -> None:
    assert set(to_unimorph("X", feature, "vi")) == set(tag.split(";"))


def test_upos() -> None:
    assert {upos: to_unimorph(upos, "_", "vi") for upos in UPOS} == {upos: (tag,) for upos, tag in UPOS.items()}
    assert {to_unimorph(upos, "_", "vi") for upos in ("PUNCT", "SYM", "X", "_")} == {NONE}
    assert to_unimorph("PUNCT", "Number=Sing", "vi") == ("SG",)


@pytest.mark.parametrize(
    "feature",
    ["Degree=Pos", "NumType=Card", "Poss=Yes", "PronType=Art", "PronType=Prs", "Case=Cau", "Case=Lat", "Mood=Des",
     "Case=Obl", "Mood=Inter", "Gender=Unsp", "Foreign=Yes", "Clusivity=In", "Number", "=", "Sing",
     "Foo=a[b]", "UPOS=NOUN"],
)  # fmt: skip
def test_features_without_a_tag(feature: str) -> None:
    assert to_unimorph("X", feature, "vi") == NONE


@pytest.mark.parametrize(
    ("upos", "feats", "tags"),
    [
        ("NOUN", "Case=Nom|Gender=Masc|Number=Sing|Person=3", ("N", "NOM", "MASC", "SG", "3")),
        ("AUX", "Mood=Ind|Tense=Pres|VerbForm=Fin|Voice=Act", ("V", "FIN", "IND", "PRS", "ACT")),
        ("VERB", "VerbForm=Part", ("V", "V.PTCP")),
        ("NOUN", "Case=Ine|Number=Sing", ("N", "IN+ESS", "SG")),
        ("NOUN", "Case=Dis|Number=Grpa", ("N", "DIST", "GRPA")),
        ("PRON", "Case=Acc,Dat|Number=Sing", ("PRO", "SG", "{ACC/DAT}")),
        ("PRON", "Case=Dat,Acc", ("PRO", "{DAT/ACC}")),
        ("PRON", "PronType=Int,Rel", ("PRO",)),
        ("ADJ", "Degree=Pos,Cmp", ("ADJ", "{CMPR}")),
        ("VERB", "Tense=Pqp|Number=Sing", ("V", "SG", "PST+PRF")),
    ],
)
def test_canonical_order_and_disjunctions(upos: str, feats: str, tags: tuple[str, ...]) -> None:
    assert to_unimorph(upos, feats, "hi") == tags


@pytest.mark.parametrize(
    ("feats", "tags"),
    [
        ("Number[psor]=Sing", {"PSSS"}),
        ("Number[psor]=Plur", {"PSSP"}),
        ("Number[psor]=Sing|Person[psor]=1", {"PSS1S"}),
        ("Person[psor]=2", {"PSS2"}),
        ("Number[psor]=Dual|Person[psor]=3", {"PSS3D"}),
        ("Number[psor]=None", {"PSSD"}),
        ("Gender[psor]=Masc|Number[psor]=Sing", {"PSSS"}),
        ("Gender[psor]=Masc", set()),
        ("Number[abs]=Sing|Person[abs]=3", {"ARGAB3S"}),
        ("Number[abs]=Sing|Number[erg]=Plur|Person[abs]=3|Person[erg]=1", {"ARGAB3S", "ARGER1P"}),
        ("Number[dat]=Sing|Person[dat]=2|Polite[dat]=Infm|Gender[dat]=Fem", {"ARGDA2S"}),
        ("Number[abs]=Sing", {"ARGABS"}),
        ("Person[erg]=3", {"ARGER3"}),
        ("Number[psed]=Sing|Person[gram]=3", set()),
    ],
)
def test_layers(feats: str, tags: set[str]) -> None:
    assert set(to_unimorph("X", feats, "eu")) == tags


@pytest.mark.parametrize(
    ("feats", "message"),
    [
        ("Number[foo]=Sing", "unknown layer [foo], expected psor, erg, dat, abs, psed, gram"),
        ("Number[]=Sing", "unknown layer []"),
        ("Number[psor", "feature Number[psor: expected Feature[layer]=Value"),
        ("Gender[psor]=Masc|Number[psor]=Sing|Person[psor]=1", "expected at most two features of [psor], found Gender"),
        ("Number[psor]=Sing|Number[psor]=Plur|Person[psor]=1", "expected at most two features of [psor], found Number"),
    ],
)
def test_bad_layers(feats: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        to_unimorph("NOUN", feats, "eu")


# language, UPOS, FEATS, form, tags
RULES = [
    ("en", "VERB", "Mood=Ind|Tense=Past|VerbForm=Fin", "", "V PST"),
    ("en", "VERB", "Mood=Ind|Tense=Pres|VerbForm=Fin", "", "V NFIN"),
    ("en", "VERB", "Mood=Ind|Number=Sing|Person=3|Tense=Pres|VerbForm=Fin", "", "V SG 3 PRS"),
    ("en", "VERB", "VerbForm=Ger", "", "V V.PTCP PRS"),
    ("en", "VERB", "Tense=Pres|VerbForm=Ger", "", "V V.MSDR PRS"),
    ("en", "VERB", "Tense=Past|VerbForm=Part|Voice=Pass", "", "V V.PTCP PST"),
    ("en", "ADJ", "Voice=Pass|VerbForm=Fin", "", "ADJ PASS"),
    ("ca", "VERB", "Gender=Masc|Number=Sing|Tense=Past|VerbForm=Part", "", "V.PTCP MASC SG PST"),
    ("ca", "VERB", "Mood=Ind|Number=Sing|Person=3|Tense=Past|VerbForm=Fin", "", "V IND SG 3 PST PFV"),
    ("ca", "VERB", "Mood=Ind|Number=Sing|Person=3|Tense=Imp|VerbForm=Fin", "", "V IND SG 3 IPFV PST"),
    ("ca", "VERB", "Mood=Sub|Number=Sing|Person=3|Tense=Imp|VerbForm=Fin", "", "V SBJV SG 3 PST"),
    ("ca", "VERB", "Mood=Cnd|Number=Sing|Person=3|Tense=Pres|VerbForm=Fin", "", "V COND SG 3"),
    ("ca", "VERB", "Mood=Imp|Number=Sing|Person=2|Tense=Pres|VerbForm=Fin", "", "V IMP SG 2 POS"),
    ("ca", "VERB", "VerbForm=Ger", "", "PRS V.PTCP"),
    ("ca", "VERB", "Number=Sing|VerbForm=Ger", "", "V V.MSDR SG"),
    ("ca", "NOUN", "Mood=Sub|Tense=Imp", "", "N SBJV"),
    ("ca", "X", "Mood=Sub|Tense=Imp", "", "SBJV IPFV"),
    ("fr", "VERB", "Gender=Fem|Number=Plur|Tense=Past|VerbForm=Part", "", "V.PTCP PST"),
    ("fr", "ADJ", "Gender=Fem|Number=Plur|VerbForm=Part", "", "ADJ V.PTCP"),
    ("fr", "VERB", "Mood=Ind|Number=Sing|Person=3|Tense=Imp|VerbForm=Fin", "", "V IND SG 3 IPFV PST"),
    ("fr", "VERB", "Mood=Sub|Number=Sing|Person=3|Tense=Imp|VerbForm=Fin", "", "V SBJV SG 3 IPFV PST"),
    ("fr", "VERB", "Mood=Imp|Tense=Pres|VerbForm=Fin", "", "V IMP POS"),
    ("fr", "VERB", "VerbForm=Ger", "", "PRS V.CVB"),
    ("pt", "VERB", "Gender=Fem|Number=Sing|VerbForm=Part|Voice=Pass", "feita", "V.PTCP FEM SG PST"),
    ("pt", "VERB", "VerbForm=Part", "feito", "V.PTCP PST MASC SG"),
    ("pt", "VERB", "VerbForm=Part", "amado", "V.PTCP PST MASC SG"),
    ("pt", "VERB", "VerbForm=Part", "AMADO", "V.PTCP PST"),
    ("pt", "VERB", "VerbForm=Part", "feita", "V.PTCP PST"),
    ("pt", "VERB", "Tense=Pres|VerbForm=Part", "amado", "V.PTCP PRS"),
    ("pt", "VERB", "VerbForm=Ger", "amando", "PRS V.PTCP"),
    ("pt", "VERB", "Mood=Ind|Number=Sing|Person=3|Tense=Past|VerbForm=Fin", "amou", "V IND SG 3 PST PFV"),
    ("pt", "VERB", "Mood=Ind|Number=Sing|Person=3|Tense=Imp|VerbForm=Fin", "amava", "V IND SG 3 PST IPFV"),
    ("pt", "VERB", "Mood=Ind|Number=Sing|Person=3|Tense=Pqp|VerbForm=Fin", "amara", "V IND SG 3 PST PRF"),
    ("pt", "VERB", "Mood=Ind|Number=Plur|Person=3|VerbForm=Fin", "amaram", "V IND PL 3 PST PFV"),
    ("pt", "VERB", "Mood=Ind|Number=Plur|Person=3|VerbForm=Fin", "amam", "V IND PL 3"),
    ("pt", "VERB", "Number=Sing|VerbForm=Inf|Voice=Pass", "ser", "V NFIN SG"),
    ("es", "VERB", "Gender=Masc|Number=Sing|Tense=Past|VerbForm=Part", "hecho", "V.PTCP MASC SG PST"),
    ("es", "VERB", "VerbForm=Part", "hecho", "V V.PTCP"),
    ("es", "VERB", "VerbForm=Ger", "haciendo", "PRS V.CVB"),
    ("es", "VERB", "Mood=Ind|Number=Sing|Person=3|Tense=Past|VerbForm=Fin", "hizo", "V IND SG 3 PST PFV"),
    ("es", "ADJ", "Tense=Past", "hecho", "ADJ PST PFV"),
    ("es", "VERB", "Mood=Ind|Number=Sing|Person=3|Tense=Imp|VerbForm=Fin", "era", "V IND SG 3 PST IPFV"),
    ("es", "X", "Mood=Ind|Tense=Imp|VerbForm=Fin", "era", "IND IPFV"),
    ("es", "VERB", "Mood=Imp|Number=Sing|Person=2|VerbForm=Fin", "haz", "V IMP SG 2 POS"),
    ("es", "VERB", "Mood=Sub|Number=Sing|Person=3|Tense=Imp|VerbForm=Fin", "hiciera", "V SBJV SG 3 PST LGSPEC1"),
    ("es", "VERB", "Mood=Sub|Number=Plur|Person=3|Tense=Imp|VerbForm=Fin", "hicieran", "V SBJV PL 3 PST LGSPEC1"),
    ("es", "VERB", "Mood=Sub|Number=Sing|Person=3|Tense=Imp|VerbForm=Fin", "hiciese", "V SBJV SG 3 PST"),
    ("es", "VERB", "Mood=Sub|Number=Sing|Person=3|Tense=Imp|VerbForm=Fin", "HICIERA", "V SBJV SG 3 PST"),
    ("ur", "NOUN", "Case=Acc|Gender=Masc|Number=Sing|Person=3", "", "N ACC SG"),
    ("ur", "NOUN", "Case=Acc|Gender=Fem|Person=3", "", "N ACC 3"),
    ("ur", "PROPN", "Gender=Masc|Person=3", "", "PROPN"),
    ("ur", "PRON", "Number=Sing|Person=3", "", "PRO SG 3"),
    ("ur", "X", "Gender=Masc", "", ""),
]


@pytest.mark.parametrize(("language", "upos", "feats", "form", "tags"), RULES)
def test_language_rules(language: str, upos: str, feats: str, form: str, tags: str) -> None:
    assert set(to_unimorph(upos, feats, language, form)) == set(tags.split())


def test_languages_are_found_by_listing_and_others_have_the_base_mapping() -> None:
    assert set(languages.rules()) == {"ca", "en", "es", "fr", "pt", "ur"}
    modules = {module.name for module in iter_modules(languages.__path__) if not module.name.startswith("_")}
    assert modules == set(languages.rules())
    feats = "Gender=Masc|Mood=Ind|Number=Sing|Person=3|Tense=Past|VerbForm=Fin|Voice=Pass"
    assert len({to_unimorph("VERB", feats, code) for code in ("ar", "hi", "eu", "zh", "mr", "ta", "vi", "qaa")}) == 1


@pytest.mark.parametrize("language", ["pt", "es"])
def test_the_whole_form_decides_as_its_ending_does(language: str) -> None:
    rules = languages.rules()[language]
    for tags in ({"V", "3", "IND", "PL"}, {"V.PTCP", "V"}, {"V", "SBJV", "IPFV"}):
        for form in ("amaram", "ram", "am", "a", "", "hicieran", "hiciera", "feito", "amado", "do"):
            assert rules.adapt(set(tags), form) == rules.adapt(set(tags), form[-rules.ending :])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["N", "SG"], {"Part of Speech": "N", "Number": "SG"}),
        (["POS", "ADJ"], {"Part of Speech": "ADJ", "Polarity": "POS"}),
        (["{ACC/DAT}", "PRO"], {"Part of Speech": "PRO"}),
        (["{CMPR}"], {"Comparison": "CMPR"}),
        (["PST+PRF"], {"Tense": "PST+PRF"}),
        (["ARGAB3S"], {"Argument Marking": "AB3S"}),
        (["ARGABS"], {"Case": "ABS"}),
        (["ARGAB"], {"Comparison": "AB"}),
        (["NDEF"], {"Definiteness": "INDF"}),
        (["IN+ESS"], {"Case": "ESS+IN"}),
        (["ON+ALL"], {"Case": "ALL+ON"}),
        (["MASC+FEM"], {"Gender and Noun Class": "FEM+MASC"}),
        (["PSSS"], {"Possession": "PSSS"}),
        (["PSSD"], {"Possession": "PSSD"}),
        (["LGSPEC1", "DIST", "GRPA", "_"], {}),
        ([], {}),
        (["V", "V.PTCP"], {"Part of Speech": "V.PTCP"}),
        (["ADJ", "V.PTCP"], {"Part of Speech": "V.PTCP"}),
        (["V.CVB", "V.MSDR", "V"], {"Part of Speech": "V.MSDR"}),
        (["V.CVB", "V.MSDR", "V.PTCP"], {"Part of Speech": "V.PTCP"}),
        (["PST", "PRS"], {"Tense": "PRS"}),
        (["PFV", "IPFV"], {"Aspect": "IPFV"}),
        (["ARGER1P", "ARGAB3S"], {"Argument Marking": "AB3S"}),
        (["MASC", "FEM"], {"Gender and Noun Class": "MASC"}),
    ],
)
def test_attributes(tags: list[str], expected: dict[str, str]) -> None:
    for order in permutations(tags):
        assert attributes(order) == expected


@pytest.mark.parametrize("tag", ["ARGER3", "ARGDAP", "ARGAB3D", "ARG"])
def test_partial_agreement_has_no_reading(tag: str) -> None:
    with pytest.raises(ValueError, match=f"agreement {tag} has no UniMorph reading"):
        attributes([tag])


def test_a_sum_over_dimensions_has_no_reading() -> None:
    with pytest.raises(ValueError, match=r"joins values of Number and Tense"):
        attributes(["SG+PST"])


def test_a_range_has_an_attribute_if_exactly_one_part_has_it() -> None:
    verb = analyse("VERB", "Mood=Imp|Number=Plur|VerbForm=Inf", "hi", "")
    pronoun = analyse("PRON", "Case=Acc,Dat|Number=Plur|Person=1", "hi", "")
    noun = analyse("NOUN", "Case=Acc|Number=Sing", "hi", "")
    whole = analyse("_", "_", "hi", "")
    # Both have a part of speech and a number (they even agree in it); the disjunction counts as no case.
    assert dict(combine(whole, (verb, pronoun)).attributes) == {"Finiteness": "NFIN", "Mood": "IMP", "Person": "1"}
    assert dict(combine(whole, (pronoun, noun)).attributes) == {"Person": "1", "Case": "ACC"}
    assert combine(whole, (verb, pronoun)).unimorph == "_"


def test_every_value_of_the_schema_reads_as_itself_in_its_dimension() -> None:
    for dimension, values in dimensions().items():
        for value in values:
            assert read_tag(value) == (dimension, value)


def every_token(largest: float) -> list[tuple[str, str, str, str]]:
    """Every combination of language, UPOS, FEATS and ending (where it matters) in files of at most so many bytes."""
    found = set()
    for file in Path(os.environ["POLYPROBE_DATA"]).rglob("*.conllu"):
        if file.stat().st_size > largest:
            continue
        language = file.name.split("-")[0].split("_")[0]
        for sentence in read_sentences(file):
            for token in sentence.tokens:
                ending = next((end for end in ("ram", "ran", "ra", "do", "to") if token.form.endswith(end)), "")
                found.add((language, token.upos, token.feats, ending))
    return sorted(found)


@pytest.mark.real_data
@pytest.mark.skipif("POLYPROBE_DATA" not in os.environ, reason="POLYPROBE_DATA names no treebanks")
@pytest.mark.parametrize(
    "largest", [pytest.param(3e5, id="small"), pytest.param(math.inf, marks=pytest.mark.slow, id="all")]
)
def test_invariants_on_real_treebanks(largest: float) -> None:
    tokens = every_token(largest)
    assert tokens
    order = ["Part of Speech", *(name for name in dimensions() if name != "Part of Speech")]
    possession = {"PSSS", "PSSP"}
    for language, upos, feats, form in tokens:
        tags = to_unimorph(upos, feats, language, form)
        assert len(set(tags)) == len(tags)
        found = [None if "{" in tag else read_tag(tag) for tag in tags]
        places = [order.index(item.dimension) if item else len(order) for item in found]
        assert places == sorted(places)
        outside = [tag for tag, item in zip(tags, found, strict=True) if item is None]
        assert outside == sorted(outside)
        for dimension, value in attributes(tags).items():
            allowed = {*dimensions()[dimension], *(possession if dimension == "Possession" else ())}
            assert set(value.split("+")) <= allowed or value == "PST+PRF"
