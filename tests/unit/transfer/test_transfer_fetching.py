"""fetch_transfer: files of any source, checked and counted, whole or not at all."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from polyprobe.running.errors import BadInputError
from polyprobe.study import Study, load_study
from polyprobe.transfer.examples import Example
from polyprobe.transfer.fetching import fetch
from polyprobe.transfer.sources.writing import write_sentences
from polyprobe.transfer.tasks import TASKS, pos, xnli
from support import ROOT

DATA = os.environ.get("POLYPROBE_DATA")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study over a folder of two small tasks, its root the current folder."""
    monkeypatch.chdir(tmp_path)
    for folder in ("tasks/xnli", "tasks/udpos"):
        (tmp_path / folder).mkdir(parents=True)
    for name, labels in (
        ("train-qaa", ("neutral", "entailment", "neutral")),
        ("dev-qaa", ("contradiction",)),
        ("test-qaa", ("neutral", "neutral")),
        ("test-qab", ("entailment",)),
    ):
        lines = [f"{name} premise {n}.\tThe hypothesis.\t{label}\n" for n, label in enumerate(labels)]
        (tmp_path / f"tasks/xnli/{name}.tsv").write_text("".join(lines), encoding="utf-8")
        (tmp_path / f"tasks/udpos/{name}.tsv").write_text(f"{name}\tNOUN\nruns\tVERB\n\n.\tPUNCT\n", encoding="utf-8")
    return study_over(Path("tasks"), ["qaa", "qab"], xnli="xnli", pos="udpos")


def study_over(folder: Path, languages: list[str], **folders: str) -> Study:
    values = load_study(ROOT / "studies" / "pocket.yaml").model_dump()
    values["inputs"] = {name: folder / name for name in folders.values()}
    values["transfer"] |= {"source": "dir", "on_leak": "report"}
    for task, name in folders.items():
        values["transfer"][task] |= {"folder": name, "languages": languages}
    return Study.model_validate(values)


def report() -> dict[tuple[str, str, str], dict[str, object]]:
    entries = json.loads(Path("metrics/transfer_data.json").read_text(encoding="utf-8"))
    return {(entry.pop("task"), entry.pop("split"), entry.pop("language")): entry for entry in entries}


def test_files_are_copied_as_they_are(study: Study) -> None:
    fetch(study)
    for task, folder in (("xnli", "xnli"), ("pos", "udpos")):
        files = sorted(Path("data/tasks", task).iterdir())
        assert [file.name for file in files] == ["dev-qaa.tsv", "test-qaa.tsv", "test-qab.tsv", "train-qaa.tsv"]
        for file in files:
            assert file.read_bytes() == Path("tasks", folder, file.name).read_bytes()


