"""The example notebook runs on the tables that git holds, says what they say, and shows the same bytes each time."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from polyprobe.artefacts import correlation, overlap, predictors
from support import ROOT, synthetic_study

EXAMPLE = Path("docs/example.ipynb")
SIZE = 300_000
CONFIG = "docs/nbconvert.json"
OPTIONS = ("--to", "notebook", "--execute", "--inplace")
COMMAND = f"jupyter nbconvert --config {CONFIG} {' '.join(OPTIONS)} {EXAMPLE}"


def test_the_readme_says_how_to_run_it() -> None:
    assert f"`{COMMAND}`" in (ROOT / "README.md").read_text(encoding="utf-8")


def convert(folder: Path, notebook: Path, **environment: str) -> None:
    """Runs a notebook as the README does, from a folder."""
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--config", ROOT / CONFIG, *OPTIONS, notebook],
        cwd=folder, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def outputs(notebook: Path) -> dict[str, list[dict[str, Any]]]:
    """What each cell of code shows, by the cell's name."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: cell["outputs"] for cell in cells if cell["cell_type"] == "code"}


def said(notebook: Path, cell: str) -> str:
    """What a cell prints."""
    return "".join("".join(output["text"]) for output in outputs(notebook)[cell] if output["output_type"] == "stream")


