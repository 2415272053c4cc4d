"""What a page says of what was run: models, data, licences, parameters; and, in a copy of it, where and when."""

import hashlib
import json
import random
import re
import shutil
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from polyprobe.cli import main
from polyprobe.report.citation import PAPER, SOFTWARE, TEXT
from polyprobe.report.licences import licence_listing, model_licence, treebank_licence
from polyprobe.report.listings import Listing
from polyprobe.report.page import PAGE
from polyprobe.report.paper_table import TABLE, paper_comparison, paper_size
from polyprobe.report.parameters import parameter_listing
from polyprobe.report.provenance import (
    TREEBANKS,
    files_digest,
    model_listing,
    read_task_data,
    task_data_listing,
    treebank_listing,
)
from polyprobe.report.this_run import MARK, pipeline, stamp, this_run
from polyprobe.running.errors import BadInputError
from polyprobe.running.run_log import Key, Run
from polyprobe.stage import parameters_digest
from polyprobe.study import load_study
from support import ROOT, synthetic_study
from support.synthetic_study import POCKET

MANIFEST = synthetic_study.manifests(POCKET)[0]
HUB = replace(
    MANIFEST, checkpoint="560m-1k", model="bloom-560m", folder=None, repository="bigscience/bloom-560m-intermediate",
    commit="0123456789abcdef" * 2, tokenizer_repository="bigscience/bloom-560m", tokenizer_commit="f" * 40,
)  # fmt: skip
STUDIES = sorted(file for file in (ROOT / "studies").glob("*.yaml") if file.name.count(".") == 1)


def column(listing: Listing, head: str) -> list[str]:
    return [row[list(listing.heads).index(head)] for row in listing.rows]


def is_a_table(listing: Listing) -> None:
    assert all(len(row) == len(listing.heads) for row in listing.rows)
    assert all(isinstance(text, str) for row in listing.rows for text in row)


def treebank(name: str, **changed: Any) -> dict[str, Any]:
    return {
        "treebank": name,
        "source": "https://example.org/ud.tgz",
        "folder": name,
        "files": [{"name": f"{name}-{split}.conllu", "sha256": split[0] * 64} for split in ("dev", "train")],
        "sentences": 1200,
        "words": 34567,
        "skipped_sentences": 0,
        "text_differs": 0,
        "licence": "CC BY-SA 4.0",
    } | changed


# Models


def test_models_are_listed_with_their_hashes() -> None:
    listing = model_listing([MANIFEST, replace(HUB, dropped=True)])
    is_a_table(listing)
    assert column(listing, "from") == ["data/pretrained/pocket/step-0", "bigscience/bloom-560m-intermediate"]
    assert column(listing, "commit") == ["–", "0123456789ab"]
    assert column(listing, "weights (SHA-256)") == [MANIFEST.weights_sha256[:12]] * 2
    assert column(listing, "") == ["", "dropped as a duplicate"]
    assert listing.note == "Tokenizers that do not lie with the weights: bigscience/bloom-560m at ffffffffffff."
    assert model_listing([MANIFEST]).note == ""


def test_a_model_has_the_licence_of_its_card_or_none() -> None:
    licences = {
        found: model_licence(replace(MANIFEST, repository=repository, folder=folder))
        for found, repository, folder in (
            ("hub", "bigscience/bloom-1b7", None),
            ("intermediate", "bigscience/bloom-1b7-intermediate", None),
            ("other", "someone/bloom", None),
            ("here", None, "data/pretrained/pocket/step-0"),
            ("elsewhere", None, "data/pretrained-models/x"),
        )
    }
    assert "RAIL" in licences["hub"] == licences["intermediate"]
    assert licences["other"] == "see the repository"
    assert licences["here"] == "none: trained here"
    assert licences["elsewhere"] == "see the folder"


# Data