def test_the_report_counts_what_the_files_hold(study: Study) -> None:
    fetch(study)
    entries = report()
    assert list(entries) == [
        (task, split, language)
        for task in TASKS
        for split, language in (("train", "qaa"), ("dev", "qaa"), ("test", "qaa"), ("test", "qab"))
    ]
    train = entries["xnli", "train", "qaa"]
    assert train["examples"] == train["items"] == 3
    assert train["labels"] == {"entailment": 1, "neutral": 2, "contradiction": 0}
    assert train["sha256"] == hashlib.sha256(Path("tasks/xnli/train-qaa.tsv").read_bytes()).hexdigest()
    tagged = entries["pos", "test", "qab"]
    assert (tagged["examples"], tagged["items"]) == (2, 3)
    assert {tag: n for tag, n in tagged["labels"].items() if n} == {"NOUN": 1, "PUNCT": 1, "VERB": 1}  # type: ignore[attr-defined]
    # The one-word sentence "." is in every file; that is reported and no error.
    assert (tagged["seen_in_train"], tagged["seen_in_dev"]) == (1, 1)
    assert (tagged["sentences"], tagged["sentences_seen_in_train"], tagged["sentences_seen_in_dev"]) == (2, 1, 1)
    pairs = entries["xnli", "test", "qaa"]
    assert pairs["seen_in_train"] == 0
    # Two premises of its own, and the one hypothesis of every file.
    assert (pairs["sentences"], pairs["sentences_seen_in_train"], pairs["sentences_seen_in_dev"]) == (3, 1, 1)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("xnli/test-qab", "a\tb\tneutral\na\tb\n", r"xnli/test-qab\.tsv:2: expected three columns .* found 2"),
        ("xnli/test-qab", "a\tb\tc\tneutral\n", r"xnli/test-qab\.tsv:1: expected three columns .* found 4"),
        ("xnli/dev-qaa", "a\tb\tmaybe\n", r"xnli/dev-qaa\.tsv:1: unknown label 'maybe', expected one of entailment, n"),
        ("xnli/dev-qaa", "", r"xnli/dev-qaa\.tsv: expected at least one example"),
        ("xnli/test-qab", "a\tb\n", r"xnli/test-qab\.tsv:1: .*found 2; XTREME's published .* hub or archive$"),
        ("xnli/test-qab", "a\tb\t-\n", r"xnli/test-qab\.tsv:1: expected a label, found '-'; XTREME's published test"),
        ("xnli/test-qab", "a\tb\t\n", r"xnli/test-qab\.tsv:1: expected a label, found ''; XTREME's published test"),
        ("udpos/test-qab", "a\nb\n\nc\n", r"udpos/test-qab\.tsv:1: .* found 1 column; XTREME's .* hub or archive$"),
        ("udpos/test-qab", "a\t_\n", r"udpos/test-qab\.tsv:1: expected a label, found '_'; XTREME's published test"),
        ("udpos/test-qab", "a\t\n", r"udpos/test-qab\.tsv:1: expected a label, found ''; XTREME's published test"),
        ("udpos/test-qab", "a\tNOUN\nb\tNN\n", r"udpos/test-qab\.tsv:2: unknown label 'NN', expected one of ADJ, ADP"),
        ("udpos/test-qab", "a\tNOUN\n\nb VERB\n", r"udpos/test-qab\.tsv:3: expected a word and its .* 1 column; XT"),
        ("udpos/test-qab", "a\tb\tNOUN\n", r"udpos/test-qab\.tsv:1: expected a word and its tag .* found 3 columns$"),
        ("udpos/test-qab", " \tb\tNOUN\n", r"udpos/test-qab\.tsv:1: expected a word and its tag .* found 3 columns$"),
        ("udpos/test-qab", None, r"udpos/test-qab\.tsv: no such file, expected a task file in XTREME's layout"),
        ("udpos/test-qab", b"a\tNOUN\n\xff\tNOUN\n", r"udpos/test-qab\.tsv:2: expected UTF-8"),
    ],
)
def test_bad_input_is_one_line_and_changes_no_output(
    study: Study, file: str, content: str | bytes | None, message: str
) -> None:
    fetch(study)
    before = {path: path.read_bytes() for path in Path("data").rglob("*.tsv")}
    path = Path("tasks", f"{file}.tsv")
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadInputError, match=message) as error:
        fetch(study)
    assert "\n" not in str(error.value)
    assert {path: path.read_bytes() for path in Path("data").rglob("*.tsv")} == before
    assert not list(Path("data").glob(".*"))


def test_a_missing_folder_is_named(study: Study) -> None:
    shutil.rmtree("tasks")
    with pytest.raises(BadInputError, match=r"tasks/xnli/train-qaa\.tsv: no such file"):
        fetch(study)


def test_a_train_file_of_another_size_is_refused(study: Study) -> None:
    for task, found in (("xnli", 3), ("pos", 2)):
        settings = getattr(study.transfer, task)
        for expected in (found, found + 1):
            sized = settings.model_copy(update={"train_examples": expected})
            changed = study.model_copy(update={"transfer": study.transfer.model_copy(update={task: sized})})
            if expected == found:
                fetch(changed)
                continue
            message = (
                rf"params\.yaml: transfer\.{task}\.train_examples: expected {expected} examples in .*, found {found}$"
            )
            with pytest.raises(BadInputError, match=message):
                fetch(changed)


def test_a_leak_is_an_error_where_the_study_says_so(study: Study) -> None:
    strict = study.model_copy(update={"transfer": study.transfer.model_copy(update={"on_leak": "fail"})})
    message = r"^tasks/udpos/dev-qaa\.tsv: 1 of 2 examples are in train too, .* the first one: '\.'$"
    with pytest.raises(BadInputError, match=message):
        fetch(strict)
    assert not Path("data/tasks").exists()
    for file in Path("tasks/udpos").glob("*.tsv"):
        file.write_text(f"{file.stem}\tNOUN\n", encoding="utf-8")
    fetch(strict)
    # A hypothesis alone is no leak of an example; the pair is.
    leaked = Path("tasks/xnli/dev-qaa.tsv").read_text(encoding="utf-8")
    with Path("tasks/xnli/test-qab.tsv").open("a", encoding="utf-8") as test_examples:
        test_examples.write(leaked * 2)
    message = r"test-qab\.tsv: 2 of 3 examples are in dev too, .*'dev-qaa premise 0\. \| The hypothesis\.'$"
    with pytest.raises(BadInputError, match=message):
        fetch(strict)


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    """Other separators of Unicode occur in real texts."""
    file = tmp_path / "train-qaa.tsv"
    file.write_text("a\u2028b\x85\tc\tneutral\r\n", encoding="utf-8", newline="")
    assert xnli.read(file)[0].texts == ("a\u2028b\x85", "c")
    file.write_text("a\u2028b\tNOUN\n", encoding="utf-8")
    assert pos.read(file)[0].texts == ("a\u2028b",)


