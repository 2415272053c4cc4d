"""`fetch_ud` and `convert_unimorph`: what is copied, what is said of it, and that bad input changes no output."""

import hashlib
import json
from pathlib import Path
from typing import Literal, get_args

import pytest

from polyprobe.artefacts import corpus, mapping, parallel, words
from polyprobe.artefacts.inputs import files_of
from polyprobe.running.errors import BadInputError
from polyprobe.stages.convert_unimorph import convert_unimorph
from polyprobe.stages.fetch_ud import fetch_ud
from polyprobe.study import Study, Treebanks, load_study
from polyprobe.treebanks.sources import SOURCES
from polyprobe.treebanks.texts import training_texts
from polyprobe.treebanks.treebank import FILE_SPLITS, FOLDER, licence, treebank_files
from support import CONLLU, ROOT, sections


@pytest.fixture(autouse=True)
def at_the_root_of_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYPROBE_WORKERS", "1")
    return tmp_path


def treebank(name: str, *files: str) -> Path:
    """A treebank whose files all hold the good sentences, those with a number more of their own."""
    folder = Path("ud") / name
    folder.mkdir(parents=True)
    more = [
        f"# sent_id = more-{index}\n1\tw{index}\tw{index}\tNOUN\t_\tNumber=Sing\t0\troot\t_\t_\n" for index in range(12)
    ]
    text = (CONLLU / "good.conllu").read_text(encoding="utf-8") + "\n" + "\n".join(more)
    for file in files:
        (folder / file).write_text(text, encoding="utf-8")
    (folder / "LICENSE.txt").write_text("\n  \n  Free for all \nand more\n", encoding="utf-8")
    (folder / "README.md").write_text("# About\n", encoding="utf-8")
    (folder / "stats.xml").write_text("<x/>\n", encoding="utf-8")
    return folder


def study(
    languages: list[str],
    folders: dict[str, list[str]],
    sides: dict[str, str],
    on_error: Literal["fail", "skip_sentence"] = "fail",
) -> Study:
    """The pocket study with other treebanks, from a folder."""
    treebanks = Treebanks(source="dir", release=None, archive=None, folders=folders, on_error=on_error)
    names = {name for code in languages for name in [*folders[code], *filter(None, [sides.get(code)])]}
    changes = {
        "inputs": {name: Path("ud", name) for name in names}, "languages": languages, "treebanks": treebanks,
        "parallel": sections.parallel(folders=sides, max_pairs=5),
    }  # fmt: skip
    return load_study(ROOT / "studies/pocket.yaml").model_copy(update=changes)


@pytest.fixture
def two_languages() -> Study:
    treebank("UD_French", "fr-ud-dev.conllu", "fr-ud-train.conllu", "fr-ud-test.conllu")
    treebank("UD_French-GSD", "fr_gsd-ud-train.conllu")
    treebank("UD_French-PUD", "fr_pud-ud-test.conllu")
    treebank("UD_Spanish-PUD", "es_pud-ud-test.conllu")
    treebank("UD_Other", "xx-ud-test.conllu")
    folders = {"fr": ["UD_French", "UD_French-GSD"], "es": ["UD_Spanish-PUD"], "de": ["UD_None"]}
    sides = {"es": "UD_Spanish-PUD", "fr": "UD_French-PUD", "de": "UD_None"}
    return study(["fr", "es"], folders, sides)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_the_named_treebanks_are_copied_with_readme_and_licence(two_languages: Study) -> None:
    fetch_ud(two_languages)
    copied = contents(Path("data/treebanks"))
    notes = ["LICENSE.txt", "README.md"]
    expected = {
        "fr/UD_French": ["fr-ud-dev.conllu", "fr-ud-test.conllu", "fr-ud-train.conllu", *notes],
        "fr/UD_French-GSD": ["fr_gsd-ud-train.conllu", *notes],
        "fr/UD_French-PUD": ["fr_pud-ud-test.conllu", *notes],
        "es/UD_Spanish-PUD": ["es_pud-ud-test.conllu", *notes],
    }
    assert sorted(copied) == sorted(f"{folder}/{file}" for folder, files in expected.items() for file in files)
    assert all(Path("ud", *Path(name).parts[1:]).read_bytes() == data for name, data in copied.items())