def test_treebanks_are_listed_with_version_licence_and_hash() -> None:
    listing = treebank_listing(
        {
            "en": [treebank("UD_English"), treebank("UD_English-PUD", folder="UD_English-PUD2", skipped_sentences=3)],
            "qaa": [treebank("UD_Avelan-Pocket", licence=None, withheld_sentences=1200)],
        }
    )
    is_a_table(listing)
    assert column(listing, "language") == ["en English", "en English", "qaa Avelan"]
    assert column(listing, "treebank")[1] == "UD_English-PUD (there UD_English-PUD2)"
    assert column(listing, "from") == ["https://example.org/ud.tgz"] * 3
    assert column(listing, "words") == ["34,567"] * 3
    assert column(listing, "licence")[2] == "not stated"
    assert listing.note.endswith(
        "Sentences without their text that were left out: UD_Avelan-Pocket 1,200. "
        "Malformed sentences that were left out: UD_English-PUD 3."
    )


def test_a_treebanks_hash_changes_with_every_name_and_hash_and_not_with_the_order() -> None:
    files = treebank("UD_X")["files"]
    text = "".join(f"UD_X-{split}.conllu {split[0] * 64}\n" for split in ("dev", "train"))
    assert files_digest(files) == files_digest(files[::-1]) == hashlib.sha256(text.encode()).hexdigest()[:12]
    others = [files[:1], [files[0], files[1] | {"sha256": "0" * 64}], [files[0], files[1] | {"name": "other"}]]
    assert len({files_digest(changed) for changed in [files, *others]}) == 4


def test_a_licences_name_is_found_in_a_sentence() -> None:
    sentence = "This treebank is generated text. It is dedicated to the public domain under CC0 1.0 Universal:"
    assert treebank_licence(sentence) == "CC0 1.0"
    assert treebank_licence("The text stands, as you may have guessed, under CC BY-NC-SA 3.0.") == "CC BY-NC-SA 3.0"
    assert treebank_licence("CC BY-NC-SA 3.0 US") == "CC BY-NC-SA 3.0 US"
    assert treebank_licence("GNU GPL 3.0") == "GNU GPL 3.0"


def test_what_git_holds_of_a_run_can_be_listed() -> None:
    """The pocket and the local study's own metrics."""
    for root, source in ((ROOT, "pocket"), (ROOT / "docs/results/local", "dir")):
        treebanks, tasks = (
            TREEBANKS.read(root / "metrics/treebanks.json"),
            read_task_data(root / "metrics/transfer_data.json"),
        )
        data = task_data_listing(tasks, source)
        for listing in (treebank_listing(treebanks), data, licence_listing([MANIFEST], treebanks, tasks, source)):
            is_a_table(listing)
            assert listing.rows
        assert column(data, "in train too")[0] == "–"
        seen = {(entry["task"].upper(), entry["split"], entry["language"]): entry for entry in tasks}
        for task, split, language, *_, digest in data.rows:
            assert seen[task, split, language.split()[0]]["sha256"].startswith(digest)


def test_a_task_that_was_not_fetched_has_no_files_and_missing_treebanks_are_an_error(tmp_path: Path) -> None:
    assert task_data_listing(read_task_data(tmp_path / "none"), "hub").rows == []
    with pytest.raises(BadInputError, match="none: no such file; has fetch_ud been run"):
        TREEBANKS.read(tmp_path / "none")


def test_licences_name_everything_once() -> None:
    treebanks = {
        "en": [treebank("UD_English"), treebank("UD_English-PUD", licence="CC BY-SA 3.0")],
        "fr": [treebank("UD_French")],
    }
    tasks = [{"task": task, "split": split} for task in ("xnli", "pos", "other") for split in ("train", "test")]
    listing = licence_listing([MANIFEST, HUB, replace(HUB, checkpoint="560m-2k")], treebanks, tasks, "archive")
    is_a_table(listing)
    assert column(listing, "what") == [
        "pocket", "bloom-560m", "UD_English-PUD", "UD_English, UD_French", "XNLI, dev and test",
        "XNLI, train (MultiNLI)", "POS (UDPOS)", "OTHER",
    ]  # fmt: skip
    assert column(listing, "licence")[2:5] == ["CC BY-SA 3.0", "CC BY-SA 4.0", "CC BY-NC 4.0"]
    generated = licence_listing([MANIFEST], {}, tasks, "pocket")
    assert column(generated, "licence") == ["none: trained here", *["none: generated here"] * 3]


