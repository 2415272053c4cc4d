"""The CoNLL-U reader: equal to the `conllu` library, and every defect is one clear line."""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import conllu
import pytest

from polyprobe.running.errors import BadInputError
from polyprobe.treebanks import Sentence, Token, read_sentences, read_treebank_sentences, training_texts
from polyprobe.treebanks.conllu import Problem
from support import CONLLU

GOOD = CONLLU / "good.conllu"

DEFECTS = {
    "wrong-column-count": ":9: sentence bad: expected 10 columns separated by tabs, found 9",
    "spaces-for-tabs": ":8: sentence bad: expected 10 columns separated by tabs, found 1",
    "duplicate-id": ":9: sentence bad: id 1: expected 2",
    "out-of-order-id": ":8: sentence bad: id 2: expected 1",
    "skipped-id": ":9: sentence bad: id 3: expected 2",
    "empty-form": ":8: sentence bad: id 1: empty FORM, expected `_` where there is nothing",
    "empty-feats": ":8: sentence bad: id 1: empty FEATS, expected `_` where there is nothing",
    "feature-without-value": ":8: sentence bad: id 1: FEATS item 'Number', expected Feature=Value",
    "empty-head": ":8: sentence bad: id 1: head _, expected a number from 0 to 2",
    "head-beyond-sentence": ":8: sentence bad: id 1: head 3, expected a number from 0 to 2",
    "range-beyond-sentence": ":10: sentence bad: the range to 3 goes beyond the last word 2",
    "range-after-its-words": ":10: sentence bad: id 1-2: expected a range that starts with word 3",
    "overlapping-ranges": ":10: sentence bad: id 2-3: expected a range after word 2",
    "misplaced-empty-node": ":9: sentence bad: id 2.1: expected empty node 1.1",
    "comment-among-words": ":9: sentence bad: expected 10 columns separated by tabs, found 1",
    "no-words": ":6: sentence bad: expected words below the sentence's comments",
    "no-sent-id": ":6: expected a comment `# sent_id = ...` above the sentence",
    "duplicate-sent-id": ":6: sentence first: this sent_id stands in the file twice",
    "unknown-layer": ":8: sentence bad: id 1: unknown layer [foo], expected psor, erg, dat, abs, psed, gram",
    "three-possessor-features": ":8: sentence bad: id 1: expected at most two features of [psor], "
    "found Gender, Number, Person",
    "agreement-without-number": ":8: sentence bad: id 1: agreement ARGER3 has no UniMorph reading, "
    "expected person and number of the argument",
}


def parsed_by_conllu(file: Path) -> Iterator[conllu.TokenList]:
    with file.open(encoding="utf-8") as opened:
        yield from conllu.parse_incr(opened)


def as_conllu_has_it(token: Token) -> dict[str, Any]:
    """A token in the library's types."""
    return {name: parsed_column(name, value) for name, value in token._asdict().items()}


@lru_cache(maxsize=1 << 16)
def parsed_column(name: str, value: str) -> Any:
    parse = conllu.parser.DEFAULT_FIELD_PARSERS.get(name)
    return parse([value], 0) if parse else value


def assert_equal(ours: Sentence, theirs: conllu.TokenList) -> None:
    assert [as_conllu_has_it(token) for token in ours.tokens] == [dict(token) for token in theirs]
    assert ours.sent_id == theirs.metadata["sent_id"]
    assert ours.stated_text == theirs.metadata.get("text")
    assert ours.starts_document == any(key.startswith("newdoc") for key in theirs.metadata)


def real_files() -> list[object]:
    """Treebanks at hand; the more of them, the longer the kind of tests."""
    folder = os.environ.get("POLYPROBE_DATA")
    files = sorted(Path(folder).rglob("*.conllu")) if folder else []
    marks: dict[Path, Sequence[pytest.MarkDecorator]] = {}
    for place, file in enumerate(sorted(files, key=lambda file: (file.stat().st_size, file))):
        marks[file] = [] if place < 4 else [pytest.mark.slow] if place < 14 else [pytest.mark.soak]
    return [pytest.param(file, marks=marks[file], id=file.name) for file in files]


