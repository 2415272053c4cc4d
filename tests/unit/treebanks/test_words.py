"""The words table: ranges, labels, lemma split, survival, inventory, parallel sentences."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyprobe.artefacts import words as words_artefact
from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.words import SPLITS, label_counts, surviving_values
from polyprobe.running.errors import BadInputError
from polyprobe.treebanks import attributes, read_sentences, to_unimorph
from polyprobe.treebanks.conllu import Sentence
from polyprobe.treebanks.inventory import inventory
from polyprobe.treebanks.parallel import parallel_table
from polyprobe.treebanks.split import lemma_key, rare_lemmas, split_lemmas
from polyprobe.treebanks.words import read_words
from support import CONLLU, sections

GOOD = CONLLU / "good.conllu"


def treebank(root: Path, language: str, name: str, **texts: str) -> Path:
    """A treebank of the given texts by split."""
    folder = root / language / name
    folder.mkdir(parents=True)
    for split, text in texts.items():
        (folder / f"{language}-ud-{split}.conllu").write_text(text, encoding="utf-8")
    return folder


def sentence(sent_id: str, *words: tuple[str, str, str, str]) -> str:
    """A sentence of (form, lemma, UPOS, FEATS)."""
    rows = [
        f"{place}\t{form}\t{lemma}\t{upos}\t_\t{feats}\t{place - 1}\tdep\t_\t_"
        for place, (form, lemma, upos, feats) in enumerate(words, 1)
    ]
    return "\n".join([f"# sent_id = {sent_id}", *rows]) + "\n\n"


def random_text(seed: int, sentences: int = 60, prefix: str = "s") -> str:
    rng = np.random.default_rng(seed)
    upos = ["NOUN", "VERB", "ADJ", "PUNCT"]
    feats = ["Number=Sing", "Number=Plur", "Gender=Fem|Number=Sing", "Tense=Past|VerbForm=Part", "_"]
    return "".join(
        sentence(
            f"{prefix}{index}",
            *(
                (f"Form{lemma}", "_" if lemma < 3 else f"lemma{lemma}", upos[lemma % 4], feats[rng.integers(5)])
                for lemma in rng.zipf(1.4, size=12) % 80
            ),
        )
        for index in range(sentences)
    )


def row_of(frame: pd.DataFrame, form: str) -> pd.Series:
    return frame[frame["form"] == form].iloc[0]


@pytest.fixture
def good(tmp_path: Path) -> pd.DataFrame:
    """The fixture's words, with enough lemmas to split by."""
    treebank(tmp_path, "hi", "UD_Hindi", train=GOOD.read_text(encoding="utf-8"), dev=random_text(0))
    return read_words(tmp_path, "hi", ["UD_Hindi"], sections.words(), "fail").frame()


def test_rows_are_the_surface_words_in_reading_order(good: pd.DataFrame) -> None:
    head = good.iloc[:10]
    assert list(head["form"]) == ["vámonos", "al", "mar", ".", "Ana", "come", "y", "Eva", "agua", "New York"]
    assert list(head["sent_id"]) == ["s1"] * 4 + ["s2"] * 5 + ["s3"]
    assert list(head["sentence"]) == [0] * 4 + [1] * 5 + [2]
    assert list(head["position"]) == [*range(4), *range(5), 0]
    assert list(head["space_after"]) == [True, True, False, True, True, True, True, True, False, True]
    assert set(head["file"]) == {"hi-ud-train.conllu"}
    assert good["sentence"].iloc[-1] == 62


def test_a_range_keeps_attributes_that_one_part_has(good: pd.DataFrame) -> None:
    row = row_of(good, "vámonos")
    assert (row["lemma"], row["upos"], row["unimorph"]) == ("_", "_", "_")
    # Part of speech, number and person stand on both parts, which agree even; the pronoun's case is a disjunction.
    assert row[list(dimensions())].dropna().to_dict() == {"Finiteness": "FIN", "Mood": "IMP"}
    contraction = row_of(good, "al")[list(dimensions())].dropna().to_dict()
    assert contraction == {"Definiteness": "DEF", "Gender and Noun Class": "MASC", "Number": "SG"}


def test_an_ordinary_word_has_its_own_tags_and_attributes(good: pd.DataFrame) -> None:
    row = row_of(good, "mar")
    assert (row["lemma"], row["upos"], row["unimorph"]) == ("mar", "NOUN", "N;MASC;SG")
    assert row[list(dimensions())].dropna().to_dict() == {
        "Gender and Noun Class": "MASC", "Number": "SG", "Part of Speech": "N",
    }  # fmt: skip
    assert row_of(good, ".")[list(dimensions())].isna().all()


