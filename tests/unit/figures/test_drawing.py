"""Figures as files: drawn by one process or by several, and at any time, they are the same bytes."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from polyprobe.figures import FIGURES, draw_all
from support import synthetic_study


@pytest.mark.parametrize("chosen", [FIGURES[:2], pytest.param(FIGURES, marks=pytest.mark.slow)], ids=["two", "all"])
def test_the_number_of_processes_changes_no_byte(chosen: Sequence[ModuleType], tmp_path: Path) -> None:
    tables, files = synthetic_study.complete(tmp_path), []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        assert draw_all(chosen, tables, folder, workers=workers) == list(chosen)
        files.append({file.name: file.read_bytes() for file in sorted(folder.iterdir())})
    assert files[0] == files[1]
    assert set(files[0]) == {f"{figure.NAME}.{kind}" for figure in chosen for kind in ("svg", "pdf")}
    for name, content in files[0].items():
        if name.endswith("svg"):
            assert b"<text" in content, "text stays text"
        assert b"<dc:date>" not in content
        assert b"CreationDate" not in content
