"""Correlation of overlap and transfer: against Table 1, slow obvious implementations and planted answers."""

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare, kstest, norm, pearsonr, spearmanr
from statsmodels.formula.api import mixedlm

from polyprobe import analysis
from polyprobe.analysis import coverage
from polyprobe.artefacts import correlation, drops, manifest, overlap, scores
from polyprobe.running.errors import BadInputError
from polyprobe.stages.correlate import correlate
from support import ROOT, synthetic_study
from support.synthetic_study import PAPER, POCKET, Synthetic
from support.table_rows import named_rows

Matrix = NDArray[np.float64]


def with_correlation(r: float, shape: tuple[int, int]) -> tuple[Matrix, Matrix]:
    """Two matrices whose entries correlate by exactly r."""
    generator = np.random.default_rng(0)
    x, noise = generator.normal(size=(2, shape[0] * shape[1]))
    x = (x - x.mean()) / x.std()
    noise = noise - noise.mean()
    noise -= x * (noise @ x) / len(x)
    y = r * x + np.sqrt(1 - r * r) * noise / noise.std()
    return x.reshape(shape), y.reshape(shape)


def slow_pearson(x: Matrix, y: Matrix) -> float:
    pairs = [(a, b) for a, b in zip(x.ravel(), y.ravel(), strict=True) if not np.isnan(a) and not np.isnan(b)]
    mean_a = sum(a for a, _ in pairs) / len(pairs)
    mean_b = sum(b for _, b in pairs) / len(pairs)
    above = sum((a - mean_a) * (b - mean_b) for a, b in pairs)
    below = sum((a - mean_a) ** 2 for a, _ in pairs) * sum((b - mean_b) ** 2 for _, b in pairs)
    return float(above / below**0.5)


def ragged() -> tuple[Matrix, Matrix]:
    """Five checkpoints and four languages, two points missing."""
    x, y = with_correlation(0.5, (5, 4))
    x[1, 2] = np.nan
    y[3, 0] = np.nan
    return x, y


@pytest.mark.parametrize(
    ("r", "shape", "p"),
    [
        (0.808, (6, 1), 0.052),
        (0.804, (8, 1), 0.016),
        (0.395, (4, 1), 0.605),
        (0.940, (6, 1), 0.005),
        (0.831, (8, 1), 0.011),
        (0.258, (4, 1), 0.742),
        (0.572, (4, 7), 0.001),
    ],
)
def test_p_is_that_of_table_1(r: float, shape: tuple[int, int], p: float) -> None:
    found = analysis.pearson(*with_correlation(r, shape))
    assert found.r == pytest.approx(r)
    assert found.n == shape[0] * shape[1]
    assert found.p == pytest.approx(p, abs=6e-4)


@pytest.mark.parametrize(
    ("r", "shape", "p"),
    [(0.568, (6, 7), 8.774e-05), (0.723, (8, 7), 3.081e-10), (0.612, (7, 11), 3.277e-09), (0.638, (9, 11), 1.204e-12)],
)
def test_small_p_is_that_of_table_1_within_the_rounding_of_r(r: float, shape: tuple[int, int], p: float) -> None:
    low, high = (analysis.pearson(*with_correlation(r + step, shape)).p for step in (0.0005, -0.0005))
    assert low <= p <= high


def test_correlations_equal_the_slow_implementation() -> None:
    x, y = ragged()
    assert analysis.pearson(x, y).r == pytest.approx(slow_pearson(x, y))
    assert analysis.pearson(x, y).n == 18
    present = ~(np.isnan(x) | np.isnan(y))
    ranks_of_x, ranks_of_y = (np.asarray(pd.Series(values[present]).rank(), dtype=np.float64) for values in (x, y))
    assert analysis.spearman(x, y) == pytest.approx(slow_pearson(ranks_of_x, ranks_of_y))


def test_within_parts_equal_the_slow_implementation() -> None:
    x, y = ragged()
    present = ~(np.isnan(x) | np.isnan(y))
    for axis, function in ((0, analysis.within_languages), (1, analysis.within_checkpoints)):
        parts = []
        for values in (x, y):
            known = np.where(present, values, np.nan)
            parts.append(known - np.nanmean(known, axis=axis, keepdims=True))
        assert function(x, y) == pytest.approx(slow_pearson(*parts))