def test_the_metrics_say_what_was_fetched(two_languages: Study) -> None:
    fetch_ud(two_languages)
    report = json.loads(Path("metrics/treebanks.json").read_text(encoding="utf-8"))
    assert {code: [entry["treebank"] for entry in entries] for code, entries in report.items()} == {
        "fr": ["UD_French", "UD_French-GSD", "UD_French-PUD"],
        "es": ["UD_Spanish-PUD"],
    }
    digest = hashlib.sha256(Path("ud/UD_French/fr-ud-train.conllu").read_bytes()).hexdigest()
    assert report["fr"][0] == {
        "treebank": "UD_French",
        "source": "a folder on disk",
        "folder": "UD_French",
        "files": [{"name": f"fr-ud-{split}.conllu", "sha256": digest} for split in ("train", "dev", "test")],
        "sentences": 3 * 15,
        "words": 3 * 22,
        "skipped_sentences": 0,
        "withheld_sentences": 0,
        "text_differs": 0,
        "licence": "Free for all",
    }


def test_words_pairs_and_inventory_follow(two_languages: Study) -> None:
    fetch_ud(two_languages)
    convert_unimorph(two_languages)
    assert [file.name for file in sorted(words.TABLE.path.parent.iterdir())] == ["es.parquet", "fr.parquet"]
    french = words.TABLE.read(words.TABLE.at(language="fr"))
    assert list(dict.fromkeys(french["treebank"])) == ["UD_French", "UD_French-GSD"]
    assert list(dict.fromkeys(french["file"]))[:3] == [f"fr-ud-{split}.conllu" for split in ("train", "dev", "test")]
    assert french["sentence"].max() == 4 * 15 - 1
    pairs = parallel.TABLE.read()
    assert list(pairs["language"]) == ["es"] * 5 + ["fr"] * 5
    assert list(pairs["text"][:2]) == ["vámonos al mar.", "Ana come y Eva agua"]
    entries = corpus.TABLE.read()
    assert {entry["language"] for entry in entries} == {"fr", "es"}
    assert "Part of Speech" in {entry["category"] for entry in entries}


def test_two_runs_give_the_same_bytes(two_languages: Study) -> None:
    runs = []
    for _ in range(2):
        fetch_ud(two_languages)
        convert_unimorph(two_languages)
        runs.append({**contents(Path("data")), **contents(Path("metrics"))})
    assert runs[0] == runs[1]
    assert not any(".tmp" in name for name in runs[0])


def test_no_parallel_text_gives_an_empty_table(two_languages: Study) -> None:
    alone = two_languages.model_copy(update={"parallel": sections.parallel()})
    fetch_ud(alone)
    convert_unimorph(alone)
    assert len(parallel.TABLE.read()) == 0


def bad_studies() -> dict[str, tuple[Study, str]]:
    treebank("UD_French", "fr-ud-test.conllu")
    Path("ud/UD_Empty").mkdir()
    broken = Path("ud/UD_Broken")
    broken.mkdir()
    (broken / "fr-ud-test.conllu").write_bytes((CONLLU / "wrong-column-count.conllu").read_bytes())
    missing = "params.yaml: inputs.{0}: no folder ud/{0}, expected a treebank"
    return {
        "missing": (study(["fr"], {"fr": ["UD_French", "UD_Frnch"]}, {}), missing.format("UD_Frnch")),
        "missing side": (study(["fr"], {"fr": ["UD_French"]}, {"fr": "UD_X"}), missing.format("UD_X")),
        "empty": (
            study(["fr"], {"fr": ["UD_Empty"]}, {}),
            "ud/UD_Empty: no CoNLL-U file, expected names such as en-ud-train.conllu",
        ),
        "broken": (
            study(["fr"], {"fr": ["UD_French", "UD_Broken"]}, {}),
            "ud/UD_Broken/fr-ud-test.conllu:9: sentence bad: expected 10 columns separated by tabs, found 9",
        ),
    }  # fmt: skip


@pytest.mark.parametrize("defect", ["missing", "missing side", "empty", "broken"])
def test_bad_input_is_one_line_and_changes_no_output(defect: str) -> None:
    bad, message = bad_studies()[defect]
    good = study(["fr"], {"fr": ["UD_French"]}, {})
    fetch_ud(good)
    before = {**contents(Path("data")), **contents(Path("metrics"))}
    with pytest.raises(BadInputError) as caught:
        fetch_ud(bad)
    assert str(caught.value) == message
    assert {**contents(Path("data")), **contents(Path("metrics"))} == before


