"""Sources of the tasks' files: the hub's datasets and XTREME's archives, served on this machine."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from polyprobe.running.errors import BadInputError
from polyprobe.study import Study, load_study
from polyprobe.transfer.fetching import fetch
from polyprobe.transfer.sources import SOURCES
from polyprobe.transfer.sources.hub import _write_pos, _write_xnli
from polyprobe.transfer.sources.writing import write_pairs, write_sentences
from polyprobe.transfer.tasks import pos, xnli
from support import ROOT, sections
from support.loopback_hub import COMMIT, serving

# As XNLI's dataset has them, not in the order of the task's labels.
LABELS = ["neutral", "contradiction", "entailment"]
TAGS = [*reversed(pos.LABELS)]


@pytest.fixture(autouse=True)
def at_the_root_of_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    folder = tmp_path / "served"
    (folder / "files").mkdir(parents=True)
    with serving(folder) as (address, asked):
        yield folder, address, asked


DATASETS = {
    "xnli": {"repository": "facebook/xnli", "revision": "main"},
    "pos": {"repository": "google/xtreme", "revision": "main"},
}


def study(source: str, xnli: list[str], pos: list[str], **transfer: Any) -> Study:
    """A study in English over languages of its tasks."""
    values = load_study(ROOT / "studies" / "pocket.yaml").model_dump(mode="json")
    values["languages"] = sorted({"en", *xnli, *pos})
    values |= {"source_language": "en", "parallel": sections.parallel().model_dump()}
    values["treebanks"]["folders"] = {code: ["UD_X"] for code in values["languages"]}
    values["transfer"] |= {"source": source, "on_leak": "report"} | transfer
    values["inputs"] = {"xnli": "x/xnli", "udpos": "x/udpos"}
    values["transfer"]["xnli"] |= {"folder": "xnli", "languages": xnli}
    values["transfer"]["pos"] |= {"folder": "udpos", "languages": pos}
    return Study.model_validate(values)


def report() -> dict[tuple[str, str, str], dict[str, Any]]:
    entries = json.loads(Path("metrics/transfer_data.json").read_text(encoding="utf-8"))
    return {(entry["task"], entry["split"], entry["language"]): entry for entry in entries}


def parquet(file: Path, columns: dict[str, list[Any]], features: dict[str, Any] | None) -> Path:
    """A file as the hub's library writes it."""
    table = pa.table(columns)
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, row_group_size=2)
    return file


def class_label(names: list[str]) -> dict[str, Any]:
    return {"names": names, "_type": "ClassLabel"}


def pairs_file(file: Path, pairs: list[tuple[str, str, str]]) -> Path:
    columns: dict[str, list[Any]] = {
        "premise": [pair[0] for pair in pairs],
        "hypothesis": [pair[1] for pair in pairs],
        "label": [LABELS.index(pair[2]) for pair in pairs],
    }
    return parquet(file, columns, {"premise": {"dtype": "string"}, "label": class_label(LABELS)})


def sentences_file(file: Path, sentences: list[list[tuple[str, str]]], kind: str = "Sequence") -> Path:
    columns: dict[str, list[Any]] = {
        "tokens": [[word for word, _ in sentence] for sentence in sentences],
        "pos_tags": [[TAGS.index(tag) for _, tag in sentence] for sentence in sentences],
    }
    return parquet(file, columns, {"pos_tags": {"feature": class_label(TAGS), "_type": kind}})


def hub_datasets(folder: Path) -> None:
    for split in ("train", "validation", "test"):
        for code in ("en", "fr"):
            file = folder / f"datasets/facebook/xnli/{code}/{split}-00000-of-00001.parquet"
            pairs_file(file, [(f"{code} {split}\ta\nb {n}", "h", label) for n, label in enumerate(LABELS)])
        for name in ("English", "Afrikaans"):
            file = folder / f"datasets/google/xtreme/udpos.{name}/{split}-00000-of-00001.parquet"
            sentences_file(file, [[(f"{name}-{split}-{n}", "NOUN"), ("runs", "VERB")] for n in range(5)])