def test_within_parts_tell_languages_from_training() -> None:
    language, step = np.meshgrid(np.arange(5.0), np.arange(4.0))
    # Over training both rise together; across languages they go apart.
    x, y = step + 3 * language, step - 3 * language
    assert analysis.within_languages(x, y) == pytest.approx(1.0)
    assert analysis.within_checkpoints(x, y) == pytest.approx(-1.0)
    assert analysis.within_languages(language, y) is None


def test_the_permutation_test_enumerates_whole_checkpoints() -> None:
    x, y = ragged()
    observed = abs(slow_pearson(x, y))
    found = [abs(slow_pearson(x, y[list(order)])) for order in permutations(range(5))]
    result = analysis.permutation_test(x, y, resamples=10, seed=0)
    assert result.p == pytest.approx(np.mean([value >= observed - 1e-12 for value in found]))
    assert result.smallest_p == pytest.approx(1 / 120)


def test_a_sampled_permutation_p_is_never_zero_and_agrees_with_the_enumerated_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, y = with_correlation(0.4, (6, 3))
    exact = analysis.permutation_test(x, y, resamples=1, seed=0).p
    monkeypatch.setattr("polyprobe.analysis.permutation.ENUMERABLE_CHECKPOINTS", 0)
    sampled = analysis.permutation_test(x, y, resamples=4000, seed=0)
    assert sampled.smallest_p == pytest.approx(1 / 4001)
    assert sampled.p == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 4000) ** 0.5)
    assert analysis.permutation_test(x, x, resamples=50, seed=0).p >= 1 / 51


def test_the_permutation_test_holds_its_rate_where_plain_p_does_not() -> None:
    generator = np.random.default_rng(1)
    rejected = {"permutation": 0, "plain": 0}
    trials = 400
    for _ in range(trials):
        # The checkpoint, not the point, is what varies: overlap and score have nothing to do with each other.
        x, y = (generator.normal(size=(5, 1)) + 0.3 * generator.normal(size=(5, 6)) for _ in range(2))
        rejected["permutation"] += analysis.permutation_test(x, y, resamples=1, seed=0).p <= 0.05
        rejected["plain"] += analysis.pearson(x, y).p <= 0.05
    rate = rejected["permutation"] / trials
    assert rate == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / trials) ** 0.5)
    assert rejected["plain"] / trials > 0.3


def test_the_bootstrap_resamples_whole_checkpoints() -> None:
    x, y = with_correlation(0.6, (6, 4))
    found = analysis.cluster_bootstrap(x, y, resamples=500, seed=3)
    assert found is not None
    drawn = np.random.default_rng(3).integers(6, size=(500, 6))
    slow = [slow_pearson(x[order], y[order]) for order in drawn]
    assert found == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))
    assert analysis.cluster_bootstrap(x[:2], y[:2], resamples=500, seed=3) is None


def test_copies_of_a_language_change_no_statistic_that_knows_of_checkpoints() -> None:
    # 7 languages that all say the same are 1 language: n grows and plain p shrinks, nothing else may.
    x, y = with_correlation(0.7, (6, 1))
    copies = np.repeat(x, 7, axis=1), np.repeat(y, 7, axis=1)
    for function in (analysis.permutation_test, analysis.cluster_bootstrap):
        once, often = function(x, y, resamples=300, seed=0), function(*copies, resamples=300, seed=0)
        values = (once, often) if isinstance(once, tuple) else ((once.p,), (often.p,))  # type: ignore[union-attr]
        assert values[0] == pytest.approx(values[1])
    assert analysis.pearson(*copies).p < analysis.pearson(x, y).p / 100