def test_a_failed_conversion_changes_no_output(two_languages: Study) -> None:
    fetch_ud(two_languages)
    convert_unimorph(two_languages)
    before = {**contents(Path("data/words")), **contents(Path("metrics"))}
    broken = Path("data/treebanks/es/UD_Spanish-PUD/es_pud-ud-test.conllu")
    broken.write_bytes((CONLLU / "duplicate-id.conllu").read_bytes())
    with pytest.raises(BadInputError, match="sentence bad: id 1: expected 2"):
        convert_unimorph(two_languages)
    assert {**contents(Path("data/words")), **contents(Path("metrics"))} == before


def test_malformed_sentences_are_skipped_and_counted_on_request() -> None:
    folder = treebank("UD_French", "fr-ud-test.conllu")
    (folder / "fr-ud-dev.conllu").write_bytes((CONLLU / "wrong-column-count.conllu").read_bytes())
    lenient = study(["fr"], {"fr": ["UD_French"]}, {}, on_error="skip_sentence")
    fetch_ud(lenient)
    (entry,) = json.loads(Path("metrics/treebanks.json").read_text(encoding="utf-8"))["fr"]
    assert (entry["sentences"], entry["skipped_sentences"]) == (15 + 2, 1)
    convert_unimorph(lenient)
    assert "bad" not in set(words.TABLE.read(words.TABLE.at(language="fr"))["sent_id"])


def withheld(*sent_ids: str) -> str:
    """Sentences without their text, as UD_English-GUMReddit has them; a noun has a tag that no reading allows for."""
    rows = "1\t_\t_\tNOUN\t_\tNumber=Plur\t0\troot\t_\t_\n2\t_\t_\tVERB\t_\tMood=Ind\t1\tacl\t_\t_\n"
    return "".join(f"# sent_id = {sent_id}\n# text = _ _\n{rows}\n" for sent_id in sent_ids)


def test_sentences_without_their_text_are_no_words_no_pairs_and_no_pretraining(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("UD_French", "UD_French-PUD"):
        folder = treebank(name, "fr-ud-test.conllu")
        (folder / "fr-ud-dev.conllu").write_text(withheld("h1", "h2"), encoding="utf-8")
    given = study(["fr"], {"fr": ["UD_French"]}, {"fr": "UD_French-PUD"})
    given = given.model_copy(update={"parallel": given.parallel.model_copy(update={"max_pairs": 99})})
    fetch_ud(given)
    said = [line for line in capsys.readouterr().out.splitlines() if "without their text" in line]
    assert said == [f"{name}: left out 2 sentences without their text" for name in ("UD_French", "UD_French-PUD")]
    entry, _ = json.loads(Path("metrics/treebanks.json").read_text(encoding="utf-8"))["fr"]
    assert (entry["sentences"], entry["words"]) == (15, 22)
    assert (entry["skipped_sentences"], entry["withheld_sentences"]) == (0, 2)
    convert_unimorph(given)
    table = words.TABLE.read(words.TABLE.at(language="fr"))
    assert len(table) == 22
    assert not {"h1", "h2"} & set(table["sent_id"])
    assert not {"h1", "h2"} & set(parallel.TABLE.read()["sent_id"])
    assert len(parallel.TABLE.read()) == 15
    [lost] = mapping.TABLE.read()
    assert (lost["skipped_sentences"], lost["withheld_sentences"]) == (0, 2)
    texts = training_texts(FOLDER, ["fr"], {"fr": ["UD_French"]}, FILE_SPLITS)
    assert "_ _" not in [text for document in texts["fr"] for text in document]


@pytest.mark.parametrize("on_error", ["fail", "skip_sentence"])
def test_a_treebank_with_nothing_but_withheld_sentences_is_refused(
    on_error: Literal["fail", "skip_sentence"],
) -> None:
    folder = treebank("UD_English-GUMReddit")
    (folder / "en-ud-train.conllu").write_text(withheld("h1", "h2", "h3"), encoding="utf-8")
    with pytest.raises(BadInputError) as caught:
        fetch_ud(study(["en"], {"en": ["UD_English-GUMReddit"]}, {}, on_error))
    assert str(caught.value) == (
        "ud/UD_English-GUMReddit: UD_English-GUMReddit comes without its text, expected sentences whose words are "
        "not `_` (3 withheld)"
    )
    assert not Path("data/treebanks").exists()


def test_a_withheld_sentence_is_not_malformed() -> None:
    """No UniMorph reading is asked of words that nobody can read."""
    folder = treebank("UD_French", "fr-ud-test.conllu")
    unreadable = withheld("h1").replace("Mood=Ind", "Mood=Ind|Mood=Sub").replace("NOUN", "NNN")
    (folder / "fr-ud-dev.conllu").write_text(unreadable, encoding="utf-8")
    for on_error in ("fail", "skip_sentence"):
        fetch_ud(study(["fr"], {"fr": ["UD_French"]}, {}, on_error))
        (entry,) = json.loads(Path("metrics/treebanks.json").read_text(encoding="utf-8"))["fr"]
        assert (entry["skipped_sentences"], entry["withheld_sentences"]) == (0, 1)


def test_what_a_system_leaves_in_a_folder_is_no_part_of_a_treebank() -> None:
    given = study(["fr"], {"fr": ["UD_French"]}, {})
    folder = treebank("UD_French", "fr-ud-test.conllu")
    fetch_ud(given)
    before, watched = contents(Path("data")) | contents(Path("metrics")), files_of(folder)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._fr-ud-test.conllu", "._README.md", "._LICENSE.txt"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07\xff")
    (folder / "LICENSES").mkdir()
    (folder / "LICENSES/MIT.txt").write_text("MIT\n", encoding="utf-8")
    (folder / "fr-ud-dev.conllu").mkdir()
    (folder / "LICENSE-of-old").symlink_to("nowhere")
    fetch_ud(given)
    assert contents(Path("data")) | contents(Path("metrics")) == before
    assert files_of(folder) == watched
    assert [file.name for file in treebank_files(folder)] == ["fr-ud-test.conllu"]
    assert licence(folder) == "Free for all"


