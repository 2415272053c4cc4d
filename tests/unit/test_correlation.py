"""Correlation of overlap and transfer: against Table 1, slow obvious implementations and planted answers."""

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_study
from numpy.typing import NDArray
from synthetic_study import PAPER, POCKET, Synthetic

from polyprobe import analysis
from polyprobe.artefacts import correlation, manifest, overlap, scores
from polyprobe.running.errors import BadInputError
from polyprobe.stages.correlate import correlate

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
    ranks = [pd.Series(values[present]).rank().to_numpy() for values in (x, y)]
    assert analysis.spearman(x, y) == pytest.approx(slow_pearson(*ranks))


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
    return {(cell["task"], cell["aggregation"]): cell for cell in correlation.read() if cell["category"] is None}


def test_a_study_of_the_papers_size_has_the_papers_n(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, PAPER)
    cells = totals()
    assert {key: cell["n"] for key, cell in cells.items()} == {
        ("xnli", "average"): 6, ("xnli", "pairwise"): 42, ("pos", "average"): 6, ("pos", "pairwise"): 77,
    }  # fmt: skip
    assert {key for key, cell in cells.items() if cell["converged_included"]} == {("pos", "pairwise")}
    points = correlation.read_points()
    # The converged model's points stand in the table, used or not.
    assert len(points[points["aggregation"] == "average"]) == 2 * 7
    assert not points.loc[points["checkpoint"] == "560m-650000"].query("task == 'xnli'")["used"].any()
    # One cell per category and layer beside each total.
    assert len(correlation.read()) == 4 * (1 + 3 * 2)


@pytest.mark.usefixtures("in_finished")
def test_points_equal_the_slow_implementation() -> None:
    pairs = overlap.read_pairs()
    for point in correlation.read_points().itertuples():
        scored = scores.read(scores.folder(point.task, point.checkpoint) / scores.NAME)
        scored = scored[scored["metric"] == scores.MAIN_METRIC[point.task]].set_index("language")["score"]
        rates = []
        for row in pairs.itertuples():
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
    points = correlation.read_points()
    for (task, aggregation), cell in totals().items():
        of_cell = points[(points["task"] == task) & (points["aggregation"] == aggregation)]
        assert cell["r"] == pytest.approx(np.corrcoef(of_cell["overlap"], of_cell["score"])[0, 1], rel=1e-6)
        assert cell["interval"][0] <= cell["r"] <= cell["interval"][1] + 1e-9
        assert (cell["within_language"] is None) == (aggregation == "average")


def test_averages_give_each_category_the_same_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch)
    table = overlap.read_pairs()
    number_of_some = (table["category"] == "Number") & ~table["language_b"].isin(["qab", "qac"])
    overlap.write_pairs(overlap.PAIRS, table[~number_of_some])
    correlate(synthetic_study.params())
    kept = overlap.read_pairs().query("control == 'none' and studied and language_a != language_b")
    per_category = kept.groupby(["checkpoint", "category"])["overlap"].mean()
    for point in correlation.read_points().query("aggregation == 'average'").itertuples():
        assert point.overlap == pytest.approx(per_category[point.checkpoint].mean(), rel=1e-6)


def test_pairs_with_source_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, correlate={"pairs": "with_source", "resamples": 10})
    points = correlation.read_points().query("task == 'xnli'")
    pairwise = points[points["aggregation"] == "pairwise"].groupby("checkpoint")["overlap"].mean()
    average = points[points["aggregation"] == "average"].set_index("checkpoint")["overlap"]
    assert average.to_dict() == pytest.approx(pairwise.to_dict())


def test_chosen_layers_and_categories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, correlate={"layers": [0.5], "categories": ["POS"], "resamples": 10})
    parts = {(cell["category"], cell["layer"]) for cell in correlation.read()}
    assert parts == {(None, None), ("Part of Speech", 3)}
    both = [cell["r"] for cell in correlation.read() if cell["aggregation"] == "average" and cell["task"] == "pos"]
    assert both[0] == both[1]