def test_the_table_passes_its_schema_and_comes_back(good: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("one", "two"):
        words_artefact.TABLE.write_frames([good], tmp_path / f"{name}.parquet")
    back = words_artefact.TABLE.read(tmp_path / "one.parquet")
    pd.testing.assert_frame_equal(back.astype("object"), good[back.columns].astype("object"), check_dtype=False)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_table_written_piece_by_piece_is_the_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    treebank(tmp_path, "hi", "UD_Hindi", train=GOOD.read_text(encoding="utf-8"), dev=random_text(0))
    whole = read_words(tmp_path, "hi", ["UD_Hindi"], sections.words(min_lemma_count=2), "fail")
    monkeypatch.setattr("polyprobe.treebanks.words._CHUNK", 101)
    frames = list(whole.frames())
    assert [len(frame) for frame in frames] == [101] * (len(whole) // 101) + [len(whole) % 101]
    words_artefact.TABLE.write_frames(whole.frames(), tmp_path / "words.parquet")
    back = words_artefact.TABLE.read(tmp_path / "words.parquet")
    pd.testing.assert_frame_equal(back.astype("object"), whole.frame().astype("object"), check_dtype=False)
    pd.testing.assert_frame_equal(whole.labels(), whole.frame()[["split", *dimensions()]])


def test_files_are_read_as_train_dev_test_and_treebanks_in_the_order_given(tmp_path: Path) -> None:
    texts = {split: random_text(place, 5) for place, split in enumerate(("test", "dev", "train"))}
    treebank(tmp_path, "hi", "UD_B", **texts)
    treebank(tmp_path, "hi", "UD_A", **texts)
    frame = read_words(tmp_path, "hi", ["UD_B", "UD_A"], sections.words(), "fail").frame()
    files = list(dict.fromkeys(zip(frame["treebank"], frame["file"], strict=True)))
    assert files == [(name, f"hi-ud-{split}.conllu") for name in ("UD_B", "UD_A") for split in ("train", "dev", "test")]


def test_no_lemma_is_in_two_splits_and_every_word_is_in_one(good: pd.DataFrame) -> None:
    keys = [lemma_key(lemma, form) for lemma, form in zip(good["lemma"], good["form"], strict=True)]
    assert good.groupby(keys)["split"].nunique().max() == 1
    assert set(good["split"]) == set(SPLITS)
    # Words without a lemma go by their lowercased form, not all into one split.
    assert lemma_key("_", "Form1") == "form1"


def test_neither_files_nor_their_order_change_the_split(tmp_path: Path) -> None:
    first, second = random_text(0, prefix="a"), random_text(1, prefix="b")
    splits = []
    for name, texts in {"one": (first, second), "two": (second, first)}.items():
        treebank(tmp_path / name, "hi", "UD_Hindi", train=texts[0], test=texts[1])
        frame = read_words(tmp_path / name, "hi", ["UD_Hindi"], sections.words(), "fail").frame()
        splits.append(dict(zip(zip(frame["lemma"], frame["form"], strict=True), frame["split"], strict=True)))
    treebank(tmp_path / "three", "hi", "UD_Hindi", test=first + second)
    frame = read_words(tmp_path / "three", "hi", ["UD_Hindi"], sections.words(), "fail").frame()
    splits.append(dict(zip(zip(frame["lemma"], frame["form"], strict=True), frame["split"], strict=True)))
    assert splits[0] == splits[1] == splits[2]


@pytest.mark.parametrize("number", [11, 12, 19, 100, 1234])
def test_the_split_is_80_10_10_of_the_unique_lemmas(number: int) -> None:
    lemmas = [f"lemma{index}" for index in range(number)]
    split = split_lemmas(lemmas * 3, seed=1, where="")
    counts = Counter(split.values())
    assert sum(counts.values()) == number
    for name, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        assert abs(counts[name] - share * number) <= 1
    assert split == split_lemmas(reversed(lemmas), seed=1, where="")
    assert number < 100 or split != split_lemmas(lemmas, seed=2, where="")


def test_ten_lemmas_are_too_few() -> None:
    with pytest.raises(BadInputError, match="UD_X: 10 lemmas, expected more than 10 to split by"):
        split_lemmas(map(str, range(10)), seed=0, where="UD_X")


def test_words_of_rare_lemmas_keep_their_row_but_lose_their_labels(tmp_path: Path) -> None:
    treebank(tmp_path, "hi", "UD_Hindi", train=random_text(0))
    every = read_words(tmp_path, "hi", ["UD_Hindi"], sections.words(), "fail").frame()
    some = read_words(tmp_path, "hi", ["UD_Hindi"], sections.words(min_lemma_count=8), "fail").frame()
    keys = [lemma_key(lemma, form) for lemma, form in zip(every["lemma"], every["form"], strict=True)]
    rare = np.array([Counter(keys)[key] < 8 for key in keys])
    assert rare.any()
    assert not rare.all()
    columns = [name for name in every.columns if name not in dimensions()]
    pd.testing.assert_frame_equal(every[columns], some[columns])
    labels = list(dimensions())
    assert some.loc[rare, labels].isna().all(axis=None)
    pd.testing.assert_frame_equal(every.loc[~rare, labels].astype("object"), some.loc[~rare, labels].astype("object"))
    words_artefact.TABLE.write_frames([some], tmp_path / "some.parquet")


def test_a_word_without_a_form_keeps_its_row_but_has_no_labels(tmp_path: Path) -> None:
    known = [("Ana", "Ana", "PROPN", "Number=Sing"), ("come", "comer", "VERB", "Number=Sing")]
    text = random_text(0) + sentence("partly", *known, ("_", "pan", "NOUN", "Number=Sing"))
    treebank(tmp_path, "hi", "UD_Hindi", train=text + sentence("wholly", *[("_", "_", "NOUN", "Number=Sing")] * 2))
    table = read_words(tmp_path, "hi", ["UD_Hindi"], sections.words(), "fail")
    rows = table.frame()[lambda frame: frame["sent_id"] == "partly"]
    assert list(rows["form"]) == ["Ana", "come", "_"]
    assert list(rows["Number"].notna()) == [True, True, False]
    assert rows.iloc[2][list(dimensions())].isna().all()
    assert "wholly" not in set(table.frame()["sent_id"])
    assert table.withheld == ["wholly"]
    assert table.skipped == []


def test_rare_lemmas() -> None:
    assert rare_lemmas(["a", "b", "a", "c"], [1, 1, 1, 3], 2) == {"b"}
    assert rare_lemmas(["a", "b"], [1, 1], 0) == set()


def slow_survivors(labels: list[str | None], splits: list[str], minimum: int) -> list[str]:
    values = sorted({label for label in labels if label is not None})
    return [
        value
        for value in values
        if all(
            sum(1 for label, split in zip(labels, splits, strict=True) if (label, split) == (value, name)) >= minimum
            for name in SPLITS
        )
    ]


@pytest.mark.parametrize("kind", ["object", "category"])
@pytest.mark.parametrize("seed", range(8))
def test_survival_equals_the_obvious_rule(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    labels = [None if value == 0 else f"V{value}" for value in rng.integers(0, 6, 300)]
    splits = [str(split) for split in rng.choice(SPLITS, 300, p=[0.8, 0.1, 0.1])]
    for minimum in (1, 4, 6, 100):
        found = surviving_values(pd.Series(labels, dtype=kind), pd.Series(splits, dtype=kind), minimum)
        assert found == slow_survivors(labels, splits, minimum)


def test_survival_of_nothing() -> None:
    empty = pd.Series([None, None], dtype="object")
    assert surviving_values(empty, pd.Series(["train", "dev"]), 1) == []
    assert label_counts(empty, pd.Series(["train", "dev"])).shape == (0, 3)
    assert surviving_values(pd.Series(["A", "A"]), pd.Series(["train", "dev"]), 1) == []


def test_inventory_says_what_is_probed_and_why_not() -> None:
    splits = [split for split in SPLITS for _ in range(6)]
    words = pd.DataFrame({name: pd.Series([None] * 18, dtype="object") for name in dimensions()})
    words["split"] = splits
    words["Number"] = ["SG", "SG", "PL", "PL", None, "DU"] * 3
    words["Case"] = ["NOM", "NOM", "ACC", None, None, None] * 3
    words["Mood"] = ["IND", *[None] * 17]
    mood, number, case = (
        next(entry for entry in inventory("hi", words, 2) if entry["category"] == name)
        for name in ("Mood", "Number", "Case")
    )
    assert [entry["category"] for entry in inventory("hi", words, 2)] == ["Case", "Mood", "Number"]
    assert number == {
        "language": "hi", "category": "Number", "probed": True, "reason": None,
        "words": {"train": 5, "dev": 5, "test": 5},
        "values": {"DU": {"train": 1, "dev": 1, "test": 1}, "PL": {"train": 2, "dev": 2, "test": 2},
                   "SG": {"train": 2, "dev": 2, "test": 2}},
    }  # fmt: skip
    needed = "has 2 words in each of train, dev and test; two values are needed"
    assert (case["probed"], case["reason"]) == (False, f"only NOM {needed}")
    assert (mood["probed"], mood["reason"]) == (False, f"no value {needed}")
    assert mood["words"] == {"train": 1, "dev": 0, "test": 0}


def test_parallel_sentences_are_those_of_every_language_in_the_first_ones_order(tmp_path: Path) -> None:
    def text(*ids: str) -> str:
        return "".join(sentence(name, (f"word-{name}", "_", "X", "_")) for name in ids)

    sides = {"en": text("c", "a", "b", "d"), "fr": text("a", "d", "c", "x"), "hi": text("d", "c", "a")}
    for language, content in sides.items():
        treebank(tmp_path, language, f"UD_{language}-PUD", test=content)
    folders = {language: f"UD_{language}-PUD" for language in sides}

    def table(treebanks: dict[str, str], most: int) -> pd.DataFrame:
        given = sections.parallel(folders=treebanks, max_pairs=most)
        return parallel_table(tmp_path, given, {}, [*treebanks], "en", "fail")

    frame = table(folders, 10)
    assert list(frame["language"]) == ["en"] * 3 + ["fr"] * 3 + ["hi"] * 3
    for _, side in frame.groupby("language"):
        assert list(side["sent_id"]) == ["c", "a", "d"]
        assert list(side["pair"]) == [0, 1, 2]
        assert list(side["text"]) == ["word-c", "word-a", "word-d"]
    assert table(folders, 2)["sent_id"].unique().tolist() == ["c", "a"]
    assert len(table({}, 2)) == 0
    treebank(tmp_path, "ta", "UD_ta-PUD", test=text("z"))
    with pytest.raises(BadInputError, match="no sent_id is there in all of UD_en-PUD, UD_ta-PUD"):
        table({"en": "UD_en-PUD", "ta": "UD_ta-PUD"}, 2)


def slow_rows(sentences: list[Sentence], language: str) -> list[tuple[str, str, dict[str, str]]]:
    """Form, tags and attributes word by word, from the ids alone."""
    rows = []
    for item in sentences:
        by_id = {token.id: token for token in item.tokens}
        covered = {
            str(number)
            for token in item.tokens
            if token.is_range
            for number in range(int(token.id.split("-")[0]), int(token.id.split("-")[1]) + 1)
        }
        for token in item.tokens:
            if token.is_empty or token.id in covered:
                continue
            tags = to_unimorph(token.upos, token.feats, language, token.form)
            held = attributes(tags)
            if token.is_range:
                start, end = map(int, token.id.split("-"))
                parts = [by_id[str(number)] for number in range(start, end + 1)]
                of_parts = [attributes(to_unimorph(part.upos, part.feats, language, part.form)) for part in parts]
                held = {
                    name: next(part[name] for part in of_parts if name in part)
                    for name in dimensions()
                    if sum(name in part for part in of_parts) == 1
                }
            rows.append((token.form, ";".join(tags) or "_", held))
    return rows


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif("POLYPROBE_DATA" not in os.environ, reason="POLYPROBE_DATA names no treebanks")
def test_words_of_real_treebanks_equal_a_slow_obvious_reading(tmp_path: Path) -> None:
    for language, name in (("mr", "UD_Marathi"), ("ta", "UD_Tamil"), ("pt", "UD_Portuguese")):
        source = Path(os.environ["POLYPROBE_DATA"]) / "ud-treebanks-v2.1" / name
        files = {split: file for split in ("train", "test") for file in source.glob(f"*-ud-{split}.conllu")}
        treebank(tmp_path, language, name, **{split: file.read_text("utf-8") for split, file in files.items()})
        frame = read_words(tmp_path, language, [name], sections.words(), "fail").frame()
        slow = slow_rows([item for file in files.values() for item in read_sentences(file)], language)
        assert list(frame["form"]) == [form for form, _, _ in slow]
        assert list(frame["unimorph"]) == [tags for _, tags, _ in slow]
        for dimension in dimensions():
            labels = frame[dimension].astype("object")
            expected = pd.Series([held.get(dimension) for _, _, held in slow], dtype="object")
            assert labels.where(labels.notna(), None).tolist() == expected.where(expected.notna(), None).tolist()
