"""The page of a study's results, from synthetic tables."""

from pathlib import Path

import pandas as pd
import pytest
import synthetic_study

from polyprobe.artefacts import confusion, correlation, scores
from polyprobe.ops.results import write_results
from polyprobe.ops.scores import score_table, seen_subwords
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
    (kept / "notes.md").write_text("## Notes\n\nMine.\n", encoding="utf-8")
    write_results(tmp_path / "docs/results.md", synthetic_study.params())
    assert (tmp_path / "docs/results.md").read_text(encoding="utf-8") == f"{page}\n## Notes\n\nMine.\n"
    assert (kept / "notes.md").exists()


def test_a_checkpoints_scores_are_told_with_what_they_mean(tmp_path: Path) -> None:
    common = {"metric": "f1", "seed": 0, "majority": 0.3, "untrained": 0.1, "items": 8, "best_step": 1}
    values = {"qaa": (0.5, 0.4, 0.6), "qab": (0.3, 0.2, 0.4), "qac": (0.2, 0.1, 0.25)}
    rows = [
        common | {"language": code, "score": score, "standard_error": 0.1, "low": low, "high": high}
        for code, (score, low, high) in values.items()
    ]
    scores.write(tmp_path / scores.NAME, pd.DataFrame(rows))
    counts = [("NOUN", "NOUN", 4), ("NOUN", "VERB", 3), ("VERB", None, 1)]
    confused = [
        {"language": "qaa", "seed": 0, "gold": gold, "predicted": guess, "count": count}
        for gold, guess, count in counts
    ]
    confusion.write(tmp_path / confusion.NAME, pd.DataFrame(confused))
    table = score_table(tmp_path, "f1").set_index("language")
    assert table["verdict"].to_dict() == {"qaa": "above", "qab": "open", "qac": "below"}
    assert table["interval"]["qaa"] == "0.400 to 0.600"
    assert table["predicted"]["qaa"] == "NOUN 50%, VERB 38%"
    assert table["gold"]["qaa"] == "NOUN 88%, VERB 12%"


def test_subwords_that_fine_tuning_has_seen_are_counted() -> None:
    assert seen_subwords([1, 2, 2], {"x": [1, 1, 2, 3], "y": [4]}) == {"x": 0.75, "y": 0.0}
