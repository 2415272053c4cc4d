"""Bad input: one clear line that names file, line or key, exit code 1, and no output changed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.damage import contents
from support.tiny_project import Project, entry

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def damaged(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One copy for all cases: none of them may change an output."""
    path = tmp_path_factory.mktemp("damaged") / "project"
    shutil.copytree(finished.path, path, symlinks=True)
    return Project(path)


def in_params(old: str, new: str) -> Callable[[Project], None]:
    return lambda project: project.replace("params.yaml", old, new)


def remove_weights(project: Project) -> None:
    (project.path / "empty").mkdir()
    project.replace("params.yaml", "weights: data/pretrained/pocket/step-0,", "weights: empty,")


def name_a_checkpoint_twice(project: Project) -> None:
    manifests = project.path / "data/checkpoints"
    text = (manifests / "step-20.json").read_text(encoding="utf-8")
    (manifests / "twin.json").write_text(text.replace('"step-20"', '"twin"'), encoding="utf-8")
    in_params("\nduplicates:", f"  twin: {entry('x', 20)}\n\nduplicates:")(project)


def break_a_treebank(project: Project) -> None:
    file = project.path / "data/treebanks/qaa/UD_Avelan-Pocket/qaa_pocket-ud-dev.conllu"
    lines = file.read_text(encoding="utf-8").split("\n")
    place = next(place for place, line in enumerate(lines) if line.startswith("1\t"))
    lines[place] = lines[place].rsplit("\t", 1)[0]
    file.write_text("\n".join(lines), encoding="utf-8")


def tasks_on_disk(nli_line: str) -> Callable[[Project], None]:
    def write(project: Project) -> None:
        shutil.copytree(project.path / "data/tasks/xnli", project.path / "disk/xnli", dirs_exist_ok=True)
        shutil.copytree(project.path / "data/tasks/pos", project.path / "disk/udpos", dirs_exist_ok=True)
        file = project.path / "disk/xnli/test-qab.tsv"
        lines = file.read_text(encoding="utf-8").split("\n")
        lines[2] = nli_line
        file.write_text("\n".join(lines), encoding="utf-8")
        in_params("transfer:\n  source: pocket", "transfer:\n  source: dir")(project)
        in_params("inputs: {}", "inputs: {xnli: disk/xnli, udpos: disk/udpos}")(project)
        in_params("xnli:\n    folder: null", "xnli:\n    folder: xnli")(project)
        in_params("pos:\n    folder: null", "pos:\n    folder: udpos")(project)

    return write


CASES = {
    "unknown key": (
        in_params("overlap:\n  k: 6", "overlap:\n  q: 1\n  k: 6"), ["overlap"], ["params.yaml: overlap.q: unknown key"],
    ),
    "missing key": (in_params("overlap:\n  k: 6", "overlap:"), ["overlap"], ["params.yaml: overlap.k: missing"]),
    "a layer that the model lacks": (
        in_params("layers: [2]", "layers: [9]"), ["extract", "step-0"],
        ["params.yaml: layers of checkpoint step-0", "no layer 9, the model has layers 1 to 3"],
    ),
    "a category that no language has": (
        in_params("categories: [Part of Speech, Number]", "categories: [Evidentiality]"), ["probe", "step-0"],
        ["params.yaml: categories", "Evidentiality"],
    ),
    "an unknown language": (
        in_params("languages: [qaa, qab]\nsource", "languages: [qaa, xx]\nsource"), ["fetch_ud"],
        ["params.yaml: languages", "unknown language code 'xx'"],
    ),
    "an unknown checkpoint": ((lambda project: None), ["extract", "nine"], ["checkpoints.nine: no such key"]),
    "a folder without weights": (remove_weights, ["resolve", "step-0"], ["empty", "safetensors"]),
    "duplicate checkpoints": (
        name_a_checkpoint_twice, ["verify_checkpoints"], ["step-20", "twin", "duplicates.policy"],
    ),
    "a treebank line with nine columns": (
        break_a_treebank, ["convert_unimorph"], ["qaa_pocket-ud-dev.conllu:", "9", "10"],
    ),
    "an NLI line with two columns": (
        tasks_on_disk("premise\thypothesis"), ["fetch_transfer"], ["disk/xnli/test-qab.tsv:3", "2", "3"],
    ),
    "an unknown NLI label": (
        tasks_on_disk("premise\thypothesis\tperhaps"), ["fetch_transfer"],
        ["disk/xnli/test-qab.tsv:3", "perhaps", "entailment"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line(damaged: Project, case: str) -> None:
    damage, stage, expected = CASES[case]
    kept = damaged.path / "data/treebanks"
    saved = damaged.path.parent / "treebanks"
    shutil.copytree(kept, saved)
    damage(damaged)
    before = contents(damaged)
    try:
        done = damaged.run("python", "-m", f"polyprobe.stages.{stage[0]}", *stage[1:], check=False)
        assert done.returncode == 1
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        assert len(lines) == 1, done.stdout
        assert lines[0].startswith("error: ")
        assert all(part in lines[0] for part in expected), lines[0]
        assert contents(damaged) == before
    finally:
        damaged.run("git", "checkout", "--force", "--quiet", "HEAD")
        shutil.rmtree(kept)
        saved.rename(kept)
        (damaged.path / "data/checkpoints/twin.json").unlink(missing_ok=True)
        for folder in ("empty", "disk"):
            shutil.rmtree(damaged.path / folder, ignore_errors=True)


def test_edits_of_params_are_not_overwritten(damaged: Project) -> None:
    damaged.replace("params.yaml", "overlap:\n  k: 6", "overlap:\n  k: 5")
    try:
        done = damaged.run("polyprobe", "study", "use", "pocket", check=False)
        assert done.returncode == 1
        assert "has edits that neither the last commit nor a study's file holds" in done.stdout
        assert "k: 5" in (damaged.path / "params.yaml").read_text(encoding="utf-8")
    finally:
        damaged.run("git", "checkout", "--force", "--quiet", "HEAD")
    damaged.run("polyprobe", "study", "use", "pocket")
    try:
        assert (damaged.path / "params.yaml").read_bytes() == (damaged.path / "studies/pocket.yaml").read_bytes()
    finally:
        damaged.run("git", "checkout", "--force", "--quiet", "HEAD")


def test_an_unknown_study_is_named(damaged: Project) -> None:
    done = damaged.run("polyprobe", "study", "use", "nine", check=False)
    assert done.returncode == 1
    assert "no study 'nine', expected one of local, paper, paper-large, pocket, tiny" in done.stdout
    assert Path(damaged.path / "params.yaml").exists()
