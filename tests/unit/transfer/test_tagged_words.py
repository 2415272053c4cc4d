"""Words of UD's treebanks as XTREME has them, against hand cases and the obvious slow rule."""

import os
import random
from pathlib import Path

import pytest

from polyprobe.running.errors import BadInputError
from polyprobe.transfer.sources.tagged_words import _OTHER_RANKS, _RANKS, tagged_words
from polyprobe.transfer.tasks import pos

DATA = os.environ.get("POLYPROBE_DATA")

Row = tuple[str, str, str, str, str]
"""Identifier, form, tag, head, enhanced heads."""


def written(file: Path, *sentences: list[Row]) -> Path:
    blocks = [
        "".join(f"{number}\t{form}\t_\t{upos}\t_\t_\t{head}\t_\t{deps}\t_\n" for number, form, upos, head, deps in rows)
        for rows in sentences
    ]
    file.write_text("\n".join(blocks) + "\n", encoding="utf-8")
    return file


def rows(*lines: str) -> list[Row]:
    """`id form upos head [enhanced]`."""
    return [(*columns[:4], columns[4] if len(columns) > 4 else "_") for columns in map(str.split, lines)]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("language", "lines", "expected"),
    [
        # One part is higher than the other.
        ("fr", ("1-2 du _ _", "1 de ADP 3", "2 le DET 1", "3 vin NOUN 0"), "du/ADP vin/NOUN"),
        ("fr", ("1-2 du _ _", "1 de ADP 2", "2 le DET 3", "3 vin NOUN 0"), "du/DET vin/NOUN"),
        # Equally high: the language's order, then all others' order.
        ("fr", ("1-2 x _ _", "1 a DET 3", "2 b ADP 3", "3 c NOUN 0"), "x/ADP c/NOUN"),
        ("es", ("1-2 x _ _", "1 a NOUN 3", "2 b DET 3", "3 c NOUN 0"), "x/DET c/NOUN"),
        ("it", ("1-2 x _ _", "1 a PRON 3", "2 b ADV 3", "3 c NOUN 0"), "x/ADV c/NOUN"),
        ("ar", ("1-2 x _ _", "1 a PRON 3", "2 b NOUN 3", "3 c NOUN 0"), "x/NOUN c/NOUN"),
        ("ar", ("1-2 x _ _", "1 a CCONJ 3", "2 b ADP 3", "3 c NOUN 0"), "x/ADP c/NOUN"),
        # Tags that the order does not have come last, the first of them first.
        ("es", ("1-2 x _ _", "1 a NOUN 3", "2 b ADJ 3", "3 c NOUN 0"), "x/NOUN c/NOUN"),
        ("ar", ("1-2 x _ _", "1 a SYM 3", "2 b PUNCT 3", "3 c NOUN 0"), "x/PUNCT c/NOUN"),
        # The last word's own tag does not count, a lower part of a better rank neither.
        ("ar", ("1 a NOUN 0", "2-4 x _ _", "2 b CCONJ 1", "3 c VERB 2", "4 d ADP 1"), "a/NOUN x/ADP"),
        # Empty nodes are no words, and no ancestors.
        ("en", ("1 a VERB 0", "1.1 b VERB _ 1:conj", "2 c NOUN 1 1.1:obj|1:obj"), "a/VERB c/NOUN"),
        # Heads of the enhanced graph are ancestors too: the second part has one more here.
        ("es", ("1-2 x _ _", "1 a DET 3 3:x", "2 b VERB 3 3:x|4:y", "3 c NOUN 0 0:root", "4 d NOUN 3 3:z"),
         "x/DET c/NOUN d/NOUN"),
        # Spaces and zero-width non-joiners.
        ("fa", ("1 می\u200cرود VERB 0",), "میرود/VERB"),
    ],
)  # fmt: skip
def test_a_word_is_its_fused_form(tmp_path: Path, language: str, lines: tuple[str, ...], expected: str) -> None:
    [(words, tags)] = tagged_words(written(tmp_path / "x.conllu", rows(*lines)), language)
    assert " ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True)) == expected


def slowly(sentence: list[Row], language: str) -> list[tuple[str, str]]:
    """The rule, said as plainly as can be; the sentence is a tree."""
    tags = {int(number): upos for number, _, upos, _, _ in sentence if number.isdigit()}
    forms = {int(number): form for number, form, _, _, _ in sentence if number.isdigit()}
    heads = {int(number): int(head) for number, _, _, head, _ in sentence if number.isdigit()}
    ranges = [(number, form) for number, form, _, _, _ in sentence if "-" in number]

    def depth(node: int) -> int:
        return 0 if node == 0 else 1 + depth(heads[node])

    result = []
    for node in forms:
        inside = [(range(int(a), int(b) + 1), form) for number, form in ranges for a, b in [number.split("-")]
                  if int(a) <= node <= int(b)]  # fmt: skip
        if not inside:
            result.append((forms[node], tags[node]))
        elif node == inside[0][0][0]:
            parts = inside[0][0]
            top = [part for part in parts if depth(part) == min(map(depth, parts))]
            order = [*_RANKS.get(language, _OTHER_RANKS)]
            best = [tags[part] for tag in order for part in top if tags[part] == tag] + [tags[part] for part in top]
            result.append((inside[0][1], best[0]))
    return result


