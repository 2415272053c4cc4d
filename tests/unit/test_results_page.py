"""The page of a study's results, from synthetic tables."""

from pathlib import Path

import pytest
import synthetic_study

from polyprobe.artefacts import correlation, scores
from polyprobe.ops.results import write_results
from polyprobe.running import BadInputError


def test_the_page_shows_the_tables_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match="data/report/figures: not there; run `dvc repro` first"):
        write_results(tmp_path / "docs/results.md", synthetic_study.params())
    synthetic_study.complete(tmp_path)
    figures = tmp_path / "data/report/figures"
    figures.mkdir(parents=True)
    (figures / "overlap_over_steps.svg").write_text("<svg/>", encoding="utf-8")
    write_results(tmp_path / "docs/results.md", synthetic_study.params())
    page = (tmp_path / "docs/results.md").read_text(encoding="utf-8")
    table = scores.read_plot(tmp_path / scores.PLOT)
    main = table[(table["task"] == "pos") & (table["metric"] == scores.MAIN_METRIC["pos"])]
    assert all(f" {value:.3f} " in page for value in main["score"])
    for cell in correlation.read(tmp_path / correlation.PATH):
        if cell["category"] is None and cell["layer"] is None:
            assert f"| {cell['task']} | {cell['aggregation']} | {cell['n']} |" in page
    study = synthetic_study.params().study
    assert f"![Overlap over steps](results/{study}/figures/overlap_over_steps.svg)" in page
    kept = tmp_path / "docs/results" / study
    assert (kept / scores.PLOT).read_bytes() == (tmp_path / scores.PLOT).read_bytes()