def test_transfer_at_chance_is_flagged_and_withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, Synthetic(transfer_works=False))
    for cell in correlation.read():
        assert cell["at_chance"]
        assert {cell[name] for name in ("r", "p", "spearman", "interval", "permutation_p", "within_language")} == {None}
        assert "chance" in cell["note"]
    numbers = correlation.read_summary()
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
    table = overlap.read_pairs().assign(overlap=0.1)
    overlap.write_pairs(overlap.PAIRS, table)
    correlate(synthetic_study.params(Synthetic(steps={"pocket": (200, 400)}, languages=("qaa", "qab", "qac"))))
    assert totals()["xnli", "pairwise"]["note"] == "the overlap does not vary"
    assert "NaN" not in correlation.PATH.read_text()


def test_dropped_checkpoints_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    file = manifest.path("step-80")
    manifest.write(file, replace(manifest.read(file), dropped=True))
    correlate(synthetic_study.params())
    assert "step-80" not in set(correlation.read_points()["checkpoint"]) | set(scores.read_plot()["checkpoint"])
    assert totals()["xnli", "average"]["n"] == 4


def test_scores_are_averaged_over_seeds_in_the_studys_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    file = scores.folder("xnli", "step-400") / scores.NAME
    first = scores.read(file)
    scores.write(file, pd.concat([first, first.assign(seed=1, score=first["score"] + 0.02)], ignore_index=True))
    correlate(synthetic_study.params(languages=["qaf", "qaa", "qae", "qad", "qac", "qab"]))
    table = scores.read_plot()
    last = table[(table["checkpoint"] == "step-400") & (table["task"] == "xnli")]
    assert list(last["language"]) == ["qaa", "qaf", "qae", "qad", "qac", "qab"]
    expected = first.set_index("language")["score"] + 0.01
    assert last.set_index("language")["score"].to_dict() == pytest.approx(expected.to_dict(), rel=1e-6)
    assert last["spread"].tolist() == pytest.approx([0.02 / 2**0.5] * 6), "two seeds, 0.02 apart"
    assert table[table["checkpoint"] == "step-0"]["spread"].isna().all(), "one seed"


@pytest.mark.usefixtures("in_finished")
def test_the_summary_is_flat_small_and_true() -> None:
    numbers = correlation.read_summary()
    assert len(numbers) < 10
    means = overlap.read_means().query("studied and control == 'none'").groupby("checkpoint")["overlap"].mean()
    assert numbers["overlap_first"] == pytest.approx(means["step-0"], rel=1e-5)
    assert numbers["overlap_last"] == pytest.approx(means["step-400"], rel=1e-5)
    assert numbers["overlap_chance"] == 16 / 256
    assert numbers["overlap_null"] == pytest.approx(0.0, abs=0.01)
    assert numbers["ceiling_last"] == 0.9
    assert all(value is None or float(f"{value:.6g}") == value for value in numbers.values())


def test_a_summary_without_control_has_no_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    overlap.write_means(overlap.MEANS, overlap.read_means().query("control == 'none'"))
    correlate(synthetic_study.params())
    assert correlation.read_summary()["overlap_null"] is None


def test_the_same_inputs_give_the_same_bytes(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch)
    for file in (correlation.PATH, correlation.SUMMARY, correlation.POINTS, scores.PLOT):
        assert file.read_bytes() == (finished / file).read_bytes()


@pytest.mark.parametrize(
    ("correlate_section", "message"),
    [
        ({"layers": [9]}, r"params.yaml: correlate.layers: no layer 9, the model has layers 1 to 5"),
        ({"layers": [1]}, r"params.yaml: correlate: .* at layer 1 is not probed at checkpoint step-0"),
        ({"categories": ["Case"]}, r"params.yaml: correlate: no overlap is known for the chosen layers"),
    ],
)
def test_bad_choices_are_named_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, correlate_section: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        run(tmp_path, monkeypatch, correlate=correlate_section)
    assert not correlation.PATH.exists()
    assert not scores.PLOT.exists()


def test_missing_scores_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    (scores.folder("pos", "step-30") / scores.NAME).unlink()
    with pytest.raises(BadInputError, match=r"data/transfer/pos/step-30/scores.parquet: no such table"):
        correlate(synthetic_study.params())


@pytest.mark.usefixtures("in_finished")
def test_json_holds_no_nan() -> None:
    json.loads(correlation.PATH.read_text(), parse_constant=lambda name: pytest.fail(name))
