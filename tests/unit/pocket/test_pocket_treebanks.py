"""The generated treebanks: UD's rules up to level 2, alignment, determinism, what probing needs."""

import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import conllu
import numpy as np
import pytest

from polyprobe.languages import language
from polyprobe.pocket import TYPOLOGIES, write_treebanks
from polyprobe.pocket.concepts import inventory
from polyprobe.running.errors import BadInputError
from polyprobe.study import Pocket

CODES = list(TYPOLOGIES)
UPOS = set(re.findall("[A-Z]+", "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"))
RELATIONS = set(
    re.findall(
        "[a-z]+",
        """acl advcl advmod amod appos aux case cc ccomp clf compound conj cop csubj dep det discourse dislocated expl
        fixed flat goeswith iobj list mark nmod nsubj nummod obj obl orphan parataxis punct reparandum root vocative
        xcomp""",
    )
)


def _settings(**treebank: int) -> Pocket:
    sizes = {"train": 160, "dev": 20, "test": 20, "parallel": 40} | treebank
    tasks = {"train": 60, "dev": 9, "test": 15}
    return Pocket.model_validate({"seed": 0, "treebank": sizes, "nli": tasks, "pos": tasks})


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("treebanks")
    write_treebanks(target, CODES, _settings())
    return target


def _write_in_a_fresh_process(folder: Path, settings: Pocket) -> None:
    """Large texts are written without the run-time checks of types, which take several times the work's own time."""
    script = "import sys; from pathlib import Path; from polyprobe.pocket import TYPOLOGIES, write_treebanks; "
    script += "from polyprobe.study import Pocket; "
    script += "write_treebanks(Path(sys.argv[1]), [*TYPOLOGIES], Pocket.model_validate_json(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", script, str(folder), settings.model_dump_json()], check=True)


def _path(folder: Path, code: str, split: str = "train") -> Path:
    return folder / f"UD_{language(code).name}-Pocket" / f"{code}_pocket-ud-{split}.conllu"


def _parallel(folder: Path, code: str) -> conllu.models.SentenceList:
    path = folder / f"UD_{language(code).name}-PUD" / f"{code}_pud-ud-test.conllu"
    return conllu.parse(path.read_text(encoding="utf-8"))


def _problems(text: str) -> list[str]:
    """What breaks a rule of UD's validation at levels 1 and 2, by another road than the writer's."""
    problems: list[str] = []
    if not text.endswith("\n\n") or "\r" in text or "\n\n\n" in text:
        problems.append("blank lines")
    seen = set()
    for block in text.rstrip("\n").split("\n\n"):
        lines = block.split("\n")
        comments = [line for line in lines if line.startswith("#")]
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
        identifiers = [line.removeprefix("# sent_id = ") for line in comments if line.startswith("# sent_id = ")]
        texts = [line.removeprefix("# text = ") for line in comments if line.startswith("# text = ")]
        if len(identifiers) != 1 or len(texts) != 1 or identifiers[0] in seen:
            problems.append(f"comments: {comments}")
        seen.update(identifiers)
        if any(len(row) != 10 or any(not cell or cell != cell.strip() for cell in row) for row in rows):
            problems.append(f"columns: {identifiers}")
            continue
        if [row[0] for row in rows] != [str(number) for number in range(1, len(rows) + 1)]:
            problems.append(f"ids: {identifiers}")
        heads = [int(row[6]) for row in rows]
        if [row[7] for row in rows].count("root") != 1 or [row[7] == "root" for row in rows] != [h == 0 for h in heads]:
            problems.append(f"root: {identifiers}")
        for position in range(1, len(rows) + 1):
            steps, node = 0, position
            while node and steps <= len(rows):
                node, steps = heads[node - 1], steps + 1
            if node:
                problems.append(f"cycle: {identifiers}")
        arcs = [(min(n, head), max(n, head)) for n, head in enumerate(heads, start=1)]
        if any(a < c < b < d for a, b in arcs for c, d in arcs):
            problems.append(f"projectivity: {identifiers}")
        written = ""
        for row in rows:
            _, form, lemma, upos, xpos, feats, head, relation, deps, misc = row
            written += form + ("" if misc == "SpaceAfter=No" else " ")
            items = [] if feats == "_" else feats.split("|")
            if " " in form or " " in lemma or lemma == "_" or upos not in UPOS or relation not in RELATIONS:
                problems.append(f"cell: {row}")
            if items != sorted(items, key=str.lower) or len({item.split("=")[0] for item in items}) != len(items):
                problems.append(f"feats: {row}")
            if not all(re.fullmatch(r"[A-Z][A-Za-z0-9]*=[A-Z0-9][a-zA-Z0-9]*", item) for item in items):
                problems.append(f"feats: {row}")
            if misc not in ("_", "SpaceAfter=No") or xpos != "_" or deps != "_":
                problems.append(f"misc: {row}")
            if head != "0" and rows[int(head) - 1][3] == "PUNCT":
                problems.append(f"child of punctuation: {row}")
            if (upos == "PUNCT") != (relation == "punct") or (relation == "case" and upos != "ADP"):
                problems.append(f"relation: {row}")
            if (relation == "cop") != (upos == "AUX") or (relation in ("det", "cc", "mark", "nummod")) != (
                upos in ("DET", "CCONJ", "SCONJ", "NUM")
            ):
                problems.append(f"relation: {row}")
        if written.rstrip() != texts[0]:
            problems.append(f"text: {identifiers}")
    return problems