@pytest.mark.parametrize("language", ["ar", "es", "fr", "it"])
def test_random_trees_agree_with_the_slow_rule(tmp_path: Path, language: str) -> None:
    draw = random.Random(language)
    tags = [*_OTHER_RANKS, "SYM"]
    sentences = []
    for _ in range(200):
        size = draw.randint(1, 9)
        order = draw.sample(range(1, size + 1), size)
        heads = {node: draw.choice([0, *order[:place]][-3:]) for place, node in enumerate(order)}
        sentence: list[Row] = []
        node = 1
        while node <= size:
            last = min(size, node + draw.choice([0, 0, 1, 2]))
            if last > node:
                sentence.append((f"{node}-{last}", f"f{node}", "_", "_", "_"))
            sentence += [
                (str(each), f"w{each}", draw.choice(tags), str(heads[each]), "_") for each in range(node, last + 1)
            ]
            node = last + 1
        sentences.append(sentence)
    found = tagged_words(written(tmp_path / "x.conllu", *sentences), language)
    assert [[*zip(*each, strict=True)] for each in found] == [slowly(sentence, language) for sentence in sentences]


@pytest.mark.parametrize(
    ("forms", "kept"),
    [
        ("_", False),
        ("a", True),
        ("_ _", False),
        ("a _", False),
        ("a b", True),
        ("_ _ .", False),
        ("a _ .", True),
        ("_ _ . .", True),
        ("_ _ _ .", False),
    ],
)
def test_sentences_without_their_text_are_left_out(tmp_path: Path, forms: str, kept: bool) -> None:
    """XTREME keeps a sentence where no word is hidden, or fewer than all but one."""
    lines = [f"{number} {form} NOUN {number - 1}" for number, form in enumerate(forms.split(), 1)]
    found = list(tagged_words(written(tmp_path / "x.conllu", rows(*lines)), "en"))
    assert [words for words, _ in found] == ([forms.split()] if kept else [])


def test_a_range_far_beyond_the_last_word_ends_with_it(tmp_path: Path) -> None:
    """At once: its numbers are not counted through."""
    lines = rows("1-999999999999999 x _ _", "1 a NOUN 0", "2 b DET 1")
    assert list(tagged_words(written(tmp_path / "x.conllu", lines), "en")) == [(["x"], ["NOUN"])]


@pytest.mark.parametrize(
    "line",
    [
        "1\ta\t_\tNOUN\t_\t_\t0\t_\t_",
        "x\ta\t_\tNOUN\t_\t_\t0\t_\t_\t_",
        "1\ta\t_\tNOUN\t_\t_\tx\t_\t_\t_",
        "2-1" + "\t_" * 9,
        "0\ta\t_\tNOUN\t_\t_\t0\t_\t_\t_",
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "x.conllu"
    file.write_text(f"# c\n{line}\n\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"x\.conllu:2: expected the ten columns of CoNLL-U"):
        list(tagged_words(file, "en"))


@pytest.mark.real_data
@pytest.mark.skipif(not DATA, reason="POLYPROBE_DATA is not set")
@pytest.mark.parametrize(
    ("language", "treebank"),
    [
        ("mr", "Marathi"),
        ("ta", "Tamil"),
        *(
            pytest.param(*names, marks=pytest.mark.slow)
            for names in [("es", "Spanish"), ("eu", "Basque"), ("pt", "Portuguese")]
        ),
    ],
)
def test_real_words_are_xtremes(language: str, treebank: str) -> None:
    """XTREME's own files are of a later release: the same sentences, a few tags changed."""
    assert DATA is not None
    theirs = {example.texts: example.labels for example in pos.read(Path(DATA, f"udpos-mini/test-{language}.tsv"))}
    [file] = Path(DATA, f"ud-treebanks-v2.1/UD_{treebank}").glob("*-ud-dev.conllu")
    ours = list(tagged_words(file, language))
    assert [words for words, _ in ours if tuple(words) not in theirs] == []
    lines = (line.split("\t") for line in file.read_text(encoding="utf-8").splitlines())
    fused = {columns[1] for columns in lines if len(columns) == 10 and "-" in columns[0]}
    agree = [
        tag == wanted
        for words, tags in ours
        for word, tag, wanted in zip(words, tags, theirs[tuple(words)], strict=True)
        if word in fused
    ]
    assert sum(agree) >= 0.98 * len(agree)
