"""From UD's features to UniMorph tags, slow and obvious: tables and plain steps, nothing shared with the package.

`tags_of` says what the published mapping and each language's rules make of one token, `attributes_of` what the tags say
of each dimension, with the choice among tags that compete which `polyprobe.treebanks.attributes` states.
"""

from collections.abc import Iterable

BASE_TABLE = """
Person    0 0 | 1 1 | 2 2 | 3 3 | 4 4
Gender    Masc MASC | Fem FEM | Neut NEUT | Com MASC+FEM
Animacy   Anim ANIM | Hum HUM | Inan INAN | Nhum NHUM
Case      Nom NOM | Acc ACC | Abs ABS | Erg ERG | Dat DAT | Gen GEN | Voc VOC | Loc ESS | Par PRT | Dis DIST
Case      Ess FRML | Tra TRANS | Com COM | Abe PRIV | Ine IN+ESS | Ill IN+ALL | Ela IN+ABL | Add IN+ALL LGSPEC1
Case      All AT+ALL | Abl AT+ABL | Sup ON+ESS | Sub ON+ALL | Ben BEN | Cmp COMPV | Equ EQTV | Ins INS | Ade AT+ESS
Definite  Ind INDF | Spec SPEC | Def DEF | Cons PSSD
Degree    Abs AB | Cmp CMPR | Equ EQT | Sup RL
Mood      Ind IND | Imp IMP | Cnd COND | Pot POT | Sub SBJV | Jus IMP | Prp PURP | Qot QUOT | Opt OPT | Adm ADM
Evident   Fh FH | Nfh NFH
Number    Sing SG | Plur PL | Dual DU | Tri TRI | Pauc PAUC | Grpa GRPA | Grpl GRPL | Inv INVN
Polite    Elev ELEV | Form FORM | Humb HUMB | Infm INFM
Polarity  Pos POS | Neg NEG
VerbForm  Fin FIN | Inf NFIN | Sup V.CVB | Part V.PTCP | Conv V.CVB | Gdv V.CVB | Ger V.MSDR | Vnoun V.MSDR
VerbForm  Short LGSPEC1
Tense     Fut FUT | Imp IPFV | Past PST | Pqp PST+PRF | Pres PRS
Aspect    Hab HAB | Imp IPFV | Iter ITER | Perf PFV | Prog PROG | Prosp PROSP
Voice     Act ACT | Mid MID | Pass PASS | Antip ANTIP | Dir DIR | Inv INV | Rcp RECP | Cau CAUS
Reflex    Yes REFL
UPOS      ADV ADV | PRON PRO | VERB V | ADP ADP | DET DET | NOUN N | ADJ ADJ | SCONJ CONJ | CCONJ CONJ | NUM NUM
UPOS      AUX V | PROPN PROPN | PART PART | INTJ INTJ
"""

SCHEMA = """
Aktionsart: STAT DYN TEL ATEL PCT DUR ACH ACCMP SEMEL ACTY
Animacy: ANIM INAN HUM NHUM
Argument Marking: NO1S NO1P NO2S NO2P NO3S NO3P AC1S AC1P AC2S AC2P AC3S AC3P AB1S AB1P AB2S AB2P AB3S AB3P
Argument Marking: ER1S ER1P ER2S ER2P ER3S ER3P DA1S DA1P DA2S DA2P DA3S DA3P BE1S BE1P BE2S BE2P BE3S BE3P
Aspect: IPFV PFV PRF PROG PROSP ITER HAB
Case: NOM ACC ERG ABS NOMS DAT BEN PRP GEN REL PRT INS COM VOC COMPV EQTV PRIV PROPR AVR FRML TRANS BYWAY INTER AT
Case: POST IN CIRC ANTE APUD ON ONHR ONVR SUB REM PRX ESS ALL ABL APPRX TERM PROL VERS
Comparison: CMPR SPRL AB RL EQT
Definiteness: DEF INDF SPEC NSPEC
Deixis: PROX MED REMT REF1 REF2 NOREF PHOR VIS NVIS ABV EVEN BEL
Evidentiality: FH DRCT SEN VISU NVSEN AUD NFH QUOT RPHT HRSY INFER ASSUM
Finiteness: FIN NFIN
Gender and Noun Class: MASC FEM NEUT BANT01 BANT02 BANT03 BANT04 BANT05 BANT06 BANT07 BANT08 BANT09 BANT10 BANT11
Gender and Noun Class: BANT12 BANT13 BANT14 BANT15 BANT16 BANT17 BANT18 BANT19 BANT20 BANT21 BANT22 BANT23
Gender and Noun Class: NAKH1 NAKH2 NAKH3 NAKH4 NAKH5 NAKH6 NAKH7 NAKH8
Information Structure: TOP FOC
Interrogativity: DECL INT
Mood: IND SBJV REAL IRR AUPRP AUNPRP IMP COND PURP INTEN POT LKLY ADM OBLIG DEB PERM DED SIM OPT
Number: SG PL GRPL DU TRI PAUC GPAUC INVN
Part of Speech: N PROPN ADJ PRO CLF ART DET V ADV AUX V.PTCP V.MSDR V.CVB ADP COMP CONJ NUM PART INTJ
Person: 0 1 2 3 4 INCL EXCL PROXI OBVI
Polarity: POS NEG
Politeness: INFM FORM ELEV HUMB POL MPOL AVOID LOW HIGH STELV STSUPR LIT FOREG COL
Possession: ALN NALN PSSD PSS1S PSS2S PSS2SM PSS2SF PSS2SINFM PSS2SFORM PSS3S PSS3SM PSS3SF PSS1D PSS1DI PSS1DE PSS2D
Possession: PSS2DM PSS2DF PSS3D PSS3DM PSS3DF PSS1P PSS1PI PSS1PE PSS2P PSS2PM PSS2PF PSS3P PSS3PM PSS3PF
Switch-Reference: SS SSADV DS DSADV OR SIMMA SEQMA LOG
Tense: PRS PST FUT IMMED HOD 1DAY RCT RMT
Valency: IMPRS INTR TR DITR REFL RECP CAUS APPL
Voice: ACT MID PASS ANTIP DIR INV AGFOC PFOC LFOC BFOC ACFOC IFOC CFOC
"""