# Parameters


def flattened(value: Any, key: str = "") -> dict[str, Any]:
    """Leaves of a file's sections, as far as the listing goes down."""
    whole = ("inputs", "treebanks.folders", "parallel.folders", "parallel.files")
    if isinstance(value, dict) and value and key not in whole:
        found: dict[str, Any] = {}
        for name, below in value.items():
            path = f"{key}.{name}" if key else name
            found |= {path: below} if key in ("models", "checkpoints") else flattened(below, path)
        return found
    return {key: value}


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_every_key_of_a_study_is_listed_once_with_its_value(file: Path) -> None:
    listing = parameter_listing(load_study(file))
    is_a_table(listing)
    names = column(listing, "parameter")
    assert len(set(names)) == len(names)
    shown = dict(zip(names, column(listing, "value"), strict=True))
    for key, value in flattened(YAML(typ="safe").load(file.read_text(encoding="utf-8"))).items():
        if value is None:
            assert key in shown or any(name.startswith(f"{key}.") for name in shown)
        elif isinstance(value, bool):
            assert shown[key] == str(value).lower()
        elif isinstance(value, int | float):
            assert float(shown[key]) == value
        elif isinstance(value, str):
            assert shown[key] == value
        elif key.startswith("models."):
            assert shown[key].startswith("repository: ")
        elif key.startswith("checkpoints."):
            assert shown[key].startswith(f"model: {value['model']}, weights: {value['weights']}, ")
        else:
            assert shown[key][0] + shown[key][-1] in ("[]", "{}")


# The paper's table


def cell(model: str, task: str, aggregation: str, **changed: Any) -> dict[str, Any]:
    return {
        "model": model, "task": task, "aggregation": aggregation, "category": None, "layer": None, "n": 5, "r": 0.5,
        "p": 0.04, "interval": [0.1, 0.85], "note": None,
    } | changed  # fmt: skip


def test_models_are_matched_by_their_size() -> None:
    names = ["bloom-560m", "BLOOM_1b1", "1b7", "560m", "bloomz-560m", "xglm-560m", "bloom-3b", "pocket", "bloom-560m-x"]
    assert [paper_size(name) for name in names] == ["560m", "1b1", "1b7", "560m", *[None] * 5]


def test_the_papers_numbers_stand_beside_ours() -> None:
    cells = [cell("bloom-560m", task, points) for task in ("xnli", "pos") for points in ("average", "pairwise")]
    cells[0] |= {"r": None, "p": None, "interval": None, "note": "transfer at chance: not above its baseline"}
    cells.append(cell("bloom-560m", "xnli", "average", category="Number", layer=13))
    listing = paper_comparison([*cells, cell("pocket", "xnli", "average")], ["bloom-560m", "pocket", "bloom-1b7"])
    assert listing is not None
    is_a_table(listing)
    theirs = [TABLE[size, task, points] for size in ("560m", "1b7") for task in ("xnli", "pos")
              for points in ("average", "pairwise")]  # fmt: skip
    assert column(listing, "r, paper") == [found.r for found in theirs]
    assert column(listing, "p, paper") == [found.p for found in theirs]
    assert column(listing, "n, paper") == [str(found.n) for found in theirs]
    assert column(listing, "r, here") == ["–", "0.500", "0.500", "0.500", *["–"] * 4]
    assert column(listing, "paper's r in it") == ["–", "yes", "no", "yes", *["–"] * 4]
    assert column(listing, "") == [cells[0]["note"], "", "", "", *["not run here"] * 4]


def test_a_study_without_the_papers_models_has_no_comparison() -> None:
    assert paper_comparison([cell("pocket", "xnli", "average")], ["pocket"]) is None
    assert paper_comparison([], []) is None
    empty = paper_comparison([], ["560m"])
    assert empty is not None
    assert len(empty.rows) == 4


# Citation