def test_every_file_obeys_uds_rules(folder: Path) -> None:
    files = sorted(folder.rglob("*.conllu"))
    assert len(files) == 4 * len(CODES)
    for path in files:
        assert _problems(path.read_text(encoding="utf-8")) == []


def test_the_checker_finds_defects(folder: Path) -> None:
    text = _path(folder, "qaa", "dev").read_text(encoding="utf-8")
    for old, new in (
        ("\troot\t", "\tnsubj\t"),
        ("\tNOUN\t", "\tNOUNS\t"),
        ("\n2\t", "\n3\t"),
        ("# text = ", "# text = x"),
    ):
        assert _problems(text.replace(old, new, 1))


def test_sizes_and_layout(folder: Path) -> None:
    for code in CODES:
        for split, count in (("train", 160), ("dev", 20), ("test", 20)):
            sentences = conllu.parse(_path(folder, code, split).read_text(encoding="utf-8"))
            assert len(sentences) == count
            assert "newdoc id" in sentences[0].metadata
        for name in ("Pocket", "PUD"):
            target = folder / f"UD_{language(code).name}-{name}"
            assert (target / "LICENSE.txt").stat().st_size
            assert (target / "README.md").stat().st_size


def test_documents_hold_four_to_eight_sentences(folder: Path) -> None:
    for code in CODES:
        sizes = re.split(r"^# newdoc id.*$", _path(folder, code).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
        counts = [document.count("# sent_id") for document in sizes]
        assert all(4 <= count <= 8 for count in counts[:-1])


def test_words_recur_within_a_document(folder: Path) -> None:
    for code in CODES:
        documents: list[list[set[str]]] = []
        for sentence in conllu.parse(_path(folder, code).read_text(encoding="utf-8")):
            if "newdoc id" in sentence.metadata:
                documents.append([])
            documents[-1].append({token["lemma"] for token in sentence if token["upos"] in ("NOUN", "VERB", "ADJ")})
        later = [(word, i, j) for i, doc in enumerate(documents) for j in range(1, len(doc)) for word in doc[j]]
        within = sum(any(word in said for said in documents[i][:j]) for word, i, j in later)
        elsewhere = sum(any(word in said for said in documents[i - 1][:j]) for word, i, j in later)
        assert within / len(later) > 0.5
        assert within > 3 * elsewhere


def test_parallel_sentences_say_the_same(folder: Path) -> None:
    per_language = {code: _parallel(folder, code) for code in CODES}
    identifiers = [[sentence.metadata["sent_id"] for sentence in sentences] for sentences in per_language.values()]
    assert all(ids == identifiers[0] for ids in identifiers)
    assert len(set(identifiers[0])) == 40
    for sentences in zip(*per_language.values(), strict=True):
        for upos in ("NOUN", "VERB", "ADJ", "ADV", "PROPN", "INTJ", "NUM", "PRON"):
            assert len({sum(token["upos"] == upos for token in sentence) for sentence in sentences}) == 1
        names = [sorted(t["form"] for t in sentence if t["upos"] == "PROPN") for sentence in sentences]
        assert all(name == names[0] for name in names)
        negated = [
            sum("Neg" in (token["feats"] or {}).get("Polarity", "") for token in sentence) for sentence in sentences
        ]
        assert len(set(negated)) == 1


def test_parallel_lemmas_translate_one_to_one(folder: Path) -> None:
    """A language's lemma always stands where one and the same lemma of another stands, in trees of the same shape."""
    translation: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    source = _parallel(folder, "qaa")
    for code in CODES[1:]:
        for ours, theirs in zip(source, _parallel(folder, code), strict=True):
            for relation in ("nsubj", "obj", "obl"):
                a, b = (
                    [t for t in sentence if t["deprel"] == relation and t["upos"] == "NOUN"]
                    for sentence in (ours, theirs)
                )
                if len(a) == len(b) == 1:
                    translation[code, relation, a[0]["lemma"]].add(b[0]["lemma"])
    assert len(translation) > 100
    assert all(len(lemmas) == 1 for lemmas in translation.values())


def test_only_names_digits_and_punctuation_are_shared(folder: Path) -> None:
    forms = {}
    for code in CODES:
        sentences = conllu.parse(_path(folder, code).read_text(encoding="utf-8"))
        forms[code] = {token["form"] for sentence in sentences for token in sentence}
    for a in CODES:
        for b in CODES:
            if a < b:
                shared = {form for form in forms[a] & forms[b] if form.isalpha()}
                assert shared <= set(inventory().names)
                assert shared


def test_noun_phrases_and_verbs_agree(folder: Path) -> None:
    for code in CODES:
        grammar = TYPOLOGIES[code]
        for sentence in conllu.parse(_path(folder, code).read_text(encoding="utf-8")):
            by_id = {token["id"]: token for token in sentence}
            for token in sentence:
                head, feats = by_id.get(token["head"]), token["feats"] or {}
                if token["deprel"] in ("amod", "det") and grammar.adjective_agreement:
                    assert head is not None
                    for feature in ("Gender", "Number", "Case"):
                        assert feats.get(feature) == (head["feats"] or {}).get(feature)
                if token["deprel"] == "nsubj" and head is not None and grammar.agreement == "person":
                    verb = next((t for t in sentence if t["head"] == head["id"] and t["deprel"] == "cop"), head)
                    assert verb["feats"]["Number"] == feats["Number"]
                    assert verb["feats"]["Person"] == feats.get("Person", "3")


def test_order_is_the_grammars(folder: Path) -> None:
    for code in CODES:
        grammar = TYPOLOGIES[code]
        for sentence in conllu.parse(_path(folder, code).read_text(encoding="utf-8")):
            for token in sentence:
                side = "before" if token["id"] < token["head"] else "after"
                if token["deprel"] == "amod":
                    assert side == grammar.adjective
                if token["deprel"] == "case":
                    assert side == grammar.adposition
                if token["deprel"] == "nummod":
                    assert side == grammar.numeral
                if token["deprel"] == "nsubj" and token["head"]:
                    assert side == ("after" if grammar.order == "VSO" else "before")
                if token["deprel"] == "obj":
                    assert side == ("before" if grammar.order == "SOV" else "after")


def test_every_language_has_enough_words_of_each_label_in_every_lemma_split(tmp_path: Path) -> None:
    """At a third of the pocket study's size, two values of Number and of Gender survive the rule of Appendix A.2."""
    _write_in_a_fresh_process(tmp_path, _settings(train=2000))
    for code in CODES:
        text = "".join(_path(tmp_path, code, split).read_text(encoding="utf-8") for split in ("train", "dev", "test"))
        rows = [line.split("\t") for line in text.splitlines() if line[:1].isdigit()]
        lemmas = sorted({row[2] for row in rows})
        shuffled = np.random.default_rng(0).permutation(len(lemmas))
        split_of = {lemmas[lemma]: min(2, max(0, rank * 10 // len(lemmas) - 7)) for rank, lemma in enumerate(shuffled)}
        counts: Counter[tuple[str, str, int]] = Counter()
        for row in rows:
            counts["UPOS", row[3], split_of[row[2]]] += 1
            items = (item.split("=") for item in row[5].split("|") if item != "_")
            counts.update((name, value, split_of[row[2]]) for name, value in items)
        for category in ("UPOS", "Number", *(["Gender"] if TYPOLOGIES[code].genders else [])):
            values = {value for name, value, _ in counts if name == category}
            enough = [value for value in values if all(counts[category, value, split] >= 20 for split in range(3))]
            assert len(enough) >= 2, (code, category)


def test_a_second_call_writes_the_same_bytes_and_languages_do_not_depend_on_each_other(
    folder: Path, tmp_path: Path
) -> None:
    write_treebanks(tmp_path, ["qae", "qab"], _settings())
    first = _files(folder)
    again = _files(tmp_path)
    assert len(again) == 2 * 8
    assert all(first[name] == content for name, content in again.items())


def test_a_language_without_a_grammar_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no mini-language has the code 'en', expected qaa, qab, qac"):
        write_treebanks(tmp_path, ["qaa", "en"], _settings())
    assert not list(tmp_path.iterdir())


def test_another_seed_gives_another_text(folder: Path, tmp_path: Path) -> None:
    write_treebanks(tmp_path, ["qaa"], _settings().model_copy(update={"seed": 1}))
    assert _path(tmp_path, "qaa").read_bytes() != _path(folder, "qaa").read_bytes()


def test_training_text_does_not_depend_on_the_other_sizes(folder: Path, tmp_path: Path) -> None:
    write_treebanks(tmp_path, ["qaa"], _settings(dev=7, parallel=5))
    assert _path(tmp_path, "qaa").read_bytes() == _path(folder, "qaa").read_bytes()
