"""The same inputs give the same bytes, whatever the modules do that no stage depends on."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from support import ROOT
from support.damage import differing
from support.excused import EXCUSED, REPLACED, replace_excused
from support.tiny_project import Project, make_project

pytestmark = pytest.mark.pipeline


@pytest.mark.slow
def test_excused_modules_change_no_byte_of_a_study_from_empty_caches(finished: Project, tmp_path: Path) -> None:
    """A second run of everything, in which all that is excused does something else: every output is the same, and DVC
    notices nothing."""
    again = make_project(tmp_path / "again")
    assert REPLACED.keys() == {name for name, reason in EXCUSED.items() if reason != "has no statements"}
    replace_excused(again.path / "src")
    ran = again.repro()
    assert {"fetch_ud", "pretrain@pocket", "extract@step-20", "finetune_pos@step-0", "report"} <= ran
    assert differing(finished, again) == set()
    assert (again.path / "data/transfer/pos/step-0/scores.parquet").exists()
    assert not (again.path / ".scratch/runs.jsonl").exists()
    assert (again.path / "dvc.lock").read_bytes() == (finished.path / "dvc.lock").read_bytes()


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