def run_example(root: Path) -> Path:
    """Runs the example in a study's folder and checks that nothing went wrong."""
    notebook = root / EXAMPLE
    notebook.parent.mkdir(exist_ok=True)
    shutil.copy(ROOT / EXAMPLE, notebook)
    convert(root, EXAMPLE)
    for name, shown in outputs(notebook).items():
        assert [output for output in shown if output.get("name") == "stderr"] == [], name
    return notebook


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study in force as a fresh clone has it, without data/."""
    if not (ROOT / overlap.PAIRS.path).exists():
        pytest.skip("the study in force has not been run")
    root = tmp_path_factory.mktemp("clone")
    for folder in ("plots", "metrics"):
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copy(ROOT / "params.yaml", root)
    return root


@pytest.fixture(scope="module")
def example(clone: Path) -> Path:
    return run_example(clone)


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def last_checkpoints(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    steps: dict[str, tuple[int, str]] = {}
    for row in rows:
        if int(row["step"]) >= steps.get(row["model"], (-1, ""))[0]:
            steps[row["model"]] = int(row["step"]), row["checkpoint"]
    return {model: checkpoint for model, (_, checkpoint) in steps.items()}


def check_pairs(notebook: Path, root: Path) -> None:
    rows = [row for row in read(root / overlap.PAIRS.path)
            if row["studied"] == "True" and row["language_a"] != row["language_b"]]  # fmt: skip
    printed = said(notebook, "pairs-said")
    for model, checkpoint in last_checkpoints(rows).items():
        cells: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
        significant: dict[str, list[bool]] = defaultdict(list)
        for row in rows:
            if (row["model"], row["checkpoint"]) == (model, checkpoint):
                cells[row["control"]][row["language_a"], row["language_b"]].append(float(row["overlap"]))
                significant[row["control"]].append(row["significant"] == "True")
        averages = {pair: mean(found) for pair, found in cells["none"].items()}
        most = max(averages.values())
        leading = [" and ".join(pair) for pair, average in averages.items() if average >= most - 1e-9]
        assert any(f"{model}, {checkpoint}: {pair} share most, {most:.1%}" in printed for pair in leading)
        for control, labels in (("none", "true"), ("shuffled_labels", "shuffled")):
            if found := [value for values in cells[control].values() for value in values]:
                assert (
                    f"All pairs, {labels} labels: {mean(found):.1%} on average, "
                    f"significant in {sum(significant[control])} of {len(found)} cells."
                ) in printed


def check_training(notebook: Path, root: Path) -> None:
    curves: dict[tuple[str, str, str], dict[int, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in read(root / overlap.MEANS.path):
        if row["studied"] == "True":
            curves[row["model"], row["category"], row["control"]][int(row["step"])].append(row)

    def average(rows: list[dict[str, str]], column: str) -> float:
        return mean(float(row[column]) for row in rows)

    printed = said(notebook, "training-said")
    for (model, category, control), steps in curves.items():
        if control != "none":
            continue
        first, last = min(steps), max(steps)
        assert (
            f"{model}, {category}: {average(steps[first], 'overlap'):.1%} at step {first:,}, "
            f"{average(steps[last], 'overlap'):.1%} at step {last:,};"
        ) in printed
        if not any(row["low"] for row in steps[last]):
            continue
        low, high = (average(steps[last], end) for end in ("low", "high"))
        floors = {"chance": average(steps[last], "expected")}
        if null := curves.get((model, category, "shuffled_labels")):
            floors["shuffled"] = average(null[last], "overlap")
        exceeded = " and ".join(name for name, floor in floors.items() if low > floor)
        told = f"lies above {exceeded}" if exceeded else "reaches down to chance"
        assert f"its interval, {low:.1%} to {high:.1%}, {told}." in printed


def check_correlation(notebook: Path, root: Path) -> None:
    partial = {
        (row["model"], row["task"], row["aggregation"]): row
        for row in read(root / predictors.TABLE.path)
        if row["predictor"] == "overlap"
    }
    printed = said(notebook, "answer")
    for cell in correlation.TABLE.read(root / correlation.TABLE.path):
        if cell["category"] is not None:
            continue
        key = (cell["model"], cell["task"], cell["aggregation"])
        if cell["r"] is None:
            assert f"{', '.join(key)}: no r; {cell['note']}." in printed
            continue
        low, high = cell["interval"]
        line = f"{', '.join(key)}: r = {cell['r']:.2f} ({low:.2f} to {high:.2f}), permutation p"
        assert line in printed
        left = printed.partition(line)[2].splitlines()[1]
        given = partial[key]
        if given["low"]:
            low, high = float(given["low"]), float(given["high"])
            assert f"leave {float(given['partial']):.2f} ({low:.2f} to {high:.2f}) of it" in left
            assert ("so overlap says more" in left) == (low > 0)
        else:
            assert "cannot be told" in left


def test_the_answers_are_what_the_tables_say(clone: Path, example: Path) -> None:
    check_pairs(example, clone)
    check_training(example, clone)
    check_correlation(example, clone)


@pytest.mark.slow
def test_another_run_shows_the_same_bytes_wherever_it_starts(clone: Path, example: Path) -> None:
    before = example.read_bytes()
    convert(clone / EXAMPLE.parent, Path(EXAMPLE.name), PYTHONHASHSEED="7")
    assert example.read_bytes() == before
    assert str(clone) not in before.decode()


def test_what_is_committed_is_small_and_holds_no_trace_of_a_machine() -> None:
    text = (ROOT / EXAMPLE).read_text(encoding="utf-8")
    assert len(text) < SIZE
    without_images = re.sub(r'"image/png": "[^"]*"', "", text)
    assert re.findall(r"(?<![\w.])/(?:home|root|tmp|usr|opt|mnt|Users|work)/|0x[0-9a-f]{6,}", without_images) == []
    notebook = json.loads(text)
    assert notebook["metadata"] == {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(names) == len(set(names))
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    counts = [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1)), "not run from top to bottom"


def test_what_is_committed_is_of_the_committed_tables(example: Path) -> None:
    if (ROOT / "params.yaml").read_bytes() != (ROOT / "studies/pocket.yaml").read_bytes():
        pytest.skip("the study in force is not pocket")

    def without_images(notebook: Path) -> Any:
        # Pixels may differ between machines.
        return json.loads(re.sub(r'"image/png": "[^"]*"', '"image/png": ""', notebook.read_text(encoding="utf-8")))

    assert without_images(ROOT / EXAMPLE) == without_images(example), f"run {COMMAND}"


SMALL: dict[str, Any] = {"layers": (3,), "scan_layers": (3,), "categories": ("Part of Speech", "Number")}
OTHERS = {
    "two models": synthetic_study.Synthetic(
        languages=("en", "es", "ta"),
        source_language="en",
        steps={"560m": (1_000, 10_000, 100_000), "1b1": (1_000, 10_000, 100_000)},
        **SMALL,
    ),
    "one checkpoint, two languages, one task": synthetic_study.Synthetic(
        languages=("qaa", "qab"),
        steps={"pocket": (400,)},
        task_languages={"xnli": ("qaa",), "pos": ("qaa", "qab")},
        **SMALL,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("study", OTHERS.values(), ids=OTHERS)
def test_other_studies(study: synthetic_study.Synthetic, tmp_path: Path) -> None:
    synthetic_study.complete(tmp_path, study)
    (tmp_path / "params.yaml").write_text(synthetic_study.params(study).model_dump_json(), encoding="utf-8")
    if len(study.languages) == 2:
        # Without the control on shuffled labels, and without an interval, which takes three languages.
        pairs = overlap.PAIRS.read(tmp_path / overlap.PAIRS.path)
        means = overlap.MEANS.read(tmp_path / overlap.MEANS.path)
        overlap.PAIRS.write(pairs[pairs["control"] == "none"], tmp_path / overlap.PAIRS.path)
        means[["low", "high"]] = float("nan")
        overlap.MEANS.write(means[means["control"] == "none"], tmp_path / overlap.MEANS.path)
    notebook = run_example(tmp_path)
    check_pairs(notebook, tmp_path)
    check_training(notebook, tmp_path)
    check_correlation(notebook, tmp_path)
