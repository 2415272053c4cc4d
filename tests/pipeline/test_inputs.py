"""What a study reads from disk is watched: an edit, an added file and a removed one run what reads it, and no more."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from support.tiny_project import Project

pytestmark = pytest.mark.pipeline

CHECKPOINTS = ("step-0", "step-20")
TREEBANKS = {"qaa": ("UD_Avelan-Pocket", "UD_Avelan-PUD"), "qab": ("UD_Belgan-Pocket", "UD_Belgan-PUD")}
TASKS = {"xnli": "xnli", "pos": "udpos"}
FETCHED = ("convert_unimorph", "fetch_transfer")
"""With these, all that is read from disk has been; what they make stale, `dvc status` tells."""


def each(*stages: str) -> set[str]:
    return {f"{stage}@{checkpoint}" for stage in stages for checkpoint in CHECKPOINTS}


@pytest.fixture
def disk(project: Project) -> Path:
    """The study, which now reads from `local-data` what it generated before; the treebanks lie outside the repository.

    What is read is the same as before, so that nothing after the fetching runs.
    """
    local, outside = project.path / "local-data", project.path.parent / "outside"
    for language, names in TREEBANKS.items():
        for name in names:
            shutil.copytree(project.path / "data/treebanks" / language / name, outside / name)
    for task, name in TASKS.items():
        shutil.copytree(project.path / "data/tasks" / task, local / name)
    # A link to a folder of treebanks, one to a treebank, and one to a file.
    (local / "ud").symlink_to(outside)
    (local / "UD_Belgan-Pocket").symlink_to(outside / "UD_Belgan-Pocket")
    (outside / "qab-train.conllu").write_bytes((outside / "UD_Belgan-Pocket/qab_pocket-ud-train.conllu").read_bytes())
    (outside / "UD_Belgan-Pocket/qab_pocket-ud-train.conllu").unlink()
    (outside / "UD_Belgan-Pocket/qab_pocket-ud-train.conllu").symlink_to(outside / "qab-train.conllu")
    values = YAML(typ="safe").load((project.path / "params.yaml").read_text(encoding="utf-8"))
    values["inputs"] = {name: f"local-data/ud/{name}" for names in TREEBANKS.values() for name in names}
    values["inputs"] |= {name: f"local-data/{name}" for name in TASKS.values()}
    values["inputs"]["UD_Belgan-Pocket"] = "local-data/UD_Belgan-Pocket"
    # One by its absolute path.
    values["inputs"]["UD_Avelan-PUD"] = str(outside / "UD_Avelan-PUD")
    values["treebanks"]["source"] = values["transfer"]["source"] = "dir"
    for task, name in TASKS.items():
        values["transfer"][task]["folder"] = name
    YAML(typ="safe").dump(values, project.path / "params.yaml")
    ran = project.repro(*FETCHED)
    assert ran == {"inputs", "fetch_ud", "fetch_transfer"} | {f"watch@{name}" for name in values["inputs"]}
    # The page lists the parameters.
    assert project.stale() == {"report"}
    assert str(outside) not in (project.path / "metrics/treebanks.json").read_text(encoding="utf-8")
    return outside


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.slow
def test_a_word_of_a_linked_treebank(project: Project, disk: Path) -> None:
    train = disk / "qab-train.conllu"
    word = next(line for line in train.read_text(encoding="utf-8").splitlines() if line.startswith("1\t")).split("\t")
    edit(train, "\t".join(word), "\t".join([word[0], f"{word[1]}x", *word[2:]]))
    assert project.repro(*FETCHED) == {"watch@UD_Belgan-Pocket", "inputs", "fetch_ud", "convert_unimorph"}
    # The BLOOM is trained on this file.
    assert project.stale() == {"pretrain@pocket", "report"} | each("extract", "probe")


@pytest.mark.slow
def test_files_of_a_treebank_come_and_go(project: Project, disk: Path) -> None:
    fetched = {"watch@UD_Avelan-PUD", "inputs", "fetch_ud"}
    # A file that is not kept of a treebank ends at `fetch_ud`; a licence is kept, and words come out as before.
    (disk / "UD_Avelan-PUD/stats.xml").write_text("<x/>", encoding="utf-8")
    assert project.repro(*FETCHED) == fetched
    assert project.stale() == {"report"}
    (disk / "UD_Avelan-PUD/stats.xml").unlink()
    assert project.repro(*FETCHED) == {"fetch_ud"}, "all else is restored"
    (disk / "UD_Avelan-PUD/LICENSE.txt").write_text("Free for all\n", encoding="utf-8")
    assert project.repro(*FETCHED) == fetched | {"convert_unimorph"}
    assert project.stale() == {"pretrain@pocket", "report"}
    # What no input names is watched by nothing.
    (disk / "UD_Other").mkdir()
    (disk / "UD_Other/xx-ud-test.conllu").touch()
    assert project.repro(*FETCHED) == set()


@pytest.mark.slow
def test_parallel_sentences_run_no_probe(project: Project, disk: Path) -> None:
    """They are compared in the same pass as words, so that `extract` runs; no probe and no adapter do."""
    edit(disk / "UD_Avelan-PUD/qaa_pud-ud-test.conllu", "# text = ", "# text = Mo ")
    assert project.repro(*FETCHED) == {"watch@UD_Avelan-PUD", "inputs", "fetch_ud", "convert_unimorph"}
    assert project.stale() == {"pretrain@pocket", "report"} | each("extract")
    # Lines of pairs instead of a treebank's side.
    pairs = project.path / "local-data/pairs.tsv"
    pairs.write_text("".join(f"one {n}\tuno {n}\n" for n in range(9)), encoding="utf-8")
    values = YAML(typ="safe").load((project.path / "params.yaml").read_text(encoding="utf-8"))
    values["inputs"]["pairs"] = "local-data/pairs.tsv"
    values["parallel"] |= {"folders": {}, "files": {"qab": ["pairs"]}}
    YAML(typ="safe").dump(values, project.path / "params.yaml")
    assert "watch@pairs" in project.repro("convert_unimorph")
    edit(pairs, "uno 3", "tri 3")
    assert project.repro(*FETCHED) == {"watch@pairs", "inputs", "convert_unimorph"}
    assert project.stale() & each("probe", "finetune_xnli", "finetune_pos") == set()
    assert each("extract") <= project.stale()


@pytest.mark.slow
def test_a_line_of_a_task(project: Project, disk: Path) -> None:
    file = project.path / "local-data/udpos/test-qab.tsv"
    before = file.read_text(encoding="utf-8")
    edit(file, "NOUN", "PROPN")
    assert project.repro(*FETCHED) == {"watch@udpos", "inputs", "fetch_transfer"}
    assert project.stale() == {"report"} | each("finetune_pos")
    file.unlink()
    done = project.run("dvc", "repro", "fetch_transfer", check=False)
    assert done.returncode != 0
    assert "test-qab.tsv: no such file, expected a task file in XTREME's layout" in done.stdout
    file.write_text(before, encoding="utf-8")
    assert not project.repro("finetune_pos") & each("finetune_pos"), "restored"


def test_an_input_that_is_not_there_is_named(project: Project) -> None:
    values = YAML(typ="safe").load((project.path / "params.yaml").read_text(encoding="utf-8"))
    values["inputs"] = {"nowhere": "local-data/nowhere"}
    YAML(typ="safe").dump(values, project.path / "params.yaml")
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "local-data/nowhere" in done.stdout
    done = project.run("python", "-m", "polyprobe.stages.watch", "nowhere", check=False)
    assert done.returncode == 1
    assert done.stdout == "error: local-data/nowhere: no such file or folder, expected an input of the study\n"