# A step is `conditions: actions`. Conditions, all of which must hold: `always`; `has` tags, `lacks` tags; `any` of some
# tags; `only` tags, the whole set; `more` than tags, which are there and others too; `ends` in one of some endings.
# Actions: `remove`, `add`, `become`.
STEPS = {
    "en": """
        always: remove FIN IND
        only V PRS: become V NFIN
        only V V.MSDR: become V V.PTCP PRS
        has V: remove PASS
    """,
    "ca": """
        has V.PTCP: remove V
        has V: remove FIN
        has V PST: add PFV
        has V IPFV: add PST
        has V COND: remove PRS
        has V IMP: add POS, remove PRS
        only V V.MSDR: become PRS V.PTCP
        more IPFV SBJV: remove IPFV
    """,
    "fr": """
        has V.PTCP: remove V MASC FEM SG PL
        has V: remove FIN
        has V PST: add PFV
        has V IPFV: add PST
        has V COND: remove PRS
        has V IMP: add POS, remove PRS
        only V V.MSDR: become PRS V.CVB
    """,
    "pt": """
        has V.PTCP: remove V
        has V.PTCP PASS: remove PASS, add PST
        has V.PTCP, lacks PRS: add PST
        only PST V.PTCP, ends do to: add MASC SG
        only V V.MSDR: become PRS V.PTCP
        has V: remove FIN
        has V PST, lacks IPFV: add PFV
        has V IPFV: add PST
        only 3 IND PL V, ends ram: add PFV PST
        has V: remove PASS
        has V PST+PRF: remove PST+PRF, add PST PRF
    """,
    "es": """
        always: remove FIN
        more V V.PTCP: remove V
        only V V.MSDR: become PRS V.CVB
        has PST, lacks V.PTCP: add PFV
        more IND IPFV: add PST
        has IMP: add POS
        more IPFV SBJV, ends ra ran: add LGSPEC1
        more IPFV SBJV: remove IPFV, add PST
    """,
    "ur": """
        always: remove MASC FEM NEUT
        has N, any SG PL: remove 3
        has PROPN: remove 3
    """,
}

ARGUMENTS = "erg ER, dat DA, abs AB"
SILENT_LAYERS = "psed gram"
NUMBER_LETTERS = "Sing S, Plur P, Dual D"
VERBAL = ["V.PTCP", "V.MSDR", "V.CVB"]


def table_rows() -> list[tuple[str, list[str]]]:
    """Every row of the base table: an item of a token (`Number=Sing`, or the bare UPOS `NOUN`) and its tags."""
    rows = []
    for line in BASE_TABLE.strip().splitlines():
        feature, cells = line.split(None, 1)
        for cell in cells.split("|"):
            value, *tags = cell.split()
            rows.append((value if feature == "UPOS" else f"{feature}={value}", tags))
    return rows


TABLE = table_rows()


def schema() -> list[tuple[str, str]]:
    """Dimension and value, in canonical order."""
    return [
        (line.split(": ")[0], value) for line in SCHEMA.strip().splitlines() for value in line.split(": ")[1].split()
    ]


VALUES = schema()


def steps_of(language: str) -> list[str]:
    return [line.strip() for line in STEPS.get(language, "").strip().splitlines()]


def looked_up(item: str) -> list[str]:
    return next((tags for known, tags in TABLE if known == item), [])


def base_bag(upos: str, feats: str) -> set[str]:
    """The tags of one token before its language's rules, as a set."""
    items = [] if feats == "_" else feats.split("|")
    bag = []
    for item in [upos, *(item for item in items if "[" not in item)]:
        if "," in item:
            feature, values = item.split("=", 1)
            # Of a value with two tags, the second is language-specific and no alternative.
            tags = [found[0] for value in values.split(",") if (found := looked_up(f"{feature}={value}"))]
            bag += ["{" + "/".join(tags) + "}"] if tags else []
        else:
            bag += looked_up(item)
    return set(bag) | set(layer_tags([item for item in items if "[" in item]))