@pytest.mark.parametrize("number", ["9" * 5000, "1-" + "9" * 5000, f"{'9' * 5000}-2", "1." + "9" * 5000])
def test_a_number_of_thousands_of_digits_is_one_clear_line(tmp_path: Path, number: str) -> None:
    file = tmp_path / "x.conllu"
    file.write_text(f"# sent_id = s\n{number}" + "\t_" * 9 + "\n\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"x\.conllu:2: sentence s: id [0-9.-]{5000,}: expected 1$"):
        list(read_sentences(file))


def test_a_sign_that_ends_a_line_is_escaped_in_the_message(tmp_path: Path) -> None:
    file = tmp_path / "x.conllu"
    file.write_text("# sent_id = s\x0bt\u2028u\n1\x1b[2J\x85" + "\t_" * 9 + "\n\n", encoding="utf-8")
    with pytest.raises(BadInputError) as caught:
        list(read_sentences(file))
    assert str(caught.value) == f"{file}:2: sentence s\\x0bt\\u2028u: id 1\\x1b[2J\\x85: expected 1"


def test_equals_the_conllu_library_on_ranges_and_empty_nodes() -> None:
    ours = list(read_sentences(GOOD))
    assert len(ours) == 3
    for sentence, theirs in zip(ours, parsed_by_conllu(GOOD), strict=True):
        assert_equal(sentence, theirs)


@pytest.mark.real_data
@pytest.mark.skipif(not real_files(), reason="POLYPROBE_DATA names no treebanks")
@pytest.mark.parametrize("file", real_files())
def test_equals_the_conllu_library_on_real_treebanks(file: Path) -> None:
    for ours, theirs in zip(read_sentences(file), parsed_by_conllu(file), strict=True):
        assert_equal(ours, theirs)


def test_lines_are_kept_as_written() -> None:
    written = [line for line in GOOD.read_text(encoding="utf-8").split("\n") if line]
    read = [
        line for sentence in read_sentences(GOOD) for line in (*sentence.comments, *map("\t".join, sentence.tokens))
    ]
    assert read == written


def test_a_token_stands_on_the_line_it_says() -> None:
    lines = GOOD.read_text(encoding="utf-8").split("\n")
    for sentence in read_sentences(GOOD):
        for number, token in enumerate(sentence.tokens, sentence.line):
            assert lines[number - 1] == "\t".join(token)


def test_surface_words_replace_parts_and_leave_out_empty_nodes() -> None:
    first, second, _ = read_sentences(GOOD)
    words = [(word.form, [part.form for part in parts]) for word, parts in first.surface_words()]
    assert words == [("vámonos", ["vamos", "nos"]), ("al", ["a", "el"]), ("mar", ["mar"]), (".", ["."])]
    assert [word.form for word, _ in second.surface_words()] == ["Ana", "come", "y", "Eva", "agua"]


def test_text_is_the_stated_one_or_rebuilt_from_spaces() -> None:
    assert [sentence.text for sentence in read_sentences(GOOD)] == [
        "vámonos al mar.",
        "Ana come y Eva agua",
        "New York",
    ]


def test_text_is_rebuilt_as_it_is_stated() -> None:
    for sentence in read_sentences(GOOD):
        assert sentence.stated_text in (None, sentence.rebuilt_text)


def test_an_empty_text_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "file.conllu"
    file.write_text("# sent_id = 1\n# text =\n1\tw\tw\tX\t_\t_\t0\troot\t_\t_\n", encoding="utf-8")
    (sentence,) = read_sentences(file)
    assert (sentence.stated_text, sentence.text) == (None, "w")


def test_a_bad_byte_is_named_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "file.conllu"
    file.write_bytes(GOOD.read_bytes() + b"\n# \xff\n")
    line = GOOD.read_bytes().count(b"\n") + 2
    with pytest.raises(BadInputError, match=rf"file\.conllu:{line}: no UTF-8"):
        list(read_sentences(file))


@pytest.mark.parametrize("form", ["New York", "e\u0301", "\u00e9", "\u1100\u1161", "\ufb01", "10 000"])
def test_forms_are_left_as_they_are(tmp_path: Path, form: str) -> None:
    file = tmp_path / "file.conllu"
    rows = [f"{place}\t{form}\t{form}\tX\t_\t_\t{place - 1}\tdep\t_\tSpaceAfter=No" for place in (1, 2)]
    file.write_text("\n".join(["# sent_id = 1", *rows]) + "\n\n", encoding="utf-8")
    (sentence,) = read_sentences(file)
    assert [token.form for token in sentence.tokens] == [token.lemma for token in sentence.tokens] == [form, form]
    assert sentence.rebuilt_text == form + form


def test_documents_start_at_newdoc() -> None:
    assert [sentence.starts_document for sentence in read_sentences(GOOD)] == [True, False, True]


def test_a_sentence_of_thousands_of_words_is_read(tmp_path: Path) -> None:
    file = tmp_path / "long.conllu"
    rows = (f"{word}\tw\tw\tX\t_\t_\t{word - 1}\tdep\t_\t_\n" for word in range(1, 3001))
    file.write_text("# sent_id = long\n" + "".join(rows) + "\n", encoding="utf-8")
    (sentence,) = read_sentences(file)
    assert len(sentence.tokens) == 3000


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_line_ends_and_byte_order_mark_change_nothing(tmp_path: Path, line_end: str) -> None:
    file = tmp_path / "file.conllu"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.read_bytes().replace(b"\n", line_end.encode()))
    read, expected = list(read_sentences(file)), list(read_sentences(GOOD))
    assert [sentence.tokens for sentence in read] == [sentence.tokens for sentence in expected]
    assert [sentence.comments for sentence in read] == [sentence.comments for sentence in expected]


