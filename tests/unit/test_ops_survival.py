"""Which pairs survive here, in the paper, and under the released code's way, on made-up words."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sections
from sklearn.model_selection import train_test_split

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.words import SPLITS, surviving_values
from polyprobe.ops import survival, survival_runs
from polyprobe.treebanks import attributes
from polyprobe.treebanks.inventory import inventory
from polyprobe.treebanks.words import read_words

CHANCES = {
    "NOUN": ["Number=Sing", "Number=Plur", "Case=Nom|Number=Sing", "_"],
    "VERB": ["Tense=Past|VerbForm=Part", "Tense=Past|VerbForm=Fin", "VerbForm=Inf", "Person=3"],
    "ADJ": ["VerbForm=Part", "Degree=Cmp", "_", "Gender=Fem"],
    "PUNCT": ["_", "_", "_", "_"],
}


def text(seed: int, sentences: int) -> str:
    """Sentences of eight random words, the first two under one range; some words have no lemma."""
    rng, written = np.random.default_rng(seed), []
    for number in range(sentences):
        lines = [f"# sent_id = {seed}-{number}", "1-2\tRange\t_\t_\t_\t_\t_\t_\t_\t_"]
        for place in range(1, 9):
            upos = list(CHANCES)[rng.integers(4)]
            lemma = f"{upos.lower()}{min(rng.zipf(1.3), 70)}" if rng.random() > 0.05 else "_"
            feats = CHANCES[upos][rng.integers(4)]
            lines.append(f"{place}\tForm{rng.integers(9)}\t{lemma}\t{upos}\t_\t{feats}\t{place - 1}\tdep\t_\t_")
        written.append("\n".join(lines) + "\n\n")
    return "".join(written)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with UD_Marathi, and with the same treebank where the pipeline has it."""
    root = tmp_path_factory.mktemp("treebanks")
    for folder in (root / "UD_Marathi", root / "mr/UD_Marathi"):
        folder.mkdir(parents=True)
        for seed, (split, sentences) in enumerate({"train": 120, "dev": 40, "test": 40}.items()):
            (folder / f"mr-ud-{split}.conllu").write_text(text(seed, sentences), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def treebank(root: Path) -> survival_runs.Treebank:
    return survival_runs.read_treebank(root / "UD_Marathi", "mr")


@pytest.fixture(scope="module")
def found(treebank: survival_runs.Treebank) -> dict[str, survival_runs.Comparison]:
    return survival_runs.compare(treebank, minimum=20)


def entry(language: str, category: str, probed: bool, **values: tuple[int, int, int]) -> dict[str, object]:
    return {
        "language": language,
        "category": category,
        "probed": probed,
        "reason": None if probed else "only one has 20 words",
        "words": {split: sum(counts[place] for counts in values.values()) for place, split in enumerate(SPLITS)},
        "values": {value: dict(zip(SPLITS, counts, strict=True)) for value, counts in values.items()},
    }


ENTRIES = [
    entry("en", "Number", True, SG=(300, 40, 30), PL=(90, 21, 20), DU=(9, 0, 0)),
    entry("en", "Person", False, **{"3": (300, 40, 30), "1": (30, 4, 0)}),
    entry("en", "Part of Speech", True, N=(90, 30, 30), V=(90, 30, 31)),
    entry("en", "Case", True, NOM=(90, 30, 30), ACC=(90, 30, 31)),
    entry("qaa", "Case", True, NOM=(90, 30, 30), ACC=(90, 30, 31)),
]


def test_the_papers_table_has_its_languages_and_the_schemas_dimensions() -> None:
    table = survival.papers_categories()
    assert sorted(table) == ["ar", "ca", "en", "es", "eu", "fr", "hi", "mr", "pt", "ta", "ur", "vi", "zh"]
    assert set().union(*table.values()) <= set(dimensions())
    assert sum(map(len, table.values())) == 68
    assert table["vi"] == {"Part of Speech"}
    assert all("Part of Speech" in categories for categories in table.values())


def test_the_table_says_what_survives_and_what_the_paper_has() -> None:
    header, _, number, person, _, case, unknown = survival.corpus_table(ENTRIES, 20).splitlines()
    assert header.startswith("| language | category | words, train/dev/test |")
    assert number == "| en | Number | 399/61/50 | SG 30, PL 20 | yes | yes |"
    assert person == "| en | Person | 330/44/30 | 3 30 | no: only one has 20 words | yes |"
    assert case.endswith("| yes | no |")
    assert unknown.endswith("| yes | – |")


def test_differences_go_both_ways_and_leave_out_languages_that_the_paper_has_not() -> None:
    assert survival.differences(ENTRIES) == {
        ("en", "Case"): "survives here, not in the paper",
        ("en", "Person"): "in the paper; only one has 20 words",
        ("en", "Tense"): "in the paper; no word has a value",
    }


def test_words_labels_and_split_are_those_of_the_pipeline(root: Path, treebank: survival_runs.Treebank) -> None:
    table = read_words(root, "mr", ["UD_Marathi"], sections.words(), "fail").frame()
    found = survival_runs.labels(treebank, attributes)
    split_of = survival_runs.split_ours(treebank, seed=0)
    assert list(table["form"]) == list(treebank.form)
    assert list(table["split"]) == [split_of[key] for key in treebank.split_keys()]
    for name in dimensions():
        assert table[name].astype("object").equals(found[name].astype("object")), name


def test_the_released_split_follows_the_files_and_takes_no_lemma_for_one(treebank: survival_runs.Treebank) -> None:
    for order in permutations(range(3)):
        unique: list[str] = []
        for number in order:
            for file, lemma in zip(treebank.file, treebank.lemma, strict=True):
                if file == number and lemma not in unique:
                    unique.append(lemma)
        train, held_out = train_test_split(unique, test_size=0.2, random_state=0)
        split_of = survival_runs.split_released(treebank, order)
        assert {lemma for lemma, split in split_of.items() if split == "train"} == set(train)
        assert {lemma for lemma, split in split_of.items() if split == "dev"} == set(held_out[: len(held_out) // 2])
        assert "_" in split_of
    splits = [survival_runs.split_released(treebank, order) for order in permutations(range(3))]
    assert any(split != splits[0] for split in splits)


def test_the_last_tag_of_a_dimension_wins() -> None:
    tags = ("V", "V.PTCP", "PST", "{ACC/DAT}")
    place = {tag: number for number, tag in enumerate(tags)}
    assert survival_runs.last_tag_wins(place, tags) == {"Part of Speech": "V.PTCP", "Tense": "PST"}
    assert survival_runs.last_tag_wins(place | {"V": 9}, tags) == {"Part of Speech": "V", "Tense": "PST"}


@pytest.mark.parametrize("seed", range(5))
def test_a_category_survives_where_its_margin_reaches_the_minimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = pd.Series(rng.choice(["SG", "PL", "DU", None], 300, p=[0.5, 0.3, 0.1, 0.1]))
    splits = pd.Series(rng.choice(list(SPLITS), 300, p=[0.6, 0.2, 0.2]))
    margin = survival_runs.margin(labels, splits)
    assert len(surviving_values(labels, splits, margin)) >= 2
    assert len(surviving_values(labels, splits, margin + 1)) < 2


def test_a_category_of_one_value_has_no_margin() -> None:
    assert survival_runs.margin(pd.Series(["SG", None]), pd.Series(["train", "dev"])) == 0


def test_every_run_is_the_count_that_it_says(
    treebank: survival_runs.Treebank, found: dict[str, survival_runs.Comparison]
) -> None:
    labels = survival_runs.labels(treebank, attributes)
    assert set(found) == {name for name in dimensions() if labels[name].notna().any()}
    readings = list(survival_runs.tag_orders(treebank))
    orders = list(permutations(range(3)))
    for category in ("Part of Speech", "Number"):
        comparison = found[category]
        kinds = (comparison.seeds, comparison.tag_orders, comparison.file_orders, comparison.released)
        assert [len(runs.margins) for runs in kinds] == [20, 20, 6, 120]
        ours = survival_runs.split_ours(treebank, seed=7)
        split = pd.Series([ours[key] for key in treebank.split_keys()])
        assert comparison.seeds.margins[7] == survival_runs.margin(labels[category], split)
        released = survival_runs.split_released(treebank, orders[4])
        split = pd.Series([released[lemma] for lemma in treebank.lemma])
        assert comparison.file_orders.margins[4] == survival_runs.margin(labels[category], split)
        other = survival_runs.labels(treebank, readings[3])[category]
        assert comparison.released.margins[4 * 20 + 3] == survival_runs.margin(other, split)
    # Number has no tags that compete, Part of Speech has V and ADJ beside V.PTCP.
    assert len(set(found["Number"].tag_orders.margins)) == 1
    assert len(set(found["Part of Speech"].tag_orders.margins)) > 1


def test_what_decides_is_told() -> None:
    def runs(*margins: int) -> survival_runs.Runs:
        return survival_runs.Runs(margins, minimum=20)

    always, never = runs(*[20] * 20), runs(*[19] * 20)
    steady = survival_runs.Comparison(always, always, runs(20, 20), runs(*[20] * 40))
    assert not steady.tie_break_decides
    by_tags = survival_runs.Comparison(always, never, runs(20, 20), runs(*[20] * 40))
    assert by_tags.tie_break_decides
    by_order = survival_runs.Comparison(always, always, runs(20, 19), runs(*[20] * 20, *[19] * 20))
    assert not by_order.tie_break_decides
    assert by_order.file_orders.varies
    by_tags_after_one_order = survival_runs.Comparison(always, always, runs(20, 20), runs(*[20] * 39, 0))
    assert by_tags_after_one_order.tie_break_decides
    complete = survival_runs.Treebank("mr", ("mr-ud-train.conllu", "mr-ud-dev.conllu"), (), (), (), ())
    assert survival.explained(complete, "Number", by_order) == "the order of the files decides"
    assert survival.explained(complete, "Animacy", None) == "the paper has the category in no language"
    assert survival.explained(complete, "Number", steady).startswith("neither seed, nor order")
    without_train = survival_runs.Treebank("mr", ("mr-ud-dev.conllu",), (), (), (), ())
    assert (
        survival.explained(without_train, "Number", by_tags)
        == "there is no train file here, the choice among tags decides"
    )
    told = survival.released_against_paper({"mr": {"Number": steady, "Person": by_order, "Aspect": by_tags}})
    assert told == [
        "in the paper, in all of the runs: mr Number",
        "in the paper, in some of the runs: mr Person (20 of 40)",
        "in the paper, in none of the runs: none",
        "not in the paper, in all of the runs: mr Aspect",
        "not in the paper, in some of the runs: none",
    ]


def test_the_command_prints_the_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "corpus.json"
    file.write_text(json.dumps(ENTRIES), encoding="utf-8")
    survival.main([str(file), "--min-label-count", "20"])
    printed = capsys.readouterr().out
    assert printed.startswith(survival.corpus_table(ENTRIES, 20) + "\n\nDifferences from the paper: 3\n")
    assert "\n- en Tense: in the paper; no word has a value\n" in printed


def test_the_command_reads_treebanks(
    root: Path, found: dict[str, survival_runs.Comparison], capsys: pytest.CaptureFixture[str]
) -> None:
    survival.main(["--min-label-count", "20", "--orders", str(root), "mr"])
    printed = capsys.readouterr().out
    table = read_words(root, "mr", ["UD_Marathi"], sections.words(), "fail").frame()
    assert printed.startswith(survival.corpus_table(inventory("mr", table, 20), 20))
    number = found["Number"].seeds
    assert (
        f"| mr | Number | yes | {number.survived} of 20 ({min(number.margins)} to {max(number.margins)}) |" in printed
    )
    assert "- mr: mr-ud-train.conllu, mr-ud-dev.conllu, mr-ud-test.conllu; 1400 words" in printed
    assert "| mr | Animacy |" not in printed
    survival.main(["--min-label-count", "20", "--orders", str(root), "mr=UD_Marathi"])
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.json"], "nowhere.json: no such file"),
        (["--orders", "nowhere"], "--orders: expected a folder and at least one language"),
        (["--orders", "nowhere", "mr"], "nowhere/UD_Marathi: no such folder"),
        (["--orders", "nowhere", "xx"], "--orders: unknown language code 'xx'"),
    ],
)
def test_bad_requests(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message) as stopped:
        survival.main(["--min-label-count", "20", *arguments])
    assert str(stopped.value).startswith("error: ")