@pytest.mark.parametrize("word", ["", " ", "\u3000", "\u00a0", "\u2003"])
def test_a_word_with_nothing_in_it_reads_as_it_is_written(tmp_path: Path, word: str) -> None:
    """Some treebanks have an ideographic space for a word of its own."""
    file = tmp_path / "test-qaa.tsv"
    file.write_text(f"The\tDET\n{word}\tPUNCT\ncat\tNOUN\n\n", encoding="utf-8")
    [read] = pos.read(file)
    assert read == Example(("The", "_", "cat"), ("DET", "PUNCT", "NOUN"))
    write_sentences(tmp_path / "written.tsv", [(("The", word, "cat"), read.labels)])
    assert pos.read(tmp_path / "written.tsv") == [read]


def test_a_byte_order_mark_hides_no_leak(study: Study) -> None:
    for task, line in (("xnli", "The same premise.\tSo.\tneutral\n"), ("udpos", "same\tNOUN\n\n")):
        with_mark, without = (Path("tasks", task, f"{split}-qaa.tsv") for split in ("train", "test"))
        with_mark.write_text(f"\ufeff{line}", encoding="utf-8")
        without.write_text(line, encoding="utf-8")
    assert xnli.read(Path("tasks/xnli/train-qaa.tsv"))[0].texts == ("The same premise.", "So.")
    assert pos.read(Path("tasks/udpos/train-qaa.tsv"))[0].texts == ("same",)
    fetch(study)
    for task in TASKS:
        entry = report()[task, "test", "qaa"]
        assert entry["seen_in_train"] == 1
        assert entry["sentences_seen_in_train"] == entry["sentences"]


def test_a_mark_before_an_empty_line_is_no_word(tmp_path: Path) -> None:
    file = tmp_path / "test-qaa.tsv"
    file.write_text("\ufeff\nThe\tDET\n\n", encoding="utf-8")
    assert [example.texts for example in pos.read(file)] == [("The",)]


def test_the_mini_languages_go_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = load_study(ROOT / "studies" / "pocket.yaml").model_dump()
    values["pocket"] |= {"nli": {"train": 30, "dev": 6, "test": 6}, "pos": {"train": 10, "dev": 5, "test": 5}}
    study = Study.model_validate(values)
    fetch(study)
    entries = report()
    assert len(entries) == 2 * (2 + len(study.languages))
    assert entries["xnli", "train", "qaa"]["examples"] == 30
    assert entries["pos", "test", "qaf"]["examples"] == 5


def test_the_stage_needs_no_model_library() -> None:
    code = (
        "import sys, polyprobe.stages.fetch_transfer;"
        "assert not {'torch', 'transformers', 'pandas'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not DATA, reason="POLYPROBE_DATA is not set")
def test_real_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = load_study(ROOT / "studies" / "pocket.yaml").model_dump()
    languages = {"xnli": "ar en es fr hi ur vi zh".split(), "pos": "ar en es eu fr hi mr pt ta ur vi zh".split()}
    values["languages"] = languages["pos"]
    values["treebanks"]["folders"] = {code: ["UD_X"] for code in languages["pos"]}
    values["source_language"] = "en"
    values["parallel"]["folders"] = {}
    values["inputs"] = {name: f"{DATA}/{name}" for name in ("xnli-mini", "udpos-mini")}
    values["transfer"] |= {"source": "dir", "on_leak": "report"}
    for task, folder in (("xnli", "xnli-mini"), ("pos", "udpos-mini")):
        values["transfer"][task] |= {"folder": folder, "languages": languages[task]}
    fetch(Study.model_validate(values))
    entries = report()
    assert entries["pos", "train", "en"]["examples"] == 21_253
    assert {entries["xnli", "test", code]["examples"] for code in languages["xnli"]} == {750}
    assert entries["xnli", "test", "en"]["seen_in_train"] == 0
