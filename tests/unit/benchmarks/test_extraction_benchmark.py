"""The benchmark of extraction runs, and its embeddings equal the plain loop's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize("source", ["synthetic", "treebanks"])
def test_the_tiny_benchmark_runs(source: str, tmp_path: Path) -> None:
    options = ["--tiny"]
    if source == "treebanks":
        words = "".join(f"{number}\tword\tword\tNOUN\t_\t_\t0\troot\t_\t_\n" for number in range(1, 6))
        for name in ("UD_One", "UD_Two"):
            (tmp_path / name).mkdir()
            blocks = [f"# sent_id = {number}\n{words}\n" for number in range(30)]
            (tmp_path / name / "xx-ud-test.conllu").write_text("".join(blocks), encoding="utf-8")
        options += ["--treebanks", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "extraction.py", *options],
        check=True, capture_output=True, text=True,
        env=os.environ | {"POLYPROBE_DEVICE": "cpu", "POLYPROBE_THREADS": "1"},
    )  # fmt: skip
    assert "bloom-tiny, layers 2, 3: 20 sentences" in done.stdout
    assert re.search(r"^plain loop, float32: \d+\.\d words per second$", done.stdout, re.MULTILINE)
    assert re.search(r"^word_embeddings, float32: .* \(\d+%\); farthest from", done.stdout, re.MULTILINE)
    assert re.search(r"^ratio: \d+\.\d$", done.stdout, re.MULTILINE)
