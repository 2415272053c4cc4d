"""Code is a dependency: dvc.yaml against the import graph, and the floors of the house."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from support import ROOT
from support.import_graph import (
    EXCUSED,
    SOURCE,
    closure,
    data_files,
    data_files_of,
    imports,
    modules,
    needed,
    packages,
)

PIPELINE = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}


def code_dependencies(stage: str) -> list[Path]:
    return [ROOT / path for path in STAGES[stage]["deps"] if path.startswith("src/")]


def covers(dependency: Path, file: Path) -> bool:
    return dependency == file or dependency in file.parents


def files_needed(stage: str) -> set[Path]:
    """Modules and data files that run or are read when a stage does."""
    names = needed(f"polyprobe.stages.{stage}")
    return {modules()[name] for name in names}.union(*map(data_files_of, names))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_what_it_imports_and_on_no_more(stage: str) -> None:
    files, dependencies = files_needed(stage), code_dependencies(stage)
    missing = [file for file in sorted(files) if not any(covers(path, file) for path in dependencies)]
    assert [str(file.relative_to(ROOT)) for file in missing] == []
    idle = [path for path in dependencies if not any(covers(path, file) for file in files)]
    assert [str(path.relative_to(ROOT)) for path in idle] == []


def test_every_data_file_is_named_by_a_module_beside_it() -> None:
    assert data_files() == frozenset().union(*map(data_files_of, modules()))


def test_the_excuses_are_few_and_each_is_needed() -> None:
    assert len(EXCUSED) <= 12
    stages = {f"polyprobe.stages.{stage}" for stage in STAGES}
    reached = stages.union(*map(closure, stages))
    reached |= set().union(*map(packages, reached))
    assert EXCUSED.keys() <= reached
    for module, reason in EXCUSED.items():
        statements = ast.parse(modules()[module].read_text(encoding="utf-8")).body
        assert (len(statements) <= 1) == (reason == "has no statements"), module
    # Where a stage depends on their folder, DVC is told to leave them out of it.
    ignored = {ROOT / line[1:] for line in (ROOT / ".dvcignore").read_text().splitlines() if line.startswith("/src/")}
    folders = [path for stage in STAGES for path in code_dependencies(stage) if path.is_dir()]
    inside = {file for name in EXCUSED if any(covers(path, file := modules()[name]) for path in folders)}
    assert ignored == inside


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_run_by_its_module(stage: str) -> None:
    assert STAGES[stage]["cmd"].split()[:3] == ["python", "-m", f"polyprobe.stages.{stage}"]


STUDIES = sorted((ROOT / "studies").glob("*.yaml"))


@pytest.mark.parametrize("study", STUDIES, ids=lambda file: file.stem)
def test_every_study_has_the_keys_that_the_pipeline_names(study: Path) -> None:
    """DVC stops at a parameter that params.yaml lacks, even one with a default."""
    values = YAML(typ="safe").load(study.read_text(encoding="utf-8"))
    missing: list[str] = []
    named = {key for stage in STAGES.values() for key in stage.get("params", []) if isinstance(key, str)}
    for key in sorted(key for key in named if "$" not in key):
        section = values
        for part in key.split("."):
            section = section.get(part, missing) if isinstance(section, dict) else missing
        if section is missing:
            missing.append(key)
    assert missing == []


def test_every_module_of_stages_is_a_stage() -> None:
    files = {file.stem for file in (SOURCE / "polyprobe/stages").glob("*.py")} - {"__init__"}
    assert files == set(STAGES)
    assert all("desc" in stage for stage in STAGES.values())


def test_nothing_imports_the_stages() -> None:
    assert [name for name in modules() if any(used.startswith("polyprobe.stages") for used in imports(name))] == []


FORBIDDEN = {
    "probes": ("study", "languages", "artefacts", "treebanks", "checkpoints", "transfer", "alignment", "analysis"),
    "transfer": ("probes", "treebanks", "analysis", "alignment"),
    "analysis": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket"),
    "figures": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket"),
    "report": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket"),
    "choices": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket", "analysis"),
    "downloads": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket", "analysis", "artefacts"),
    "running": (
        "study",
        "choices",
        "probes",
        "treebanks",
        "checkpoints",
        "transfer",
        "alignment",
        "pocket",
        "analysis",
    ),
    "artefacts": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket", "analysis"),
}


@pytest.mark.parametrize("floor", FORBIDDEN)
def test_floors(floor: str) -> None:
    crossing = [
        (name, used)
        for name in modules()
        if name.startswith(f"polyprobe.{floor}")
        for used in imports(name)
        if used.split(".")[1:2] and used.split(".")[1] in FORBIDDEN[floor]
    ]
    assert crossing == []


def test_no_import_circles() -> None:
    # A package's `__init__` hands on its modules' names: a module that imports its own package is a circle too.
    assert [name for name in modules() if name in closure(name)] == []
