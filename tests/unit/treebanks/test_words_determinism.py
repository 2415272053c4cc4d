"""The words are the same for any listing order of the file system, any hash seed, one process or many."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT

CONVERSION = """
import random
from pathlib import Path

from polyprobe.stages.convert_unimorph import convert_unimorph
from polyprobe.stages.fetch_ud import fetch_ud
from polyprobe.study import load_study

ORDER = {order}
listed = Path.iterdir, Path.glob


def shuffled(entries):
    entries = sorted(entries)
    random.Random(ORDER).shuffle(entries)
    return iter(entries)


Path.iterdir = lambda self: shuffled(listed[0](self))
Path.glob = lambda self, *arguments, **options: shuffled(listed[1](self, *arguments, **options))
if __name__ == "__main__":
    study = load_study()
    fetch_ud(study)
    convert_unimorph(study)
"""


def treebank(folder: Path, code: str, seed: int) -> None:
    """Made-up words in six files, two of train: as many lemmas as make the split matter, tags that compete."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    upos, feats = ["NOUN", "VERB", "ADJ", "AUX"], ["Number=Sing", "Number=Plur", "VerbForm=Part|Tense=Past", "_"]
    for part in ("train-a", "train-b", "dev", "test"):
        lines = []
        for number in range(40):
            lines.append(f"# sent_id = {part}-{number}")
            for place in range(1, 9):
                lemma = rng.randrange(60)
                word = [str(place), f"w{lemma}", "_" if lemma < 5 else f"l{lemma}", rng.choice(upos), "_"]
                lines.append("\t".join([*word, rng.choice(feats), str(place - 1), "dep", "_", "_"]))
            lines.append("")
        (folder / f"{code}-ud-{part}.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "README.txt").write_text("License: CC0\n", encoding="utf-8")


def converted(folder: Path, order: int, hash_seed: str, workers: int) -> dict[str, bytes]:
    (folder / "run.py").write_text(CONVERSION.format(order=order), encoding="utf-8")
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "POLYPROBE_WORKERS": str(workers)}
    subprocess.run([sys.executable, "run.py"], cwd=folder, env=environment, check=True)
    outputs = [*(folder / "data").rglob("*"), *(folder / "metrics").rglob("*")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(outputs) if file.is_file()}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    text = (ROOT / "studies/pocket.yaml").read_text(encoding="utf-8")
    head, rest = text.split("treebanks:", 1)
    codes = ("qaa", "qab", "qac", "qad", "qae", "qaf")
    places = ", ".join(f"UD_{code}-{name}: ud/UD_{code}-{name}" for code in codes for name in ("A", "B"))
    head = head.replace("inputs: {}", f"inputs: {{{places}}}")
    folders = "\n".join(f"    {code}: [UD_{code}-A, UD_{code}-B]" for code in codes)
    section = "treebanks:\n  source: dir\n  release: null\n  archive: null\n"
    section += f"  folders:\n{folders}\n  on_error: fail\n"
    section += "parallel:\n  folders: {}\n  files: {}\n  max_pairs: 10\n  poolings: [mean]\n"
    (tmp_path / "params.yaml").write_text(f"{head}{section}pocket:{rest.split('pocket:', 1)[1]}", encoding="utf-8")
    for number, code in enumerate(codes):
        for name in ("A", "B"):
            treebank(tmp_path / f"ud/UD_{code}-{name}", code, 2 * number + (name == "B"))
    return tmp_path


@pytest.mark.slow
def test_neither_listing_order_nor_hash_seed_nor_workers_change_a_byte(study: Path) -> None:
    first = converted(study, order=0, hash_seed="0", workers=1)
    assert {"data/words/qaa.parquet", "metrics/corpus.json", "metrics/mapping.json", "metrics/treebanks.json"} <= set(
        first
    )
    for order, hash_seed, workers in ((1, "1", 1), (2, "2", 2), (3, "4294967295", 6)):
        assert converted(study, order, hash_seed, workers) == first
