"""Code is a dependency: dvc.yaml against the import graph, and the floors of the house."""

from pathlib import Path

import pytest
from import_graph import ROOT, SOURCE, closure, imports, modules
from ruamel.yaml import YAML

PIPELINE = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}

# The ground carries no result: it reads parameters, writes files, names things, fetches what a hash names. Its changes
# are covered by the tests.
GROUND = ("polyprobe.running", "polyprobe.study", "polyprobe.languages", "polyprobe.downloads",
          "polyprobe.artefacts._entries", "polyprobe.artefacts._tables", "polyprobe.artefacts.dimensions")  # fmt: skip


def is_ground(module: str) -> bool:
    return module in ("polyprobe", "polyprobe.artefacts") or any(
        module == name or module.startswith(f"{name}.") for name in GROUND
    )


def code_dependencies(stage: str) -> list[Path]:
    return [ROOT / path for path in STAGES[stage]["deps"] if path.startswith("src/")]


def covers(dependency: Path, module: str) -> bool:
    file = modules()[module]
    return dependency == file or dependency in file.parents


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_what_it_imports_and_on_no_more(stage: str) -> None:
    module = f"polyprobe.stages.{stage}"
    needed = {module} | {name for name in closure(module) if not is_ground(name)}
    dependencies = code_dependencies(stage)
    assert [name for name in sorted(needed) if not any(covers(path, name) for path in dependencies)] == []
    idle = [path for path in dependencies if not any(covers(path, name) for name in needed)]
    assert [str(path.relative_to(ROOT)) for path in idle] == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_run_by_its_module(stage: str) -> None:
    assert STAGES[stage]["cmd"].split()[:3] == ["python", "-m", f"polyprobe.stages.{stage}"]


# A name with two dots, such as paper.commits.yaml, is a study's own file and no study.
STUDIES = sorted(file for file in (ROOT / "studies").glob("*.yaml") if file.name.count(".") == 1)


@pytest.mark.parametrize("study", STUDIES, ids=lambda file: file.stem)
def test_every_study_has_the_keys_that_the_pipeline_names(study: Path) -> None:
    """DVC stops at a parameter that params.yaml lacks, even one with a default."""
    values = YAML(typ="safe").load(study.read_text(encoding="utf-8"))
    missing = []
    for key in sorted({key for stage in STAGES.values() for key in stage["params"] if "$" not in key}):
        section = values
        for part in key.split("."):
            section = section.get(part, missing) if isinstance(section, dict) else missing
        if section is missing:
            missing.append(key)
    assert missing == []


def test_every_module_of_stages_is_a_stage() -> None:
    files = {file.stem for file in (SOURCE / "polyprobe/stages").glob("*.py")} - {"__init__"}
    assert files == set(STAGES)
    long = {name: lines for name in files
            if (lines := len((SOURCE / f"polyprobe/stages/{name}.py").read_text().splitlines())) >= 60}  # fmt: skip
    assert long == {}


def test_nothing_imports_the_stages() -> None:
    assert [name for name in modules() if any(used.startswith("polyprobe.stages") for used in imports(name))] == []


FORBIDDEN = {
    "probes": ("study", "languages", "artefacts", "treebanks", "checkpoints", "transfer", "alignment", "analysis"),
    "transfer": ("probes", "treebanks", "analysis", "alignment"),
    "analysis": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket"),
    "figures": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket"),
    "report": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket"),
    "downloads": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket", "analysis", "artefacts"),
    "running": ("probes", "treebanks", "checkpoints", "transfer", "alignment", "pocket", "analysis"),
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
