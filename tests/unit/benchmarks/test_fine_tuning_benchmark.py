"""The benchmark of fine-tuning runs and says what it measured."""

import os
import re
import subprocess
import sys

import pytest

from support import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.slow
def test_the_tiny_benchmark_runs() -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "fine_tuning.py", "--tiny", "--device", "cpu", "--steps", "2"],
        check=True, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert "bloom-tiny, nf4, 64 pairs" in done.stdout
    for recipe in ("plain", "ours"):
        assert re.search(
            rf"^{recipe}, batch 8 x 4: \d+\.\d+ pairs per second, .* loss 1\.\d+ ", done.stdout, re.MULTILINE
        )
    assert re.search(r"^ratio: \d+\.\d$", done.stdout, re.MULTILINE)