def layer_tags(items: list[str]) -> list[str]:
    entries = []
    for item in items:
        before, equals, value = item.partition("=")
        name, _, rest = before.partition("[")
        if not equals or not rest.endswith("]"):
            raise ValueError(f"{item} is no feature of a layer")
        entries.append((rest[:-1], name, value))
    tags = []
    letters = dict(pair.split() for pair in NUMBER_LETTERS.split(", "))
    arguments = dict(pair.split() for pair in ARGUMENTS.split(", "))
    for layer in dict.fromkeys(layer for layer, _, _ in entries):
        own = [(name, value) for where, name, value in entries if where == layer]
        person = "".join(value for name, value in own if name == "Person")
        number = "".join(letters.get(value, "") for name, value in own if name == "Number")
        if layer == "psor":
            if len(own) > 2:
                raise ValueError("too many features of the possessor")
            if any(value == "None" for _, value in own):
                tags.append("PSSD")
            elif person + number:
                tags.append("PSS" + person + number)
        elif layer in arguments:
            tags.append("ARG" + arguments[layer] + person + number)
        elif layer not in SILENT_LAYERS.split():
            raise ValueError(f"no such layer: {layer}")
    return tags


def holds(condition: str, bag: set[str], form: str) -> bool:
    word, *tags = condition.split()
    if word == "has":
        return all(tag in bag for tag in tags)
    if word == "lacks":
        return all(tag not in bag for tag in tags)
    if word == "any":
        return any(tag in bag for tag in tags)
    if word == "only":
        return bag == set(tags)
    if word == "more":
        return all(tag in bag for tag in tags) and len(bag) > len(tags)
    if word == "ends":
        return any(form.endswith(ending) for ending in tags)
    assert word == "always"
    return True


def after_step(step: str, bag: set[str], form: str) -> set[str]:
    """The set after one step of a language's rules."""
    conditions, actions = step.split(": ")
    if not all(holds(condition, bag, form) for condition in conditions.split(", ")):
        return bag
    bag = set(bag)
    for action in actions.split(", "):
        word, *tags = action.split()
        if word == "become":
            bag = set(tags)
        for tag in tags:
            if word == "remove":
                bag.discard(tag)
            else:
                bag.add(tag)
    return bag


def tags_of(upos: str, feats: str, language: str, form: str = "") -> set[str]:
    """The tags of one token as a set.

    Raises:
        ValueError: a layer that is unknown, malformed or overfull.
    """
    bag = base_bag(upos, feats)
    for step in steps_of(language):
        bag = after_step(step, bag, form)
    return bag


def steps_that_change(upos: str, feats: str, language: str, form: str = "") -> list[str]:
    """Which steps of the language's rules change the token's tags."""
    bag, changed = base_bag(upos, feats), []
    for step in steps_of(language):
        after = after_step(step, bag, form)
        if after != bag:
            changed.append(step)
        bag = after
    return changed


def schema_place(tag: str) -> int | None:
    """Where a tag stands in the schema, Part of Speech first; None for a tag that is not in it."""
    order = sorted(VALUES, key=lambda entry: entry[0] != "Part of Speech")
    return next((place for place, (_, value) in enumerate(order) if value == tag), None)


def dimension_of(tag: str) -> str | None:
    return next((dimension for dimension, value in VALUES if value == tag), None)


def reading(tag: str) -> tuple[str, str] | None:
    """Dimension and value that one tag sets; None for a tag that sets nothing.

    Raises:
        ValueError: agreement that lacks person or number; a sum over dimensions.
    """
    if "/" in tag or "LGSPEC" in tag or tag == "_":
        return None
    tag = tag.replace("{", "").replace("}", "")
    if tag == "PST+PRF":
        return "Tense", tag
    if tag == "NDEF":
        return "Definiteness", "INDF"
    if tag.startswith("ARG"):
        argument = dimension_of(tag[3:])
        if argument is None:
            raise ValueError(f"{tag}: agreement without person or number")
        return argument, tag[3:]
    if "+" in tag:
        parts = sorted(tag.split("+"))
        found = [dimension_of(part) for part in parts]
        if any(dimension != found[0] for dimension in found):
            raise ValueError(f"{tag}: several dimensions")
        assert found[0] is not None
        return found[0], "+".join(parts)
    if "PSS" in tag:
        return "Possession", tag
    dimension = dimension_of(tag)
    return None if dimension is None else (dimension, tag)


def attributes_of(tags: Iterable[str]) -> dict[str, str]:
    """One value per dimension.

    Raises:
        ValueError: as `reading`.
    """
    candidates: dict[str, list[str]] = {}
    for tag in tags:
        if found := reading(tag):
            candidates.setdefault(found[0], []).append(found[1])
    chosen = {}
    for dimension, values in candidates.items():
        verbal = [value for value in VERBAL if value in values and dimension == "Part of Speech"]
        places = {value: place for value in values if (place := schema_place(value)) is not None}
        in_schema = sorted(places, key=lambda value: places[value])
        chosen[dimension] = [*verbal, *in_schema, *sorted(values)][0]
    return chosen