def fetch_apart(endpoint: str, wanted: Study) -> subprocess.CompletedProcess[str]:
    """Runs the stage in a process of its own: the hub's address is read when its library is imported."""
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(wanted.model_dump(mode="json"), file)
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(Path("home").resolve())}
    command = [sys.executable, "-m", "polyprobe.stages.fetch_transfer"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_hubs_datasets_become_task_files(served: tuple[Path, str, list[str]]) -> None:
    folder, address, asked = served
    hub_datasets(folder)
    wanted = study("hub", ["en", "fr"], ["en", "af"], hub=DATASETS)
    done = fetch_apart(address, wanted)
    assert done.returncode == 0, done.stderr
    files = {file.name for file in Path("data/tasks/xnli").iterdir()}
    assert files == {"train-en.tsv", "dev-en.tsv", "test-en.tsv", "test-fr.tsv"}
    # Tabs and line ends cannot be in a file of the layout.
    assert xnli.read(Path("data/tasks/xnli/test-fr.tsv"))[1].texts == ("fr test a b 1", "h")
    assert [example.labels for example in xnli.read(Path("data/tasks/xnli/dev-en.tsv"))] == [(name,) for name in LABELS]
    tagged = pos.read(Path("data/tasks/pos/test-af.tsv"))
    assert [example.texts for example in tagged] == [(f"Afrikaans-test-{n}", "runs") for n in range(5)]
    assert {example.labels for example in tagged} == {("NOUN", "VERB")}
    assert report()["pos", "train", "en"]["examples"] == 5
    recorded = Path("downloads.lock").read_text(encoding="utf-8")
    assert f"{COMMIT}  hub:datasets/facebook/xnli@main" in recorded
    assert f"hub:datasets/google/xtreme@{COMMIT}/udpos.Afrikaans/test-00000-of-00001.parquet" in recorded
    assert not any("fr/train" in path or "Afrikaans/train" in path for path in asked)
    assert not list(Path(".scratch").glob("tasks-*"))


def test_a_language_that_the_hub_lacks_is_named(served: tuple[Path, str, list[str]]) -> None:
    folder, address, _ = served
    hub_datasets(folder)
    done = fetch_apart(address, study("hub", ["en"], ["en", "eu"], hub=DATASETS))
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(
        "error: params.yaml: transfer.pos: the test file of language 'eu': google/xtreme/udpos.Basque/test-00000-of-"
    )
    assert not Path("data/tasks").exists()


def test_both_forms_of_the_hubs_metadata_are_read(tmp_path: Path) -> None:
    for kind in ("Sequence", "List"):
        source = sentences_file(tmp_path / f"{kind}.parquet", [[("a", "DET")], [("\u00a0", "X"), ("b\tc", "X")]], kind)
        _write_pos(source, tmp_path / kind / "x.tsv")
        assert (tmp_path / kind / "x.tsv").read_text(encoding="utf-8") == "a\tDET\n\n_\tX\nb c\tX\n\n"


@pytest.mark.parametrize(
    ("columns", "features", "message"),
    [
        ({"premise": ["a"], "label": [0]}, {"label": class_label(LABELS)}, "no column 'hypothesis', expected premise"),
        (
            {"premise": ["a"], "hypothesis": ["b"], "label": [-1]},
            {"label": class_label(LABELS)},
            "no label of number -1",
        ),
        ({"premise": ["a"], "hypothesis": ["b"], "label": [0]}, None, "do not name the labels of column 'label'"),
        ({"premise": ["a"], "hypothesis": ["b"], "label": [0]}, {"label": {}}, "do not name the labels of column"),
    ],
)
def test_a_dataset_made_in_another_way_is_refused(
    tmp_path: Path, columns: dict[str, list[Any]], features: dict[str, Any] | None, message: str
) -> None:
    source = parquet(tmp_path / "x.parquet", columns, features)
    with pytest.raises(BadInputError, match=message):
        _write_xnli(source, tmp_path / "x.tsv")
    (tmp_path / "y.parquet").write_bytes(b"no such thing")
    with pytest.raises(BadInputError, match=r"y\.parquet: no parquet file"):
        _write_xnli(tmp_path / "y.parquet", tmp_path / "y.tsv")


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    pairs = [('He said "no".', "\u2028x", "neutral"), ("a\r\nb\rc\td", "", "entailment")]
    write_pairs(tmp_path / "x/a.tsv", pairs)
    read = [(*example.texts, *example.labels) for example in xnli.read(tmp_path / "x/a.tsv")]
    assert read == [pairs[0], ("a b c d", "", "entailment")]
    write_sentences(tmp_path / "y/a.tsv", [(["sinh viên", ""], ["NOUN", "X"]), (["."], ["PUNCT"])])
    assert [example.texts for example in pos.read(tmp_path / "y/a.tsv")] == [("sinh viên", "_"), (".",)]


def conllu(*sentences: list[str]) -> str:
    """Sentences of lines `id form upos head` with ten columns."""
    text = ""
    for lines in sentences:
        text += "# a comment\n"
        for line in lines:
            identifier, form, upos, head = line.split(" ")
            text += f"{identifier}\t{form}\t_\t{upos}\t_\t_\t{head}\t_\t_\t_\n"
        text += "\n"
    return text


def archives(folder: Path, address: str) -> dict[str, dict[str, str | None]]:
    """The three archives, small; and `transfer.archive` for them."""
    header = "language\tgold_label\tid\tid\tid\tid\tsentence1\tsentence2\tid\tmatch\n"
    row = "{}\t{}\t_\t_\t_\t_\t {} of {} \t{} hypothesis\t1\tTrue\n"
    with zipfile.ZipFile(folder / "files/XNLI-1.0.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for split in ("dev", "test"):
            rows = [row.format(code, label, code, split, label)
                    for label in ("neutral", "contradictory", "entailment") for code in ("fr", "en", "ar")]  # fmt: skip
            zipped.writestr(f"XNLI-1.0/xnli.{split}.tsv", header + "".join(rows))
            zipped.writestr(f"__MACOSX/XNLI-1.0/._xnli.{split}.tsv", b"\x00\x05")
    with zipfile.ZipFile(folder / "files/XNLI-MT-1.0.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        rows_of = 'premise\thypo\tlabel\nShe said "hi" .\tNo .\tcontradictory\nn\u2028o\tyes\tneutral\n'
        zipped.writestr("XNLI-MT-1.0/multinli/multinli.train.en.tsv", rows_of)
        zipped.writestr("XNLI-MT-1.0/multinli/multinli.train.fr.tsv", "not wanted")
    treebanks = {
        # Of two English treebanks ESL has no text.
        "UD_English-EWT/en_ewt-ud-train.conllu": conllu(["1 Good NOUN 0"], ["1 It PRON 2", "2 works VERB 0"]),
        "UD_English-ESL/en_esl-ud-train.conllu": conllu(["1 _ NOUN 0", "2 _ VERB 1", "3 . PUNCT 1"], ["1 _ X 0"]),
        "UD_English-EWT/en_ewt-ud-dev.conllu": conllu(["1 Go VERB 0"]),
        "UD_English-EWT/en_ewt-ud-test.conllu": conllu(["1 Stop VERB 0"]),
        "UD_French-PUD/fr_pud-ud-test.conllu": conllu(
            ["1 Loin ADV 0", "2-3 du _ _", "2 de ADP 4", "3 le DET 4", "4 port NOUN 1", "4.1 vide VERB _"]
        ),
        "UD_French-GSD/fr_gsd-ud-test.conllu": conllu(["1 vi\u200centre NOUN 0"]),
        "UD_French-GSD/fr_gsd-ud-train.conllu": "not wanted",
        "UD_Old_French-SRCMF/fro_srcmf-ud-test.conllu": "not wanted",
    }
    with tarfile.open(folder / "files/ud.tgz", "w:gz") as tarred:
        for name, text in treebanks.items():
            member = tarfile.TarInfo(f"ud-treebanks-v2.5/{name}")
            member.size = len(text.encode())
            tarred.addfile(member, io.BytesIO(text.encode()))
    digest = hashlib.sha256((folder / "files/ud.tgz").read_bytes()).hexdigest()
    return {
        "xnli": {"url": f"{address}/files/XNLI-1.0.zip", "sha256": None},
        "multinli": {"url": f"{address}/files/XNLI-MT-1.0.zip", "sha256": None},
        "ud": {"url": f"{address}/files/ud.tgz", "sha256": digest},
    }


def test_the_archives_become_xtremes_files(served: tuple[Path, str, list[str]]) -> None:
    folder, address, _ = served
    fetch(study("archive", ["en", "fr"], ["en", "fr"], archive=archives(folder, address)))
    tasks = {str(file.relative_to("data/tasks")): file.read_text(encoding="utf-8")
             for file in Path("data/tasks").rglob("*.tsv")}  # fmt: skip
    assert tasks == {
        "xnli/train-en.tsv": 'She said "hi" .\tNo .\tcontradiction\nn\u2028o\tyes\tneutral\n',
        **{
            f"xnli/{split}-{code}.tsv": f"{code} of {split}\tneutral hypothesis\tneutral\n"
            f"{code} of {split}\tcontradictory hypothesis\tcontradiction\n"
            f"{code} of {split}\tentailment hypothesis\tentailment\n"
            for split, code in (("dev", "en"), ("test", "en"), ("test", "fr"))
        },
        "pos/train-en.tsv": "Good\tNOUN\n\nIt\tPRON\nworks\tVERB\n\n",
        "pos/dev-en.tsv": "Go\tVERB\n\n",
        "pos/test-en.tsv": "Stop\tVERB\n\n",
        # GSD before PUD, as their files are called; `de` and `le` are equally high, and prepositions come first.
        "pos/test-fr.tsv": "vientre\tNOUN\n\nLoin\tADV\ndu\tADP\nport\tNOUN\n\n",
    }
    assert {line.split("  ")[1] for line in Path("downloads.lock").read_text().splitlines()[1:]} == {
        f"{address}/files/XNLI-1.0.zip", f"{address}/files/XNLI-MT-1.0.zip",
    }  # fmt: skip
    assert [path.name for path in Path(".scratch").iterdir() if path.is_dir()] == ["downloads"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"xnli": ["en", "eu"]},
            r"params\.yaml: transfer\.xnli\.languages: .*XNLI-1\.0\.zip has no test pairs in 'eu'",
        ),
        ({"pos": ["en", "af"]}, r"params\.yaml: transfer\.pos\.languages: .*ud\.tgz has no test file of a .* in 'af'"),
    ],
)
def test_a_language_that_an_archive_lacks_is_named(
    served: tuple[Path, str, list[str]], changes: dict[str, list[str]], message: str
) -> None:
    folder, address, _ = served
    languages = {"xnli": ["en"], "pos": ["en"]} | changes
    with pytest.raises(BadInputError, match=message):
        fetch(study("archive", languages["xnli"], languages["pos"], archive=archives(folder, address)))
    assert not Path("data/tasks").exists()


