"""Parallel sentences from text files."""

from pathlib import Path

import pytest

from polyprobe.artefacts import parallel
from polyprobe.running.errors import BadInputError
from polyprobe.study import load_study
from polyprobe.treebanks.aligned_files import aligned_sentences
from polyprobe.treebanks.parallel import parallel_table
from support import ROOT, sections


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write(name: str, text: str | bytes) -> str:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_one_file_of_pairs_and_two_files_say_the_same() -> None:
    one = aligned_sentences([Path(_write("en-es.tsv", "\ufeffone \tuno\r\ntwo\tdos\u2028y\r\n three\ttres"))], 9)
    source, target = _write("es-en.en", "one\ntwo\nthree\n"), _write("es-en.es", "uno\ndos\u2028y\n tres \n")
    two = aligned_sentences([Path(source), Path(target)], 9)
    assert one == two == [("one", "uno"), ("two", "dos\u2028y"), ("three", "tres")]
    assert aligned_sentences([Path(source), Path(target)], 2) == two[:2]


BAD = {
    "one column": ({"a": "x\ty\nz\n"}, r"a:2: expected `source<TAB>target`, got 1 column"),
    "three columns": ({"a": "x\ty\tz\nx\ty\n"}, r"a:1: expected `source<TAB>target`, got 3 column"),
    "no source": ({"a": "x\ty\n \ty\n"}, r"a:2: expected a sentence, got none"),
    "no target": ({"a": "x\ny\n", "b": "x\n\n"}, r"b:2: expected a sentence, got none"),
    "other lengths": ({"a": "x\ny\n", "b": "x\n"}, r"a: expected files of equally many lines, a has 2 and b has 1"),
    "no UTF-8": ({"a": b"x\ty\nx\xff\ty\n"}, r"a:2: no valid UTF-8 at byte 2 of the line"),
    "one pair": ({"a": "x\ty\n"}, r"a: expected at least two pairs of sentences, got 1"),
    "nothing": ({"a": ""}, r"a: expected at least two pairs of sentences, got 0"),
}


@pytest.mark.parametrize(("files", "message"), BAD.values(), ids=BAD)
def test_malformed_files_are_named_with_their_line(files: dict[str, str | bytes], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        aligned_sentences([Path(_write(name, text)) for name, text in files.items()], 9)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(BadInputError, match=r"none\.tsv: expected a file of parallel sentences: No such file"):
        aligned_sentences([Path("none.tsv")], 9)


def test_each_target_language_has_pairs_of_its_own() -> None:
    _write("en-es.tsv", "one\tuno\ntwo\tdos\nthree\ttres\n")
    _write("eu.en", "four\none\n")
    _write("eu.eu", "lau\nbat\n")
    given = sections.parallel(files={"es": ["pairs"], "eu": ["left", "right"], "fr": ["nowhere"]}, max_pairs=2)
    places = {"pairs": "en-es.tsv", "left": "eu.en", "right": "eu.eu", "nowhere": "not/there.tsv"}
    inputs = {name: Path(place) for name, place in places.items()}
    table = parallel_table(Path("none"), given, inputs, ["en", "es", "eu"], "en", "fail")
    assert table.values.tolist() == [
        [0, "en-es.tsv:1", "en", "one"],
        [1, "en-es.tsv:2", "en", "two"],
        [0, "en-es.tsv:1", "es", "uno"],
        [1, "en-es.tsv:2", "es", "dos"],
        [2, "eu.eu:1", "en", "four"],
        [3, "eu.eu:2", "en", "one"],
        [2, "eu.eu:1", "eu", "lau"],
        [3, "eu.eu:2", "eu", "bat"],
    ]
    parallel.TABLE.write(table)
    assert len(parallel.TABLE.read()) == 8


def test_the_source_language_is_no_target() -> None:
    given = sections.parallel(files={"en": ["x"]})
    with pytest.raises(BadInputError, match=r"parallel.files.en: expected a target language"):
        parallel_table(Path("none"), given, {}, ["en", "es"], "en", "fail")


@pytest.mark.parametrize(
    ("folders", "files", "message"),
    [
        ("folders: {}", "files: {qab: [a, b, c]}", r"parallel.files.qab: expected one name under inputs, of a file of"),
        ("folders: {}", "files: {qab: 3}", r"parallel.files.qab: expected one name under inputs, of a file of"),
        ("folders: {}", "files: {xx: [a]}", r"parallel.files.xx.*: unknown language code"),
        ("folders: {}", "files: {qab: [a]}", r"parallel.files: a: expected where it lies, as `a: PATH` under inputs"),
        ("folders: {qab: UD_X}", "files: {qab: [a]}", r"parallel: files.qab: expected a language once"),
    ],
)
def test_what_the_study_says_is_checked(folders: str, files: str, message: str) -> None:
    text = (ROOT / "studies/tiny.yaml").read_text(encoding="utf-8")
    before, behind = text.split("\nparallel:\n")[0], text.split("\npocket:\n", maxsplit=1)[1]
    rest = "  max_pairs: 40\n  poolings: [mean]"
    section = f"parallel:\n  {folders}\n  {files}\n{rest}"
    Path("params.yaml").write_text(f"{before}\n{section}\npocket:\n{behind}", encoding="utf-8")
    with pytest.raises(BadInputError, match=message):
        load_study()
