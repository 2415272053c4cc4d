"""Figures drawn by one process or by several are the same files."""

from pathlib import Path

from polyprobe.figures import FIGURES, draw_all
from support import synthetic_study


def test_the_number_of_processes_changes_no_byte(tmp_path: Path) -> None:
    tables, chosen, files = synthetic_study.complete(tmp_path), FIGURES[:2], []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        assert draw_all(chosen, tables, folder, workers=workers) == list(chosen)
        files.append({file.name: file.read_bytes() for file in sorted(folder.iterdir())})
    assert files[0] == files[1]
    assert set(files[0]) == {f"{figure.NAME}.{kind}" for figure in chosen for kind in ("svg", "pdf")}