def test_another_archive_than_the_stated_one_is_refused(served: tuple[Path, str, list[str]]) -> None:
    folder, address, _ = served
    stated = archives(folder, address)
    stated["ud"]["sha256"] = "0" * 64
    with pytest.raises(BadInputError, match=r"ud\.tgz: what came is not what the study expects"):
        fetch(study("archive", ["en"], ["en"], archive=stated))


def test_a_malformed_table_is_named_with_its_line(served: tuple[Path, str, list[str]]) -> None:
    folder, address, _ = served
    changed = archives(folder, address)
    with zipfile.ZipFile(folder / "files/XNLI-MT-1.0.zip", "w") as zipped:
        zipped.writestr("multinli.train.en.tsv", "premise\thypo\tlabel\na\tb\n")
    with pytest.raises(BadInputError, match=r"multinli\.train\.en\.tsv:2: expected 3 columns .*, found 2"):
        fetch(study("archive", ["en"], ["en"], archive=changed))


@pytest.mark.parametrize("source", ["hub", "archive"])
def test_a_source_needs_its_section(source: str) -> None:
    with pytest.raises(ValidationError, match=f"{source}: expected this section because source is {source}"):
        study(source, ["en"], ["en"])


def test_every_source_can_be_chosen() -> None:
    archive = {name: {"url": "http://a/b.zip", "sha256": None} for name in ("xnli", "multinli", "ud")}
    for source in SOURCES:
        assert study(source, ["en"], ["en"], hub=DATASETS, archive=archive).transfer.source == source