def run(root: Path, monkeypatch: pytest.MonkeyPatch, study: Synthetic = POCKET, **sections: object) -> None:
    synthetic_study.write(root, study)
    monkeypatch.chdir(root)
    correlate(synthetic_study.params(study, **sections))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that `correlate` has run in, for tests that only read."""
    folder = tmp_path_factory.mktemp("finished")
    synthetic_study.complete(folder)
    return folder


@pytest.fixture
def in_finished(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished)


def totals() -> dict[tuple[str, str], correlation.Cell]:
    return {(cell["task"], cell["aggregation"]): cell for cell in correlation.TABLE.read() if cell["category"] is None}


def test_a_study_of_the_papers_size_has_the_papers_n(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, PAPER)
    cells = totals()
    assert {key: cell["n"] for key, cell in cells.items()} == {
        ("xnli", "average"): 6, ("xnli", "pairwise"): 42, ("pos", "average"): 6, ("pos", "pairwise"): 77,
    }  # fmt: skip
    assert {key for key, cell in cells.items() if cell["converged_included"]} == {("pos", "pairwise")}
    points = correlation.POINTS.read()
    # The converged model's points stand in the table, used or not.
    assert len(points[points["aggregation"] == "average"]) == 2 * 7
    assert not points.loc[points["checkpoint"] == "560m-650000"].query("task == 'xnli'")["used"].any()
    # One cell per category and layer beside each total.
    assert len(correlation.TABLE.read()) == 4 * (1 + 3 * 2)


@pytest.mark.usefixtures("in_finished")
def test_points_equal_the_slow_implementation() -> None:
    pairs = overlap.PAIRS.read()
    for point in named_rows(correlation.POINTS.read()):
        table = scores.TABLE.read(scores.folder(point.task, point.checkpoint) / scores.TABLE.path.name)
        scored = table[table["metric"] == scores.MAIN_METRIC[point.task]].set_index("language")["score"]
        rates = []
        for row in named_rows(pairs):
            if row.checkpoint != point.checkpoint or row.control != "none" or not row.studied:
                continue
            codes = {row.language_a, row.language_b}
            if len(codes) == 2 and (point.language == "all" or codes == {"qaa", point.language}):
                rates.append(row.overlap)
        assert point.overlap == pytest.approx(np.mean(rates), rel=1e-6)
        expected = scored.drop("qaa").mean() if point.language == "all" else scored[point.language]
        assert point.score == pytest.approx(expected, rel=1e-6)


@pytest.mark.usefixtures("in_finished")
def test_cells_say_what_their_points_say() -> None:
    points = correlation.POINTS.read()
    for (task, aggregation), cell in totals().items():
        of_cell = points[(points["task"] == task) & (points["aggregation"] == aggregation)]
        assert cell["r"] == pytest.approx(np.corrcoef(of_cell["overlap"], of_cell["score"])[0, 1], rel=1e-6)
        assert cell["interval"][0] <= cell["r"] <= cell["interval"][1] + 1e-9
        assert (cell["within_language"] is None) == (aggregation == "average")


def test_averages_give_each_category_the_same_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch)
    table = overlap.PAIRS.read()
    number_of_some = (table["category"] == "Number") & ~table["language_b"].isin(["qab", "qac"])
    overlap.PAIRS.write(table[~number_of_some])
    correlate(synthetic_study.params())
    kept = overlap.PAIRS.read().query("control == 'none' and studied and language_a != language_b")
    per_category = kept.groupby(["checkpoint", "category"])["overlap"].mean()
    for point in named_rows(correlation.POINTS.read().query("aggregation == 'average'")):
        assert point.overlap == pytest.approx(per_category[point.checkpoint].mean(), rel=1e-6)


def test_pairs_with_source_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, correlate={"pairs": "with_source", "resamples": 10})
    points = correlation.POINTS.read().query("task == 'xnli'")
    pairwise = points[points["aggregation"] == "pairwise"].groupby("checkpoint")["overlap"].mean()
    average = points[points["aggregation"] == "average"].set_index("checkpoint")["overlap"]
    assert average.to_dict() == pytest.approx(pairwise.to_dict())


def test_chosen_layers_and_categories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, correlate={"layers": [0.5], "categories": ["POS"], "resamples": 10})
    parts = {(cell["category"], cell["layer"]) for cell in correlation.TABLE.read()}
    assert parts == {(None, None), ("Part of Speech", 3)}
    both = [
        cell["r"] for cell in correlation.TABLE.read() if cell["aggregation"] == "average" and cell["task"] == "pos"
    ]
    assert both[0] == both[1]


def test_transfer_at_chance_is_flagged_and_withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, Synthetic(transfer_works=False))
    for cell in correlation.TABLE.read():
        assert cell["at_chance"]
        assert {cell[name] for name in ("r", "p", "spearman", "interval", "permutation_p", "within_language")} == {None}
        assert "chance" in cell["note"]
    numbers = correlation.SUMMARY.read()
    assert numbers["xnli_average_r"] is None
    assert numbers["xnli_last"] == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize(("above", "flagged"), [(0, True), (1, True), (2, True), (3, False), (5, False)])
def test_at_chance_means_more_than_half_of_the_checkpoints(above: int, flagged: bool) -> None:
    rows = [
        {"checkpoint": f"c{place}", "language": code, "majority": 0.3, "untrained": 0.35, "standard_error": 0.02,
         "score": 0.40 if place < above else 0.38}
        for place in range(5)
        for code in ("qab", "qac")
    ]  # fmt: skip
    assert analysis.at_chance(pd.DataFrame(rows)) is flagged


def test_a_single_language_above_its_baseline_is_no_transfer() -> None:
    rows = [
        {"checkpoint": "c", "majority": 0.33, "untrained": 0.3, "standard_error": 0.02, "score": score}
        for score in (0.5, 0.33, 0.33, 0.33, 0.33, 0.33)
    ]
    assert analysis.at_chance(pd.DataFrame(rows))


def test_too_few_points_and_constant_overlap_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, Synthetic(steps={"pocket": (200, 400)}, languages=("qaa", "qab", "qac")))
    # Step 200 is at the baseline, one of two: not more than half.
    cells = totals()
    assert (cells["xnli", "average"]["r"], cells["xnli", "average"]["note"]) == (None, "fewer than three points")
    assert cells["xnli", "pairwise"]["n"] == 4
    assert cells["xnli", "pairwise"]["interval"] is None
    table = overlap.PAIRS.read().assign(overlap=0.1)
    overlap.PAIRS.write(table)
    correlate(synthetic_study.params(Synthetic(steps={"pocket": (200, 400)}, languages=("qaa", "qab", "qac"))))
    assert totals()["xnli", "pairwise"]["note"] == "the overlap does not vary"
    assert "NaN" not in correlation.TABLE.path.read_text()


def test_dropped_checkpoints_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    file = manifest.path("step-80")
    manifest.write(file, replace(manifest.read(file), dropped=True))
    correlate(synthetic_study.params())
    assert "step-80" not in set(correlation.POINTS.read()["checkpoint"]) | set(scores.PLOT.read()["checkpoint"])
    assert totals()["xnli", "average"]["n"] == 4


def test_scores_are_averaged_over_seeds_in_the_studys_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    file = scores.folder("xnli", "step-400") / scores.TABLE.path.name
    first = scores.TABLE.read(file)
    scores.TABLE.write(pd.concat([first, first.assign(seed=1, score=first["score"] + 0.02)], ignore_index=True), file)
    correlate(synthetic_study.params(languages=["qaf", "qaa", "qae", "qad", "qac", "qab"]))
    table = scores.PLOT.read()
    last = table[(table["checkpoint"] == "step-400") & (table["task"] == "xnli")]
    assert list(last["language"]) == ["qaa", "qaf", "qae", "qad", "qac", "qab"]
    expected = first.set_index("language")["score"] + 0.01
    assert last.set_index("language")["score"].to_dict() == pytest.approx(expected.to_dict(), rel=1e-6)
    assert last["spread"].tolist() == pytest.approx([0.02 / 2**0.5] * 6), "two seeds, 0.02 apart"
    assert table[table["checkpoint"] == "step-0"]["spread"].isna().all(), "one seed"


@pytest.mark.usefixtures("in_finished")
def test_the_summary_is_flat_small_and_true() -> None:
    numbers = correlation.SUMMARY.read()
    assert len(numbers) < 10
    means = overlap.MEANS.read().query("studied and control == 'none'").groupby("checkpoint")["overlap"].mean()
    assert numbers["overlap_first"] == pytest.approx(means["step-0"], rel=1e-5)
    assert numbers["overlap_last"] == pytest.approx(means["step-400"], rel=1e-5)
    assert numbers["overlap_chance"] == 16 / 256
    assert numbers["overlap_null"] == pytest.approx(0.0, abs=0.01)
    assert numbers["ceiling_last"] == 0.9
    assert all(value is None or float(f"{value:.6g}") == value for value in numbers.values())


def test_a_summary_without_control_has_no_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    overlap.MEANS.write(overlap.MEANS.read().query("control == 'none'"))
    correlate(synthetic_study.params())
    assert correlation.SUMMARY.read()["overlap_null"] is None


def test_the_same_inputs_give_the_same_bytes(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch)
    for file in (correlation.TABLE.path, correlation.SUMMARY.path, correlation.POINTS.path, scores.PLOT.path):
        assert file.read_bytes() == (finished / file).read_bytes()


@pytest.mark.parametrize(
    ("correlate_section", "message"),
    [
        ({"layers": [9]}, r"params.yaml: correlate.layers: no layer 9, the model has layers 1 to 5"),
        ({"layers": [1]}, r"params.yaml: correlate: .* at layer 1 is not probed at checkpoint step-0"),
        ({"categories": ["Case"]}, r"params.yaml: correlate: Case at layer 3 is not probed at checkpoint step-0"),
    ],
)
def test_bad_choices_are_named_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, correlate_section: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        run(tmp_path, monkeypatch, correlate=correlate_section)
    assert not correlation.TABLE.path.exists()
    assert not scores.PLOT.path.exists()


WITHHELD = ("r", "p", "spearman", "interval", "permutation_p", "smallest_p", "within_language", "within_checkpoint",
            "mixed_slope", "mixed_interval", "mixed_p", "mixed_note")  # fmt: skip


def notes(**of_cells: object) -> set[str | None]:
    """The notes of the totals, or of the cells that have these values; a note and statistics exclude each other."""
    cells = [cell for cell in correlation.TABLE.read() if of_cells.items() <= cell.items()]
    for cell in cells:
        assert cell["note"] is None or {cell[name] for name in WITHHELD} == {None}
    return {cell["note"] for cell in cells}


def without_scores(root: Path, pattern: str) -> None:
    for file in root.glob(f"data/transfer/{pattern}/{scores.TABLE.path.name}"):
        file.unlink()


def without_pairs(languages: tuple[str, ...] | None = None, category: str | None = None) -> None:
    """Takes pairs of different languages out of the table: all, those of a category, those of some languages."""
    table = overlap.PAIRS.read()
    gone = table["language_a"] != table["language_b"]
    if languages is not None:
        gone &= table["language_a"].isin(languages) | table["language_b"].isin(languages)
    if category is not None:
        gone &= table["category"] == category
    overlap.PAIRS.write(table[~gone])


def test_points_without_scores_are_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    without_scores(tmp_path, "pos/step-[38]0")
    correlate(synthetic_study.params())
    assert capsys.readouterr().err.splitlines() == [
        "warning: left out, no such file: data/transfer/pos/step-30/scores.parquet, "
        "data/transfer/pos/step-80/scores.parquet"
    ]
    assert {key: cell["n"] for key, cell in totals().items()} == {
        ("xnli", "average"): 5, ("xnli", "pairwise"): 25, ("pos", "average"): 3, ("pos", "pairwise"): 15,
    }  # fmt: skip
    pos = drops.TABLE.read().query("series == 'pos'")
    assert list(zip(pos["before"], pos["checkpoint"], strict=True)) == [
        ("step-0", "step-180"), ("step-180", "step-400")
    ]  # fmt: skip


def test_a_task_that_was_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    without_scores(tmp_path, "xnli/*")
    correlate(synthetic_study.params())
    assert notes(task="xnli") == {"not run: no scores"}
    assert notes(task="pos") == {None}
    assert [cell["n"] for cell in correlation.TABLE.read() if cell["task"] == "xnli"] == [0, 0], (
        "said once, of the totals"
    )
    numbers = correlation.SUMMARY.read()
    assert len(numbers) == 9
    assert {name for name, value in numbers.items() if value is None} == {"xnli_last", "xnli_average_r"}
    assert set(drops.TABLE.read()["series"]) == {"overlap", "pos"}
    without_scores(tmp_path, "pos/*")
    correlate(synthetic_study.params())
    assert notes() == {"not run: no scores"}
    assert scores.PLOT.read().empty
    assert correlation.POINTS.read().empty
    assert set(drops.TABLE.read()["series"]) == {"overlap"}


@pytest.mark.parametrize("converged", [False, True])
def test_one_checkpoint_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converged: bool) -> None:
    run(tmp_path, monkeypatch, Synthetic(steps={"pocket": (400,)}, converged=converged))
    left_out = "no checkpoint but the converged model, which does not count here"
    pairwise_pos = {"task": "pos", "aggregation": "pairwise"}
    assert notes(**pairwise_pos) == {"one checkpoint only"}
    assert notes(task="xnli") == {left_out if converged else "one checkpoint only"}
    assert drops.TABLE.read().empty
    numbers = correlation.SUMMARY.read()
    assert len(numbers) == 9
    assert numbers["overlap_first"] == numbers["overlap_last"]


def test_all_checkpoints_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Synthetic(steps={"pocket": (0, 30, 80), "other": (0, 30, 80)})
    synthetic_study.write(tmp_path, study)
    monkeypatch.chdir(tmp_path)
    for entry in synthetic_study.manifests(study):
        if entry.model == "other":
            manifest.write(manifest.path(entry.checkpoint), replace(entry, dropped=True))
    correlate(synthetic_study.params(study))
    assert notes(model="other") == {"every checkpoint is dropped as a duplicate"}
    assert len([cell for cell in correlation.TABLE.read() if cell["model"] == "other"]) == 4
    assert notes(model="pocket") == {None}
    for entry in synthetic_study.manifests(study):
        manifest.write(manifest.path(entry.checkpoint), replace(entry, dropped=True))
    correlate(synthetic_study.params(study))
    assert notes() == {"every checkpoint is dropped as a duplicate"}
    assert correlation.POINTS.read().empty
    assert drops.TABLE.read().empty
    assert set(correlation.SUMMARY.read().values()) == {None}
    assert len(correlation.SUMMARY.read()) == 9


def test_a_category_of_one_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    without_pairs(category="Number")
    correlate(synthetic_study.params())
    assert notes(category="Number", aggregation="average") == {"no two languages compared here have the category"}
    assert notes(category="Number", aggregation="pairwise") == {
        "the source language and a target language do not both have the category"
    }
    assert notes(category=None) == notes(category="Part of Speech") == {None}
    assert len([cell for cell in correlation.TABLE.read() if cell["category"] == "Number"]) == 4 * 2


def test_no_category_that_two_languages_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    without_pairs()
    correlate(synthetic_study.params())
    assert notes(category=None, aggregation="average") == {"no category that two languages compared here share"}
    assert notes(category=None, aggregation="pairwise") == {
        "no category that the source language and a target language share"
    }
    assert correlation.POINTS.read().empty
    assert set(drops.TABLE.read()["series"]) == {"xnli", "pos"}
    overlap.PAIRS.write(overlap.PAIRS.read().iloc[:0])
    before = correlation.TABLE.path.read_bytes()
    correlate(synthetic_study.params())
    assert correlation.TABLE.path.read_bytes() == before, "a table without any row says the same"


def test_a_target_language_without_common_category(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    without_pairs(languages=("qab",))
    correlate(synthetic_study.params())
    assert notes() == {None}
    assert totals()["xnli", "pairwise"]["n"] == 5 * 4
    assert "qab" not in set(correlation.POINTS.read()["language"])
    without_pairs(languages=("qaa",))
    correlate(synthetic_study.params())
    assert notes(aggregation="average", category=None) == {None}
    assert notes(aggregation="pairwise", category=None) == {
        "no category that the source language and a target language share"
    }


def slow_mixed_model(x: Matrix, y: Matrix) -> tuple[float, float]:
    """The slope and its error by generalised least squares, the variances' ratio by trying very many."""
    present = ~(np.isnan(x) | np.isnan(y))
    language = np.nonzero(present)[1]
    same = (language[:, None] == language[None, :]).astype(float)
    design, score = np.column_stack([np.ones(present.sum()), x[present]]), y[present]
    free = len(score) - 2

    def fit(ratio: float) -> tuple[float, float, float]:
        weights = np.linalg.inv(np.eye(len(score)) + ratio * same)
        information = design.T @ weights @ design
        coefficients = np.linalg.solve(information, design.T @ weights @ score)
        left = score - design @ coefficients
        variance = left @ weights @ left / free
        likelihood = free * np.log(variance) - np.linalg.slogdet(weights)[1] + np.linalg.slogdet(information)[1]
        return -likelihood, float(coefficients[1]), float(np.sqrt(variance * np.linalg.inv(information)[1, 1]))

    ratios = np.array([0.0, *np.geomspace(1e-4, 1e4, 161)])
    for _ in range(4):
        best = int(np.argmax([fit(ratio)[0] for ratio in ratios]))
        ratios = np.linspace(ratios[max(best - 1, 0)], ratios[min(best + 1, len(ratios) - 1)], 41)
    return fit(ratios[best] if best else ratios[0])[1:]


