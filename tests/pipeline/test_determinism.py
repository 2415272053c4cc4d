"""The same inputs give the same bytes."""

import hashlib
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tiny_project import ROOT, Project, make_project

pytestmark = pytest.mark.pipeline


def digests(project: Project) -> dict[str, str]:
    files: list[Path] = []
    for folder, pattern in (("metrics", "*"), ("plots", "*"), ("data", "*.parquet"), ("data", "*.safetensors")):
        files += [file for file in (project.path / folder).rglob(pattern) if file.is_file()]
    return {
        str(file.relative_to(project.path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)
    }


def test_two_runs_from_empty_caches_are_byte_identical(finished: Project, tmp_path: Path) -> None:
    again = make_project(tmp_path / "again")
    again.repro()
    first, second = digests(finished), digests(again)
    assert any("scores.parquet" in name for name in first)
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == set()


@pytest.mark.soak
def test_the_pocket_study_comes_out_as_its_lock_file_says(tmp_path: Path) -> None:
    """Every output of the default study, from an empty cache, has the hash that dvc.lock pins.

    On a machine of the same kind with the same number of cores: threads change the order of sums.
    """
    again = make_project(tmp_path / "again", study="pocket")
    again.repro()
    pinned, found = (hashes(folder / "dvc.lock") for folder in (ROOT, again.path))
    assert {name for name in pinned.keys() | found.keys() if pinned.get(name) != found.get(name)} == set()


def hashes(lock: Path) -> dict[str, str]:
    stages = YAML(typ="safe").load(lock.read_text(encoding="utf-8"))["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}