def test_the_citations_are_those_of_the_citation_file() -> None:
    told = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    [paper] = told["references"]

    def field(bibtex: str, name: str) -> str:
        found = re.search(rf'^  {name} = "(.*)",$', bibtex, re.MULTILINE)
        assert found, name
        return found[1].replace("{", "").replace("}", "")

    authors = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    assert field(PAPER, "title") == paper["title"]
    assert field(PAPER, "author").split(" and ") == authors
    assert field(PAPER, "year") == str(paper["year"])
    assert field(PAPER, "booktitle") == paper["collection-title"]
    assert field(SOFTWARE, "title") == told["title"]
    assert field(SOFTWARE, "author") == told["authors"][0]["name"]
    assert field(SOFTWARE, "version") == told["version"]
    assert field(SOFTWARE, "license") == told["license"]
    assert TEXT.count("@") == 2
    assert TEXT.count("{") == TEXT.count("}")


# This run


def a_run(stage: str, *arguments: str, **changed: Any) -> Run:
    return replace(
        Run(
            study="tiny", parameters="now", stage=stage, arguments=arguments, outcome="finished", seconds=1234.56,
            finished="2030-01-02T03:04:05+00:00", commit="c" * 40, changed=False, python="3.11.7", torch=None,
            platform="Linux", processor="a <b> processor", cores=2, gpu=None, memory=3 * 2**20,
        ),
        **changed,
    )  # fmt: skip


def test_the_pipelines_stages_are_those_of_its_file() -> None:
    study = load_study(ROOT / "studies/tiny.yaml")
    keys = pipeline(study, ROOT / "dvc.yaml")
    assert len(keys) == len(set(keys))
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert list(dict.fromkeys(stage for stage, _ in keys)) == [name for name in stages if name != "watch"], (
        "nothing on disk"
    )
    assert [key for key in keys if key[0] == "probe"] == [("probe", ("step-0",)), ("probe", ("step-20",))]
    assert ("pretrain", ("pocket",)) in keys
    assert ("overlap", ()) in keys


def test_each_stage_says_when_and_where_it_ran_or_that_it_was_restored() -> None:
    stages: list[Key] = [("fetch_ud", ()), ("probe", ("step-0",)), ("probe", ("step-20",)), ("overlap", ())]
    runs = [
        a_run("probe", "step-0", torch="2.0", gpu="a GPU"),
        a_run("probe", "step-20", parameters="then", commit=None, changed=None),
        a_run("overlap", outcome="failed", seconds=1.0),
        a_run("gone"),
    ]
    machines, listing = this_run({run.key: run for run in runs}, stages, parameters="now", made="Made today.")
    is_a_table(machines)
    is_a_table(listing)
    assert listing.rows == [
        ["fetch_ud", "", "restored, not run here", "–", "–", "–", "–"],
        ["probe", "step-0", "finished", "1,234.6", "3", "2030-01-02 03:04:05", "1"],
        ["probe", "step-20", "finished, other parameters", "1,234.6", "3", "2030-01-02 03:04:05", "2"],
        ["overlap", "", "failed", "1.0", "3", "2030-01-02 03:04:05", "1"],
    ]
    assert listing.note.startswith("Made today. ")
    assert column(machines, "commit") == ["c" * 12, "no git"]
    assert column(machines, "torch") == ["2.0", "–"]
    assert column(machines, "GPU") == ["a GPU", "–"]
    assert column(machines, "seconds together") == ["1,235.6", "1,234.6"]
    changed = this_run({runs[0].key: replace(runs[0], changed=True)}, stages, parameters="now", made="")[0]
    assert column(changed, "commit") == [f"{'c' * 12} with changes"]


def test_without_a_log_every_stage_is_restored() -> None:
    [listing] = this_run({}, [("overlap", ())], parameters="now", made="")
    assert listing.rows == [["overlap", "", "restored, not run here", *["–"] * 4]]