def test_a_treebanks_link_that_leads_nowhere_is_named() -> None:
    folder = treebank("UD_French", "fr-ud-test.conllu")
    (folder / "fr-ud-train.conllu").symlink_to("nowhere.conllu")
    with pytest.raises(BadInputError) as caught:
        fetch_ud(study(["fr"], {"fr": ["UD_French"]}, {}))
    assert str(caught.value) == ("ud/UD_French/fr-ud-train.conllu: a link that leads nowhere, expected a CoNLL-U file")


def test_pocket_treebanks_go_the_same_way() -> None:
    pocket = load_study(ROOT / "studies/pocket.yaml")
    assert pocket.pocket is not None
    small = pocket.pocket.model_copy(
        update={
            "treebank": pocket.pocket.treebank.model_copy(update={"train": 80, "dev": 20, "test": 20, "parallel": 10})
        }
    )
    mini = pocket.model_copy(update={"languages": ["qaa", "qae"], "pocket": small})
    fetch_ud(mini)
    convert_unimorph(mini)
    assert sorted(path.name for path in Path("data/treebanks/qae").iterdir()) == ["UD_Elmari-PUD", "UD_Elmari-Pocket"]
    assert len(parallel.TABLE.read()) == 2 * 10
    entries = [entry for entry in corpus.TABLE.read() if entry["category"] == "Part of Speech"]
    assert [entry["language"] for entry in entries] == ["qaa", "qae"]
    assert all({"N", "V", "PRO"} <= entry["values"].keys() for entry in entries)


def test_every_source_that_params_allow_is_there() -> None:
    allowed = Treebanks.model_fields["source"].annotation
    assert set(SOURCES) == set(get_args(allowed))


def test_files_of_a_split_in_several_parts_are_read_by_name(tmp_path: Path) -> None:
    names = ["cs-ud-train-b.conllu", "cs-ud-test.conllu", "cs-ud-train-a.conllu", "cs-ud-dev.conllu", "notes.conllu"]
    for name in names:
        (tmp_path / name).touch()
    assert [file.name for file in treebank_files(tmp_path)] == [names[index] for index in (2, 0, 3, 1)]
    assert [file.name for file in treebank_files(tmp_path, ("dev",))] == ["cs-ud-dev.conllu"]
    assert licence(tmp_path) is None
