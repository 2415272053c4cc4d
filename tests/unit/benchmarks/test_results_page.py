"""The page of a study's results, from synthetic tables."""

from pathlib import Path

import pandas as pd
import pytest

from polyprobe.artefacts import confusion, correlation, overlap, scores
from polyprobe.ops.scores import say_scores, score_table, seen_subwords
from polyprobe.running.errors import BadInputError
from results import write_results
from support import synthetic_study
from support.synthetic_study import Synthetic


def test_the_page_shows_the_tables_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match="data/report/figures: not there; run `dvc repro` first"):
        write_results(tmp_path / "docs/results.md", synthetic_study.params())
    synthetic_study.complete(tmp_path)
    figures = tmp_path / "data/report/figures"
    figures.mkdir(parents=True)
    (figures / "overlap_over_steps.svg").write_text("<svg/>", encoding="utf-8")
    (tmp_path / "data/report/index.html").write_text("<p>The report</p>", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"dvc\.lock: not there; run `dvc repro` first"):
        write_results(tmp_path / "docs/results.md", synthetic_study.params())
    (tmp_path / "dvc.lock").write_text("what they were made of", encoding="utf-8")
    write_results(tmp_path / "docs/results.md", synthetic_study.params())
    page = (tmp_path / "docs/results.md").read_text(encoding="utf-8")
    table = scores.PLOT.read(tmp_path / scores.PLOT.path)
    main = table[(table["task"] == "pos") & (table["metric"] == scores.MAIN_METRIC["pos"])]
    assert all(f" {value:.3f} " in page for value in main["score"])
    for cell in correlation.TABLE.read(tmp_path / correlation.TABLE.path):
        if cell["category"] is None and cell["layer"] is None:
            assert f"| {cell['task']} | {cell['aggregation']} | {cell['n']} |" in page
    study = synthetic_study.params().study
    assert f"![Overlap over steps](results/{study}/figures/overlap_over_steps.svg)" in page
    kept = tmp_path / "docs/results" / study
    assert (kept / scores.PLOT.path).read_bytes() == (tmp_path / scores.PLOT.path).read_bytes()
    assert (kept / "dvc.lock").read_text(encoding="utf-8") == "what they were made of"
    assert (kept / "report.html").read_text(encoding="utf-8") == "<p>The report</p>"
    (kept / "notes.md").write_text("## Notes\n\nMine.\n", encoding="utf-8")
    write_results(tmp_path / "docs/results.md", synthetic_study.params())
    assert (tmp_path / "docs/results.md").read_text(encoding="utf-8") == f"{page}\n## Notes\n\nMine.\n"
    assert (kept / "notes.md").exists()


def test_several_models_have_tables_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smaller model's last step is the larger one's first; one model has one task only."""
    monkeypatch.chdir(tmp_path)
    study = Synthetic(
        languages=("qaa", "qab", "qac", "qad"),
        steps={"small": (10, 20, 30), "large": (30, 40), "other": (5,)},
        converged=("small",),
    )
    tables = synthetic_study.complete(tmp_path, study)
    transfer = tables.transfer
    scores.PLOT.write(transfer[(transfer["model"] != "other") | (transfer["task"] == "xnli")])
    (tmp_path / "data/report/figures").mkdir(parents=True)
    (tmp_path / "data/report/index.html").touch()
    (tmp_path / "dvc.lock").touch()
    write_results(tmp_path / "docs/results.md", synthetic_study.params(study))
    page = (tmp_path / "docs/results.md").read_text(encoding="utf-8")
    assert f"k = 16 (means for every k of [8, 16]: {overlap.SIZES.path.as_posix()})" in page
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")}
    last = {"small": "small-30", "large": "large-40", "other": "other-5"}

    def blocks(title: str) -> dict[str, list[str]]:
        found = {part.partition("\n")[0]: part.splitlines() for part in sections[title].split("\n### ")[1:]}
        assert list(found) == list(last)
        return found

    for model, lines in blocks("Overlap per step and category").items():
        steps = study.steps_of_models()[model]
        assert [line.split(" | ")[0] for line in lines if line.startswith("| ")][2:] == [f"| {step}" for step in steps]
        means = tables.means[(tables.means["model"] == model) & tables.means["studied"]]
        proper = means[(means["control"] == "none") & (means["step"] == steps[-1])]
        assert f" {proper['corrected'].mean():.3f} " in lines[-1]
    for model, lines in blocks("Pairs that share most").items():
        pairs = tables.pairs[(tables.pairs["checkpoint"] == last[model]) & tables.pairs["studied"]]
        pairs = pairs[(pairs["control"] == "none") & (pairs["language_a"] != pairs["language_b"])]
        shown = [line.split(" | ")[5] for line in lines if line.startswith("| qa")]
        assert shown == [f"{value:.3f}" for value in sorted(pairs["corrected"], reverse=True)[:10]]
    for model, lines in blocks("XNLI").items():
        table = transfer[(transfer["checkpoint"] == last[model]) & (transfer["metric"] == "accuracy")]
        for row in table.itertuples():
            (line,) = [line for line in lines if line.startswith(f"| {row.language} ")]
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 1 + len(study.steps_of_models()[model]) + 3
            assert cells[-4:] == [
                f"{row.score:.3f}",
                f"{row.low:.3f} to {row.high:.3f}",
                f"{row.majority:.3f}",
                f"{row.untrained:.3f}",
            ]
    assert blocks("POS")["other"][-1] == "Nothing was measured."


def test_a_checkpoints_scores_are_told_with_what_they_mean(tmp_path: Path) -> None:
    common = {"metric": "f1", "seed": 0, "majority": 0.3, "untrained": 0.1, "items": 8, "best_step": 1}
    values = {"qaa": (0.5, 0.4, 0.6), "qab": (0.3, 0.2, 0.4), "qac": (0.2, 0.1, 0.25)}
    rows = [
        common | {"language": code, "score": score, "standard_error": 0.1, "low": low, "high": high}
        for code, (score, low, high) in values.items()
    ]
    scores.TABLE.write(pd.DataFrame(rows), tmp_path / scores.TABLE.path.name)
    counts = [("NOUN", "NOUN", 4), ("NOUN", "VERB", 3), ("VERB", None, 1)]
    confused = [
        {"language": "qaa", "seed": 0, "gold": gold, "predicted": guess, "count": count}
        for gold, guess, count in counts
    ]
    confusion.TABLE.write(pd.DataFrame(confused), tmp_path / confusion.TABLE.path.name)
    table = score_table(tmp_path, "f1").set_index("language")
    assert table["verdict"].to_dict() == {"qaa": "above", "qab": "open", "qac": "below"}
    assert table["interval"]["qaa"] == "0.400 to 0.600"
    assert table["predicted"]["qaa"] == "NOUN 50%, VERB 38%"
    assert table["gold"]["qaa"] == "NOUN 88%, VERB 12%"


def test_subwords_that_fine_tuning_has_seen_are_counted() -> None:
    assert seen_subwords([1, 2, 2], {"x": [1, 1, 2, 3], "y": [4]}) == {"x": 0.75, "y": 0.0}


@pytest.mark.parametrize(
    ("task", "checkpoint", "message"),
    [
        ("ner", "step-400", "ner: no such task, expected one of xnli, pos"),
        ("pos", "step-1", "checkpoints.step-1: no such key, expected step-0, "),
    ],
)
def test_scores_of_what_is_not_there(task: str, checkpoint: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        say_scores(task, checkpoint)