def with_levels(
    seed: int, *, levels: float, slope: float = 0.5, shape: tuple[int, int] = (6, 7)
) -> tuple[Matrix, Matrix]:
    """Points of languages whose score has a level of its own."""
    generator = np.random.default_rng(seed)
    x = 0.1 + 0.02 * generator.normal(size=shape)
    return x, 0.5 * x + levels * generator.normal(size=shape[1]) + 0.02 * generator.normal(size=shape)


@pytest.mark.parametrize("levels", [0.0, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_mixed_model_equals_the_slow_implementation(levels: float, seed: int) -> None:
    x, y = with_levels(seed, levels=levels)
    x[1, 2], y[3, 0], y[0, 0] = np.nan, np.nan, np.nan
    found = analysis.mixed_model(x, y)
    assert found.slope is not None
    assert found.interval is not None
    slope, error = slow_mixed_model(x, y)
    assert found.slope == pytest.approx(slope, abs=1e-4 * error)
    assert found.interval == pytest.approx((slope - 1.959964 * error, slope + 1.959964 * error), abs=1e-3 * error)
    assert found.p == pytest.approx(2 * norm.sf(abs(slope) / error), rel=1e-3)


def test_the_mixed_model_is_that_of_statsmodels() -> None:
    x, y = with_levels(0, levels=0.05)
    frame = pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "language": np.tile(np.arange(7), 6)})
    fitted = mixedlm("y ~ x", frame * [100, 100, 1], groups="language").fit(reml=True)
    found = analysis.mixed_model(x, y)
    assert found.slope == pytest.approx(fitted.fe_params["x"], rel=1e-4)
    assert found.p == pytest.approx(fitted.pvalues["x"], rel=0.05)
    assert found.interval == pytest.approx(tuple(fitted.conf_int().loc["x"]), rel=0.01)


