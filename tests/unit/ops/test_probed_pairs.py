"""Which pairs survive here, in the paper, and under the released code's way, on made-up words."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import probed_pairs
import probed_pairs_by_run
import pytest
import treebank_runs
from probed_pairs_by_run import entries_of, explanation, released_against_paper
from sklearn.model_selection import train_test_split
from treebank_runs import Comparison, Runs, Treebank

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.words import SPLITS, surviving_values
from polyprobe.ops.appendix_a2 import papers_categories
from polyprobe.treebanks import attributes
from polyprobe.treebanks.inventory import inventory
from polyprobe.treebanks.words import WordTable, read_words
from support import sections

CHANCES = {
    "NOUN": ["Number=Sing", "Number=Plur", "Case=Nom|Number=Sing", "_"],
    "VERB": ["Tense=Past|VerbForm=Part", "Tense=Past|VerbForm=Fin", "VerbForm=Inf", "Person=3"],
    "ADJ": ["VerbForm=Part", "Degree=Cmp", "_", "Gender=Fem"],
    "PUNCT": ["_", "_", "_", "_"],
}


def text(seed: int, sentences: int) -> str:
    """Sentences of eight random words, the first two under one range; some words have no lemma, some no form."""
    rng, written = np.random.default_rng(seed), []
    for number in range(sentences):
        lines = [f"# sent_id = {seed}-{number}", "1-2\tRange\t_\t_\t_\t_\t_\t_\t_\t_"]
        for place in range(1, 9):
            upos = list(CHANCES)[rng.integers(4)]
            lemma = f"{upos.lower()}{min(rng.zipf(1.3), 70)}" if rng.random() > 0.05 else "_"
            feats = CHANCES[upos][rng.integers(4)]
            form = f"Form{rng.integers(9)}" if place < 8 or rng.random() > 0.1 else "_"
            lines.append(f"{place}\t{form}\t{lemma}\t{upos}\t_\t{feats}\t{place - 1}\tdep\t_\t_")
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
def words(root: Path) -> WordTable:
    """What the pipeline makes of the treebank."""
    return read_words(root, "mr", ["UD_Marathi"], sections.words(), "fail")


@pytest.fixture(scope="module")
def treebank(root: Path) -> Treebank:
    return treebank_runs.read_treebank(root / "UD_Marathi", "mr")


@pytest.fixture(scope="module")
def found(treebank: Treebank) -> dict[str, Comparison]:
    return treebank_runs.compare(treebank, minimum=20)


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
    table = papers_categories()
    assert sorted(table) == ["ar", "ca", "en", "es", "eu", "fr", "hi", "mr", "pt", "ta", "ur", "vi", "zh"]
    assert set().union(*table.values()) <= set(dimensions())
    assert sum(map(len, table.values())) == 68
    assert table["vi"] == {"Part of Speech"}
    assert all("Part of Speech" in categories for categories in table.values())


def test_the_table_says_what_survives_and_what_the_paper_has() -> None:
    header, _, number, person, _, case, unknown = probed_pairs.corpus_table(ENTRIES, 20).splitlines()
    assert header.startswith("| language | category | words, train/dev/test |")
    assert number == "| en | Number | 399/61/50 | SG 30, PL 20 | yes | yes |"
    assert person == "| en | Person | 330/44/30 | 3 30 | no: only one has 20 words | yes |"
    assert case.endswith("| yes | no |")
    assert unknown.endswith("| yes | – |")


def test_differences_go_both_ways_and_leave_out_languages_that_the_paper_has_not() -> None:
    assert probed_pairs.differences(ENTRIES) == {
        ("en", "Case"): "survives here, not in the paper",
        ("en", "Person"): "in the paper; only one has 20 words",
        ("en", "Tense"): "in the paper; no word has a value",
    }


def labels_of_words(treebank: Treebank, choice: treebank_runs.Choice) -> pd.DataFrame:
    labels = treebank_runs.labels(treebank, choice)
    return labels.iloc[treebank.words["tagging"]].reset_index(drop=True)


def test_words_labels_and_split_are_those_of_the_pipeline(words: WordTable, treebank: Treebank) -> None:
    table = words.frame()
    assert list(table["form"]) == list(treebank.words["form"])
    assert "_" in set(table["form"])
    assert list(table["split"]) == list(treebank_runs.our_split(treebank, seed=0))
    labels = labels_of_words(treebank, attributes)
    for name in dimensions():
        expected = table[name].astype("object")
        assert (
            expected.where(expected.notna(), None).tolist() == labels[name].where(labels[name].notna(), None).tolist()
        )


def test_a_word_that_is_kept_back_has_no_value(treebank: Treebank) -> None:
    kept_back = treebank.words["form"] == "_"
    assert 0 < kept_back.sum() < len(kept_back)
    assert labels_of_words(treebank, attributes)[kept_back].isna().all(axis=None)


def test_the_released_split_follows_the_files_and_takes_no_lemma_for_one(treebank: Treebank) -> None:
    orders = list(permutations(range(3)))
    lemmas = treebank.words["lemma"]
    for order in orders:
        unique: list[str] = []
        for number in order:
            for file, lemma in zip(treebank.words["file"], lemmas, strict=True):
                if file == number and lemma not in unique:
                    unique.append(lemma)
        train, held_out = train_test_split(unique, test_size=0.2, random_state=0)
        assert "_" in unique
        split = treebank_runs.released_split(treebank, order)
        assert set(lemmas[split == "train"]) == set(train)
        assert set(lemmas[split == "dev"]) == set(held_out[: len(held_out) // 2])
        assert set(lemmas[split == "test"]) == set(held_out[len(held_out) // 2 :])
    splits = [treebank_runs.released_split(treebank, order) for order in orders]
    assert any(not split.equals(splits[0]) for split in splits)


def test_the_last_tag_of_a_dimension_wins() -> None:
    tags = ("V", "V.PTCP", "PST", "{ACC/DAT}")
    ranks = {tag: number for number, tag in enumerate(tags)}
    assert treebank_runs.last_tag_wins(ranks, tags) == {"Part of Speech": "V.PTCP", "Tense": "PST"}
    assert treebank_runs.last_tag_wins(ranks | {"V": 9}, tags) == {"Part of Speech": "V", "Tense": "PST"}


def of_words(labels: list[str | None], splits: list[str]) -> tuple[pd.DataFrame, pd.Series]:
    """Counts and values as `second_best` takes them, each word having a tagging of its own."""
    counts = pd.crosstab(pd.Series(range(len(labels))), pd.Series(splits)).reindex(columns=list(SPLITS), fill_value=0)
    return counts, pd.Series(labels, dtype=object)


@pytest.mark.parametrize("seed", range(5))
def test_a_category_survives_where_its_second_best_value_reaches_the_minimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.array(["SG", "PL", "DU", None]), 300, p=[0.5, 0.3, 0.1, 0.1]).tolist()
    splits = rng.choice(list(SPLITS), 300, p=[0.6, 0.2, 0.2]).tolist()
    count = treebank_runs.second_best(*of_words(labels, splits))
    assert len(surviving_values(pd.Series(labels), pd.Series(splits), count)) >= 2
    assert len(surviving_values(pd.Series(labels), pd.Series(splits), count + 1)) < 2


def test_a_category_of_one_value_has_no_second_best() -> None:
    assert treebank_runs.second_best(*of_words(["SG", None], ["train", "dev"])) == 0


def test_every_run_is_the_count_that_it_says(treebank: Treebank, found: dict[str, Comparison]) -> None:
    labels = labels_of_words(treebank, attributes)
    assert set(found) == {name for name in dimensions() if labels[name].notna().any()}
    choices = list(treebank_runs.last_tag_choices(treebank))
    orders = list(permutations(range(3)))

    def is_second_best(count: int, values: pd.Series, split: pd.Series) -> bool:
        enough, too_many = (len(surviving_values(values, split, minimum)) for minimum in (count, count + 1))
        return enough >= 2 > too_many

    ours = treebank_runs.our_split(treebank, seed=7)
    released = treebank_runs.released_split(treebank, orders[4])
    for category in ("Part of Speech", "Number"):
        comparison = found[category]
        kinds = (comparison.seeds, comparison.tag_orders, comparison.file_orders, comparison.released)
        assert [len(runs.counts) for runs in kinds] == [20, 20, 6, 120]
        assert is_second_best(comparison.seeds.counts[7], labels[category], ours)
        assert is_second_best(comparison.file_orders.counts[4], labels[category], released)
        other = labels_of_words(treebank, choices[3])[category]
        assert is_second_best(comparison.released.counts[4 * 20 + 3], other, released)
    # Number has no tags that compete, Part of Speech has V and ADJ beside V.PTCP.
    assert len(set(found["Number"].tag_orders.counts)) == 1
    assert len(set(found["Part of Speech"].tag_orders.counts)) > 1


ALWAYS, NEVER = (20,) * 21, (20, *[19] * 20)
STEADY = Comparison(20, of_seeds=(20,) * 20, our_split=ALWAYS, released_splits=(ALWAYS, ALWAYS))
BY_TAGS = Comparison(20, of_seeds=(20,) * 20, our_split=NEVER, released_splits=(ALWAYS, ALWAYS))
BY_FILES = Comparison(20, of_seeds=(20,) * 20, our_split=ALWAYS, released_splits=(ALWAYS, (19,) * 21))
BY_TAGS_AFTER_ONE_FILE_ORDER = Comparison(
    20, of_seeds=(20,) * 20, our_split=ALWAYS, released_splits=(ALWAYS, (*[20] * 20, 0))
)


def test_what_decides_is_known_from_the_runs() -> None:
    assert Runs((19, 20), minimum=20).varies
    assert Runs((19, 20), minimum=20).survived == 1
    assert not STEADY.tag_choice_decides
    assert BY_TAGS.tag_choice_decides
    assert not BY_FILES.tag_choice_decides
    assert BY_FILES.file_orders.varies
    assert BY_TAGS_AFTER_ONE_FILE_ORDER.tag_choice_decides


def test_a_difference_is_explained_by_what_decides() -> None:
    complete = Treebank("mr", ("mr-ud-train.conllu", "mr-ud-dev.conllu"), pd.DataFrame(), ())
    assert explanation(complete, "Number", BY_FILES) == "the order of the files decides"
    assert explanation(complete, "Animacy", None) == "the paper has the category in no language"
    assert explanation(complete, "Number", STEADY).startswith("neither seed, nor order")
    without_train = Treebank("mr", ("mr-ud-dev.conllu",), pd.DataFrame(), ())
    assert explanation(without_train, "Number", BY_TAGS) == "there is no train file here, the choice among tags decides"


def test_the_released_codes_runs_are_set_against_the_paper() -> None:
    assert released_against_paper({"mr": {"Number": STEADY, "Person": BY_FILES, "Aspect": BY_TAGS}}) == [
        "in the paper, in all of the runs: mr Number",
        "in the paper, in some of the runs: mr Person (20 of 40)",
        "in the paper, in none of the runs: none",
        "not in the paper, in all of the runs: mr Aspect",
        "not in the paper, in some of the runs: none",
    ]


def test_the_command_prints_the_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "corpus.json"
    file.write_text(json.dumps(ENTRIES), encoding="utf-8")
    probed_pairs.main([str(file), "--min-label-count", "20"])
    printed = capsys.readouterr().out
    assert printed.startswith(probed_pairs.corpus_table(ENTRIES, 20) + "\n\nDifferences from the paper: 3\n")
    assert "\n- en Tense: in the paper; no word has a value\n" in printed


@pytest.mark.slow
def test_the_command_reads_treebanks(
    root: Path,
    words: WordTable,
    treebank: Treebank,
    found: dict[str, Comparison],
    capsys: pytest.CaptureFixture[str],
) -> None:
    probed_pairs_by_run.main(["--min-label-count", "20", str(root), "mr"])
    printed = capsys.readouterr().out
    entries = inventory("mr", words.frame(), 20)
    assert entries_of(treebank, 20) == entries
    assert printed.startswith(probed_pairs.corpus_table(entries, 20))
    number = found["Number"].seeds
    assert f"| mr | Number | yes | {number.survived} of 20 ({min(number.counts)} to {max(number.counts)}) |" in printed
    assert "- mr: mr-ud-train.conllu, mr-ud-dev.conllu, mr-ud-test.conllu; 1400 words" in printed
    assert "| mr | Animacy |" not in printed
    probed_pairs_by_run.main(["--min-label-count", "20", str(root), "mr=UD_Marathi"])
    assert capsys.readouterr().out == printed


def test_a_missing_table_is_named() -> None:
    with pytest.raises(SystemExit, match=r"^error: nowhere\.json: no such file"):
        probed_pairs.main(["--min-label-count", "20", "nowhere.json"])


@pytest.mark.parametrize(
    ("language", "message"), [("mr", "nowhere/UD_Marathi: no such folder"), ("xx", "unknown language code 'xx'")]
)
def test_missing_treebanks_are_named(language: str, message: str) -> None:
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        probed_pairs_by_run.main(["--min-label-count", "20", "nowhere", language])