def test_unicode_line_separators_end_no_line(tmp_path: Path) -> None:
    file = tmp_path / "file.conllu"
    file.write_text(GOOD.read_text(encoding="utf-8").replace("mar\t", "m\u2028a\x0br\x85\t", 1), encoding="utf-8")
    assert [word.form for word, _ in next(read_sentences(file)).surface_words()][2] == "m\u2028a\x0br\x85"


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_one_line_that_names_file_line_and_sentence(defect: str) -> None:
    file = CONLLU / f"{defect}.conllu"
    with pytest.raises(BadInputError) as caught:
        list(read_treebank_sentences(file, "en"))
    assert str(caught.value) == f"{file}{DEFECTS[defect]}"


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defective_sentence_can_be_skipped_and_is_counted(defect: str) -> None:
    skipped: list[Problem] = []
    sentences = list(read_treebank_sentences(CONLLU / f"{defect}.conllu", "en", "skip_sentence", skipped))
    assert [sentence.sent_id for sentence in sentences] == ["first", "last"]
    assert len(skipped) == 1


def test_every_fixture_is_tested() -> None:
    assert {file.stem for file in CONLLU.iterdir()} == {*DEFECTS, "good", "no-utf-8"}


def test_other_encodings_and_missing_files_are_refused_even_when_skipping(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no-utf-8\.conllu:\d+: no UTF-8"):
        list(read_sentences(CONLLU / "no-utf-8.conllu", "skip_sentence"))
    with pytest.raises(BadInputError, match="no such file"):
        list(read_sentences(tmp_path / "none.conllu", "skip_sentence"))


def test_training_texts_are_documents(tmp_path: Path) -> None:
    for language, name in (("es", "UD_Spanish"), ("en", "UD_English")):
        folder = tmp_path / language / name
        folder.mkdir(parents=True)
        for split in ("train", "dev", "test"):
            (folder / f"{language}-ud-{split}.conllu").write_bytes(GOOD.read_bytes())
    (tmp_path / "en/UD_English/en-ud-train.conllu").write_bytes((CONLLU / "duplicate-id.conllu").read_bytes())
    folders = {"en": ["UD_English"], "es": ["UD_Spanish"], "fr": ["UD_French"]}
    two_documents = [["vámonos al mar.", "Ana come y Eva agua"], ["New York"]]
    texts = training_texts(tmp_path, ["es", "en"], folders, ["train"])
    assert texts == {"es": two_documents, "en": [["dog barks", "dog barks"]]}
    assert list(texts) == ["es", "en"]
    assert training_texts(tmp_path, ["es"], folders, ["test", "train"])["es"] == two_documents * 2


def test_training_texts_need_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "es/UD_Spanish"
    folder.mkdir(parents=True)
    (folder / "es-ud-test.conllu").write_bytes(GOOD.read_bytes())
    with pytest.raises(BadInputError, match="es: none of the files train, dev to train on"):
        training_texts(tmp_path, ["es"], {"es": ["UD_Spanish"]}, ["train", "dev"])
    with pytest.raises(BadInputError, match="UD_None: no such folder"):
        training_texts(tmp_path, ["es"], {"es": ["UD_None"]}, ["train"])