def test_the_mixed_model_finds_a_slope_that_levels_turn_round() -> None:
    # Languages with more overlap score less, but within each the score rises with the overlap by 0.5 (Simpson).
    generator = np.random.default_rng(0)
    level = np.linspace(0, 1, 7)
    x = level + 0.1 * generator.normal(size=(8, 7))
    y = 0.5 * x - 2 * level + 0.01 * generator.normal(size=(8, 7))
    assert analysis.pearson(x, y).r < -0.9
    found = analysis.mixed_model(x, y)
    assert found.interval is not None
    assert found.interval[0] < 0.5 < found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.1


@pytest.mark.parametrize("trials", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_the_mixed_models_interval_holds_the_slope_as_often_as_it_says(trials: int) -> None:
    held = 0
    for seed in range(trials):
        found = analysis.mixed_model(*with_levels(seed, levels=0.05, shape=(8, 11)))
        assert found.interval is not None
        held += found.interval[0] <= 0.5 <= found.interval[1]
    assert held / trials == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / trials) ** 0.5)


def test_units_do_not_matter_to_the_mixed_model() -> None:
    x, y = with_levels(1, levels=0.05)
    once, scaled = analysis.mixed_model(x, y), analysis.mixed_model(1e4 * x + 7, 1e-3 * y - 2)
    assert scaled.slope == pytest.approx(1e-7 * once.slope)  # type: ignore[operator]
    assert scaled.p == pytest.approx(once.p)