class Balanced(HTMLParser):
    """Elements that stand in each other properly, and their texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "{% raw %}",
    MARK,
    "a & b",
    "'",
]


def test_whatever_a_listing_holds_is_shown_as_text() -> None:
    texts = HOSTILE * 4
    random.Random(0).shuffle(texts)
    listing = Listing(texts[0], texts[1:4], [texts[4:7], texts[7:10]], texts[10])
    stamped = stamp(f"<main>\n  {MARK}\n</main>\n", [listing, listing])
    page = Balanced(stamped)
    assert page.open == []
    shown = [text for text in page.texts if text.strip()]
    assert shown == texts[:11] * 2
    assert not {"<script", "<img"} & set(re.findall(r"<\w+", stamped))
    assert "49" not in stamped


def test_a_page_needs_one_place_for_the_run() -> None:
    for page in ("<main></main>", f"{MARK}\n{MARK}", f"a {MARK}"):
        with pytest.raises(BadInputError, match="lines `<!-- this run -->`, expected one"):
            stamp(page, [])
    assert stamp(f"a\n{MARK}\nb\n", []) == "a\n\nb\n"


def test_the_pages_template_has_the_place_once() -> None:
    template = (ROOT / "src/polyprobe/report/page.html").read_text(encoding="utf-8")
    assert [line.strip() for line in template.splitlines()].count(MARK) == 1


# The command


@pytest.fixture
def study_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POLYPROBE_SCRATCH", raising=False)
    shutil.copy(ROOT / "studies/tiny.yaml", "params.yaml")
    shutil.copy(ROOT / "dvc.yaml", "dvc.yaml")
    PAGE.parent.mkdir(parents=True)
    PAGE.write_text(f"<html>\n<p>é\n{MARK}\n</html>\n", encoding="utf-8")
    now = parameters_digest(load_study())
    runs = [a_run("overlap", parameters=now, seconds=0.1), a_run("overlap", parameters=now, seconds=98.7)]
    Path(".scratch").mkdir()
    Path(".scratch/runs.jsonl").write_text(
        "".join(json.dumps(asdict(run)) + "\n" for run in [*runs, replace(runs[0], study="other")])
    )
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that a browser was asked to show; there is none."""
    asked: list[str] = []

    def ask(address: str) -> bool:
        asked.append(address)
        return False

    monkeypatch.setattr("webbrowser.open", ask)
    return asked


def run_command(*arguments: str) -> object:
    """Runs `polyprobe report`; what it exits with."""
    with pytest.raises(SystemExit) as stopped:
        main(["report", *arguments])
    return stopped.value.code


def test_a_copy_says_where_and_when_and_the_report_stays_as_it_is(
    study_folder: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = PAGE.read_bytes()
    assert run_command("open") == 0
    copy = study_folder / ".scratch/report.html"
    assert capsys.readouterr().out == f"{copy}\n"
    assert opened == [copy.as_uri()]
    text = copy.read_text(encoding="utf-8")
    assert text.startswith("<html>\n<p>é\n")
    assert MARK not in text
    assert '<th scope="row">overlap</th><td></td><td>finished</td><td>98.7</td>' in text
    assert "a &lt;b&gt; processor" in text
    assert text.count("restored, not run here") == len(pipeline(load_study())) - 1
    assert "This copy of the page was made at 2" in text
    assert PAGE.read_bytes() == before
    assert run_command("write", "page/of.html") == 0
    assert len(opened) == 1
    assert MARK not in (study_folder / "page/of.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ("data/report/index.html", "data/report/index.html: no report yet; run `dvc repro` first"),
        ("dvc.yaml", "dvc.yaml: no such file, expected the pipeline; is this the study's folder?"),
        ("params.yaml", "params.yaml: no such file, expected the study's parameters"),
    ],
)
def test_what_is_not_there_is_one_line(study_folder: Path, opened: list[str], remove: str, message: str) -> None:
    (study_folder / remove).unlink()
    assert run_command("open") == f"error: {message}"
    assert opened == []
    assert not (study_folder / ".scratch/report.html").exists()


def test_the_report_itself_is_never_written(study_folder: Path) -> None:
    before = PAGE.read_bytes()
    assert "expected a file beside the report" in str(run_command("write", "data/../data/report/index.html"))
    assert PAGE.read_bytes() == before
