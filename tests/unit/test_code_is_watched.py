"""Code is a dependency, as DVC itself sees it: any change of what a stage brings in makes the stage stale."""

import os
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from support import ROOT
from support.import_graph import EXCUSED, data_files_of, modules, needed

STATEMENT = b'\nCHANGED = "by a test"\n'


class Watched:
    """The project's code in a DVC repository in which no stage has run, and what DVC has seen of the code."""

    def __init__(self, root: Path) -> None:
        from dvc.repo import Repo

        self.root = root
        self.repo = Repo(str(root))
        self.stages = {stage.name.partition("@")[0]: stage for stage in self.repo.index.stages}
        self.code = {
            name: [dep for dep in stage.deps if dep.def_path.startswith("src/")] for name, stage in self.stages.items()
        }
        for dep in (dep for deps in self.code.values() for dep in deps):
            dep.save()

    def changed(self, stage: str, file: Path) -> bool:
        """Whether DVC says that one of the stage's dependencies changed, of those that are the file or its folders."""
        own = [dep for dep in self.code[stage] if Path(dep.fs_path) in (file, *file.parents)]
        return any(dep.workspace_status() for dep in own)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    root = tmp_path_factory.mktemp("watched")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, root)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    values = YAML(typ="safe").load((ROOT / "studies/tiny.yaml").read_text(encoding="utf-8"))
    values["inputs"] = {"something": "elsewhere"}
    YAML(typ="safe").dump(values, root / "params.yaml")
    return Watched(root)


def test_each_module_and_data_file_that_a_stage_brings_in_makes_it_stale(watched: Watched) -> None:
    brought = {stage: needed(f"polyprobe.stages.{stage}") for stage in watched.stages}
    files = {
        stage: {modules()[name] for name in names}.union(*map(data_files_of, names)) for stage, names in brought.items()
    }
    unseen = []
    for file in sorted(set().union(*files.values())):
        copy = watched.root / file.relative_to(ROOT)
        content, before = copy.read_bytes(), copy.stat()
        copy.write_bytes(content + STATEMENT)
        unseen += [
            (stage, str(file.relative_to(ROOT)))
            for stage in files
            if file in files[stage] and not watched.changed(stage, copy)
        ]
        copy.write_bytes(content)
        os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert unseen == []
    assert set(watched.stages) == set(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])


@pytest.mark.slow
def test_pinning_a_commit_runs_one_resolve(tmp_path: Path) -> None:
    """Beside it the stages that read the whole section of checkpoints: they sum up."""
    from dvc.dependency.param import ParamsDependency
    from dvc.repo import Repo

    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    params = tmp_path / "params.yaml"
    shutil.copy(ROOT / "studies/paper.yaml", params)
    with Repo(str(tmp_path)) as repo:
        stages = {stage.name: stage for stage in repo.index.stages}
        deps = {
            name: [dep for dep in stage.deps if isinstance(dep, ParamsDependency)] for name, stage in stages.items()
        }
        for dep in (dep for own in deps.values() for dep in own):
            dep.save()
        text = params.read_text(encoding="utf-8")
        assert text.count("revision: global_step100000,") == 3
        params.write_text(text.replace("revision: global_step100000,", f"revision: {'0' * 40},", 1), encoding="utf-8")
        stale = {name for name, own in deps.items() if any(dep.workspace_status() for dep in own)}
    assert stale == {"resolve@560m-100k", "verify_checkpoints", "overlap", "correlate", "predictors", "report"}


def test_a_module_of_another_package_makes_no_stage_stale(watched: Watched) -> None:
    """A change in `transfer` runs no probe, one in `probes` no fine-tuning, an excused one nothing."""
    folders = {"transfer": ("probe", "overlap", "extract"), "probes": ("finetune_xnli", "finetune_pos", "extract")}
    folders |= {"ops": tuple(watched.stages), "resampling": ("extract", "probe", "finetune_pos")}
    cases = [
        (file, stages) for name, stages in folders.items() for file in (ROOT / "src/polyprobe" / name).glob("*.py")
    ]
    cases += [(modules()[name], tuple(watched.stages)) for name in EXCUSED]
    stale = []
    for file, stages in cases:
        copy = watched.root / file.relative_to(ROOT)
        content = copy.read_bytes()
        copy.write_bytes(content + STATEMENT)
        stale += [(stage, str(copy)) for stage in stages if watched.changed(stage, copy)]
        copy.write_bytes(content)
    assert stale == []