def test_a_mixed_model_that_cannot_be_fitted_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = with_levels(0, levels=0.05)
    level = np.arange(7.0)
    for overlap_rate, score, note in (
        (x[:, :1], y[:, :1], "one language only"),
        (x[:1], y[:1], "too few points for a level per language, a slope and an error"),
        (x, 3 * x, "the points lie on parallel lines: no error is left to measure"),
        (x, 3 * x + level, "the points lie on parallel lines: no error is left to measure"),
    ):
        found = analysis.mixed_model(overlap_rate, score)
        assert (found.slope, found.interval, found.p, found.note) == (None, None, None, note)
    fit = "statsmodels.regression.mixed_linear_model.MixedLM.fit"
    monkeypatch.setattr(fit, lambda *_, **__: SimpleNamespace(converged=False, cov_re=np.ones((1, 1)), scale=1.0))
    assert analysis.mixed_model(x, y) == analysis.MixedModel(None, None, None, "the fit does not converge")

    def singular(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError

    monkeypatch.setattr(fit, singular)
    assert analysis.mixed_model(x, y).note == "the fit does not converge"


@pytest.mark.usefixtures("in_finished")
def test_cells_hold_the_mixed_model() -> None:
    points = correlation.POINTS.read()
    for (task, aggregation), cell in totals().items():
        if aggregation == "average":
            assert {cell[name] for name in WITHHELD if name.startswith("mixed")} == {None}
            continue
        table = points[(points["task"] == task) & (points["aggregation"] == aggregation)]
        x, y = (table.pivot(index="step", columns="language", values=name).to_numpy() for name in ("overlap", "score"))
        slope, error = slow_mixed_model(x, y)
        assert cell["mixed_slope"] == pytest.approx(slope, rel=1e-4)
        assert cell["mixed_interval"] == pytest.approx([slope - 1.96 * error, slope + 1.96 * error], rel=1e-3)
        assert cell["mixed_note"] is None


def test_correlations_equal_scipys() -> None:
    generator = np.random.default_rng(4)
    for _ in range(20):
        x, y = generator.integers(0, 6, size=(2, 6, 4)).astype(float)
        y += 0.5 * x
        found, expected = analysis.pearson(x, y), pearsonr(x.ravel(), y.ravel())
        assert (found.r, found.p) == pytest.approx((expected.statistic, expected.pvalue))
        assert analysis.spearman(x, y) == pytest.approx(spearmanr(x.ravel(), y.ravel()).statistic)


def shared_null(generator: np.random.Generator) -> tuple[Matrix, Matrix]:
    """Four checkpoints, each with an overlap and a score of its own that have nothing to do with each other, and six
    languages that differ little."""
    x, y = (generator.normal(size=(4, 1)) + 0.3 * generator.normal(size=(4, 6)) for _ in range(2))
    return x, y


def test_the_permutation_p_is_uniform_under_a_null_with_shared_checkpoint_effects() -> None:
    """Of 24 permutations each rank of the observed one is equally likely, so p is 1/24, ..., 24/24 equally often."""
    generator = np.random.default_rng(2)
    ranks = [round(24 * analysis.permutation_test(*shared_null(generator), resamples=1, seed=0).p) for _ in range(1200)]
    counts = np.bincount(ranks, minlength=25)
    assert counts[0] == 0
    assert chisquare(counts[1:]).pvalue > 0.01


def test_a_permutation_of_each_language_by_itself_is_not_uniform() -> None:
    generator = np.random.default_rng(3)
    p = []
    for _ in range(200):
        x, y = shared_null(generator)
        drawn = generator.permuted(np.tile(y, (100, 1, 1)), axis=1)
        observed, *found = (abs(np.corrcoef(x.ravel(), one.ravel())[0, 1]) for one in (y, *drawn))
        p.append((1 + np.sum(np.array(found) >= observed)) / 101)
    assert kstest(p, "uniform").pvalue < 1e-6
    assert np.mean(np.array(p) <= 0.05) > 0.3


@pytest.mark.parametrize("aggregation", ["average", "pairwise"])
@pytest.mark.parametrize("checkpoints", [4, 6, 8])
def test_the_measured_coverage_is_that_of_a_fresh_simulation(checkpoints: int, aggregation: str) -> None:
    told, studies = analysis.measured_coverage(checkpoints, aggregation), 400
    assert told is not None
    assert told < 0.95, "clusters are few"
    fresh = analysis.simulated_coverage(checkpoints, aggregation, studies=studies, seed=1)  # type: ignore[arg-type]
    assert fresh == pytest.approx(told, abs=3.5 * (told * (1 - told) * (1 / studies + 1 / coverage.STUDIES)) ** 0.5)


def test_the_true_r_is_that_of_very_many_checkpoints() -> None:
    for aggregation in ("average", "pairwise"):
        x, y = coverage.simulated_points(np.random.default_rng(0), 100_000, aggregation, coverage.CHECKPOINT_R)
        assert np.corrcoef(x.ravel(), y.ravel())[0, 1] == pytest.approx(coverage.true_r(aggregation), abs=0.005)


def test_the_published_table_is_the_measured_coverage() -> None:
    published = (ROOT / "benchmarks/results/interval_coverage.md").read_text(encoding="utf-8")
    for (checkpoints, aggregation), share in coverage.MEASURED.items():
        line = next(line for line in published.splitlines() if line.startswith(f"| {checkpoints} |"))
        assert line.split("|")[{"average": 4, "pairwise": 5}[aggregation]].strip() == f"{share:.1%}"
    assert analysis.measured_coverage(2, "average") is None


@pytest.mark.usefixtures("in_finished")
def test_json_holds_no_nan() -> None:
    json.loads(correlation.TABLE.path.read_text(), parse_constant=lambda name: pytest.fail(name))
