"""What the mapping loses is counted, token by token."""

import os
from collections import Counter
from pathlib import Path

import pytest

from polyprobe.artefacts import mapping
from polyprobe.running.errors import BadInputError
from polyprobe.treebanks import read_sentences, to_unimorph
from polyprobe.treebanks.losses import losses
from polyprobe.treebanks.treebank import treebank_files
from polyprobe.treebanks.unimorph import attributes, read_tag, unmapped_items
from polyprobe.treebanks.words import read_words
from support import sections

ROWS = """\
# sent_id = 1
1-2\tdel\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\t_\tAdpType=Prep\t0\troot\t_\t_
2\tel\tel\tDET\t_\tDefinite=Def|Number=Sing|PronType=Art\t1\tdet\t_\t_
3\tla\tella\tPRON\t_\tCase=Acc,Dat,Xyz|Gender[psor]=Fem|Number[psor]=Sing\t1\tobj\t_\t_
3.1\tzero\t_\tX\t_\tNumType=Card\t_\t_\t_\t_
4\thecho\thacer\tVERB\t_\tVerbForm=Part\t1\tdep\t_\t_
5\t.\t.\tPUNCT\t_\t_\t1\tpunct\t_\t_
"""
MORE = "".join(f"\n# sent_id = m{n}\n1\tw{n}\tw{n}\tINTJ\t_\t_\t0\troot\t_\t_\n" for n in range(12))


def test_what_is_lost_of_a_small_treebank(tmp_path: Path) -> None:
    folder = tmp_path / "eu/UD_X"
    folder.mkdir(parents=True)
    (folder / "eu-ud-test.conllu").write_text(ROWS + MORE + "\n# sent_id = bad\n1\tw\n", encoding="utf-8")
    entry = losses("eu", read_words(tmp_path, "eu", ["UD_X"], sections.words(), "skip_sentence"))
    lost = ["AdpType=Prep", "Case=Xyz", "Gender[psor]=Fem", "PUNCT", "PronType=Art"]
    assert entry == {
        "language": "eu",
        "words": 4 + 12,
        "tokens": 5 + 12,
        "skipped_sentences": 1,
        "withheld_sentences": 0,
        "unmapped": dict.fromkeys(lost, 1),
        "unread": {"{ACC/DAT}": 1},
        "overruled": {"V": 1},
    }
    mapping.TABLE.write([entry], tmp_path / "mapping.json")
    assert mapping.TABLE.read(tmp_path / "mapping.json") == [entry]
    with pytest.raises(BadInputError, match="has convert_unimorph been run"):
        mapping.TABLE.read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("upos", "feats", "expected"),
    [
        ("NOUN", "_", ()),
        ("_", "_", ()),
        ("SYM", "Number=Sing", ("SYM",)),
        ("NOUN", "Case=Acc,Obl|Foo=Bar", ("Case=Obl", "Foo=Bar")),
        ("VERB", "Number[abs]=Sing|Person[abs]=3|Polite[abs]=Form", ("Polite[abs]=Form",)),
        ("NOUN", "Number[psed]=Sing", ("Number[psed]=Sing",)),
        ("X", "UPOS=NOUN", ("X", "UPOS=NOUN")),
    ],
)
def test_what_has_no_tag(upos: str, feats: str, expected: tuple[str, ...]) -> None:
    assert unmapped_items(upos, feats) == expected


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif("POLYPROBE_DATA" not in os.environ, reason="POLYPROBE_DATA names no treebanks")
@pytest.mark.parametrize(("language", "name"), [("es", "UD_Spanish-PUD"), ("ta", "UD_Tamil"), ("eu", "UD_Basque")])
def test_losses_of_real_treebanks_equal_a_slow_count(language: str, name: str, tmp_path: Path) -> None:
    (tmp_path / language).mkdir()
    source = Path(os.environ["POLYPROBE_DATA"]).resolve() / "ud-treebanks-v2.1" / name
    (tmp_path / language / name).symlink_to(source)
    entry = losses(language, read_words(tmp_path, language, [name], sections.words(), "fail"))
    tokens = [
        token
        for file in treebank_files(source)
        for sentence in read_sentences(file)
        for token in sentence.tokens
        if token.id.isdigit()
    ]
    unread, overruled = Counter[str](), Counter[str]()
    for token in tokens:
        tags = to_unimorph(token.upos, token.feats, language, token.form)
        kept = [f"{name}={value}" for name, value in attributes(tags).items()]
        for tag in tags:
            attribute = read_tag(tag)
            unread[tag] += attribute is None
            overruled[tag] += attribute is not None and f"{attribute.dimension}={attribute.value}" not in kept
    assert entry["tokens"] == len(tokens)
    assert entry["unread"] == {tag: n for tag, n in unread.items() if n}
    assert entry["overruled"] == {tag: n for tag, n in overruled.items() if n}
