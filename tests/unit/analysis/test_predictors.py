"""Other predictors of transfer: partial correlation against textbook formulas, planted relations told apart."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyprobe import analysis
from polyprobe.analysis.partial_correlation import partial_correlations
from polyprobe.artefacts import manifest, predictors, scores, similarity
from polyprobe.running.seeds import derive_seed
from polyprobe.stages.correlate import correlate
from polyprobe.stages.predictors import predictors as stage
from support import ROOT, synthetic_study

CHECKPOINTS, LANGUAGES = 8, 7


def test_a_partial_correlation_is_that_of_the_formula() -> None:
    x, y, z = np.random.default_rng(0).normal(size=(3, 30)) + np.linspace(0, 3, 30)
    xy, xz, yz = (float(np.corrcoef(a, b)[0, 1]) for a, b in ((x, y), (x, z), (y, z)))
    formula = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert analysis.partial_correlation(x, y, [z]) == pytest.approx(formula)
    assert analysis.partial_correlation(x, y, []) == pytest.approx(xy)
    inverse = np.linalg.inv(np.corrcoef([x, y, z, x * z]))
    expected = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    assert analysis.partial_correlation(x, y, [z, x * z]) == pytest.approx(expected)


def test_nothing_is_left_of_what_is_given() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 10))
    assert analysis.partial_correlation(x, y, [2 * x + 1]) is None
    assert analysis.partial_correlation(x[:3], y[:3], [y[:3] ** 2]) is None, "three points fit anything"


def points(scenario: str, seed: int) -> pd.DataFrame:
    """Pairwise points: quality grows with training; overlap follows it, but for the scenario `none`; the score follows
    quality alone, or overlap itself."""
    generator = np.random.default_rng([seed, len(scenario)])
    quality = np.linspace(0, 1, CHECKPOINTS) + generator.normal(0, 0.15, CHECKPOINTS)
    noise, own = generator.normal(0, 0.1, (2, CHECKPOINTS, LANGUAGES))
    overlap = (0 if scenario == "none" else quality[:, None]) + 2 * own
    score = {"none": quality[:, None], "quality": quality[:, None], "overlap": overlap}[scenario] + noise
    return pd.DataFrame(
        {
            "model": "m",
            "task": "pos",
            "aggregation": "pairwise",
            "checkpoint": np.repeat([f"c{number}" for number in range(CHECKPOINTS)], LANGUAGES),
            "language": np.tile([f"l{number}" for number in range(LANGUAGES)], CHECKPOINTS),
            "overlap": overlap.ravel(),
            "score": score.ravel(),
            "similarity": np.nan,
            "probe_accuracy": np.repeat(quality, LANGUAGES) + generator.normal(0, 0.02, CHECKPOINTS * LANGUAGES),
            "source_score": np.repeat(quality, LANGUAGES),
        }
    )


def told(scenario: str, seed: int) -> pd.Series:
    cells = [{"model": "m", "task": "pos", "aggregation": "pairwise", "category": None, "at_chance": False}]
    table = analysis.predictor_table(points(scenario, seed), cells, resamples=200, seed=0)
    return table[table["predictor"] == "overlap"].iloc[0]


def test_planted_relations_are_told_apart() -> None:
    """None: no r. Through quality alone: an r that goes when quality is held fixed. Through overlap: one that stays."""
    found = {name: [told(name, seed) for seed in range(12)] for name in ("none", "quality", "overlap")}
    r, partial = (
        {name: np.array([row[column] for row in rows], dtype=float) for name, rows in found.items()}
        for column in ("r", "partial")
    )
    assert abs(r["none"].mean()) < 0.1
    assert (r["quality"] > 0.5).all()
    assert (r["overlap"] > 0.7).all()
    assert abs(partial["quality"].mean()) < 0.1
    assert (partial["overlap"] > 0.7).all()
    above_zero = {name: sum(row["low"] > 0 for row in rows) for name, rows in found.items()}
    assert above_zero["overlap"] == 12
    assert above_zero["quality"] <= 2
    assert {row["given"] for rows in found.values() for row in rows} == {"probe_accuracy source_score"}


@pytest.mark.parametrize(
    ("checkpoints", "studies"),
    [pytest.param(6, 60, marks=pytest.mark.slow), pytest.param(20, 30, marks=pytest.mark.soak)],
)
def test_whole_simulated_studies_are_told_apart(
    checkpoints: int, studies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the tables of overlap and scores on, with languages of different levels and noise that checkpoints share."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    simulated = importlib.import_module("simulated_studies")
    found = {
        planted: simulated.told(planted, checkpoints, studies, resamples=300)
        for planted in ("none", "quality", "overlap")
    }
    rarely = 0.05 + 3 * (0.05 * 0.95 / studies) ** 0.5
    for aggregation in ("average", "pairwise"):
        told_of = {planted: of_planted[aggregation] for planted, of_planted in found.items()}
        assert told_of["none"].permutation <= rarely
        assert told_of["quality"].permutation > 0.5
        assert told_of["overlap"].permutation > 0.9
        assert told_of["quality"].r > 0.5
        assert abs(told_of["quality"].partial) < 0.15
        assert told_of["overlap"].partial > 0.7
        if (aggregation, checkpoints) == ("average", 6):
            assert told_of["overlap"].given_others is None, "six points are too few"
        else:
            assert told_of["none"].given_others <= rarely
            assert told_of["quality"].given_others <= rarely
            assert told_of["overlap"].given_others > 0.9


def test_the_interval_is_that_of_the_slow_bootstrap() -> None:
    """Checkpoints and languages drawn again; resamples that say nothing left out."""
    table = points("overlap", 3).query("checkpoint < 'c4'").reset_index(drop=True)
    given = ["probe_accuracy", "source_score"]
    cells = [{"model": "m", "task": "pos", "aggregation": "pairwise", "category": None, "at_chance": False}]
    row = analysis.predictor_table(table, cells, resamples=300, seed=0).iloc[0]
    assert row["given"].split() == given
    generator = np.random.default_rng(derive_seed(0, "predictors", "m", "pos", "pairwise", "overlap"))
    drawn = [generator.integers(0, size, (300, size)) for size in (4, LANGUAGES)]
    found = []
    for checkpoints, languages in zip(*drawn, strict=True):
        rows = [LANGUAGES * checkpoint + language for checkpoint in checkpoints for language in languages]
        sample = table.loc[rows]
        left = []
        design = np.column_stack([np.ones(len(sample)), *(sample[name] for name in given)])
        for name in ("overlap", "score"):
            values = sample[name].to_numpy()
            left.append(values - design @ np.linalg.lstsq(design, values, rcond=None)[0])
        free = len(set(rows)) - np.linalg.matrix_rank(design)
        r = np.corrcoef(*left)[0, 1]
        found += [r] if free >= 2 and abs(r) < 1 - 1e-9 else []
    assert len(found) > 150
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(found, [0.025, 0.975])))


@pytest.mark.parametrize(("checkpoints", "given", "known"), [(5, 1, False), (6, 1, True), (6, 2, False), (8, 2, True)])
def test_too_few_checkpoints_give_no_interval(checkpoints: int, given: int, known: bool) -> None:
    """A sample of as many checkpoints has too few different ones for a correlation that is not 1 by construction; the
    share of samples with enough of them follows from counting."""
    enough = [
        len(set(drawn)) >= 3 + given
        for drawn in np.random.default_rng(0).integers(0, checkpoints, (20_000, checkpoints)).tolist()
    ]
    assert bool(np.mean(enough) > 0.5) is known
    generator = np.random.default_rng(1)
    columns = {name: generator.normal(size=checkpoints) for name in ("overlap", "score", "probe_accuracy")}
    columns["source_score"] = generator.normal(size=checkpoints) if given == 2 else np.full(checkpoints, np.nan)
    table = pd.DataFrame(columns).assign(
        model="m", task="pos", aggregation="average", language="all", similarity=np.nan,
        checkpoint=[f"c{number}" for number in range(checkpoints)],
    )  # fmt: skip
    row = analysis.predictor_table(table, [], resamples=400, seed=0).iloc[0]
    assert len(row["given"].split()) == given
    assert pd.notna(row["overlap_partial"])
    assert bool(pd.notna(row["low"])) is known
    if known:
        assert -1 < row["low"] < row["high"] < 1


def test_partial_correlations_of_samples_are_those_of_their_points() -> None:
    generator = np.random.default_rng(2)
    x, y, z = generator.normal(size=(3, 12))
    counts = generator.integers(0, 3, size=(40, 12))
    counts[0] = 0
    counts[1] = 0
    counts[1, :3] = 2
    counts[2, :] = 0
    counts[2, :4] = 1
    found = partial_correlations(x, y, [z, 2 * z - 1], counts)
    for times, value in zip(counts, found, strict=True):
        if (times > 0).sum() < 4:
            assert np.isnan(value)
        else:
            kept = [np.repeat(values, times) for values in (x, y, z)]
            assert value == pytest.approx(analysis.partial_correlation(kept[0], kept[1], [kept[2]]))
    assert np.isnan(partial_correlations(x, 3 * z + 2, [z], counts)).all(), "nothing is left of what is given"


def test_one_checkpoint_is_withheld() -> None:
    cells = [{"model": "m", "task": "pos", "aggregation": "pairwise", "category": None, "at_chance": False}]
    table = analysis.predictor_table(points("overlap", 0).query("checkpoint == 'c1'"), cells, resamples=20, seed=0)
    assert table[["r", "partial", "overlap_partial", "low", "high"]].isna().all(axis=None)
    assert len(table) == len(predictors.PREDICTORS)


def test_a_task_at_chance_is_withheld() -> None:
    cells = [{"model": "m", "task": "pos", "aggregation": "pairwise", "category": None, "at_chance": True}]
    table = analysis.predictor_table(points("overlap", 0), cells, resamples=20, seed=0)
    assert table[["r", "partial", "overlap_partial", "low", "high"]].isna().all(axis=None)
    assert table["n"].tolist() == [56, 0, 56, 56]


def test_the_studys_points_get_their_predictors(tmp_path: Path) -> None:
    synthetic_study.complete(tmp_path)
    table = predictors.TABLE.read(tmp_path / predictors.TABLE.path)
    assert len(table) == 2 * 2 * len(predictors.PREDICTORS)
    counts = table.set_index(["task", "aggregation", "predictor"])["n"]
    # Five checkpoints; five target languages, one of them without parallel sentences.
    assert counts["pos", "average", "similarity"] == 5
    assert counts["pos", "pairwise", "similarity"] == 5 * 4
    assert counts["pos", "pairwise", "probe_accuracy"] == 5 * 5
    assert counts["pos", "pairwise", "overlap"] == 5 * 4
    assert (table["r"] > 0.4).all(), "all of them grow with training"


@pytest.mark.slow
def test_studies_with_missing_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run() -> pd.DataFrame:
        correlate(synthetic_study.params())
        stage(synthetic_study.params())
        return predictors.TABLE.read()

    similarity.TABLE.at(checkpoint="step-30").unlink()
    counts = run().set_index(["task", "aggregation", "predictor"])["n"]
    assert capsys.readouterr().err == ("warning: left out, no such file: data/similarity/step-30.parquet\n")
    assert counts["pos", "pairwise", "similarity"] == 4 * 4
    for file in tmp_path.glob(f"{similarity.TABLE.path.parent}/*.parquet"):
        file.unlink()
    table = run()
    assert table.loc[table["predictor"] == "similarity", "n"].tolist() == [0] * 4
    assert "similarity" not in " ".join(table.loc[table["predictor"] == "overlap", "given"])
    assert (table.loc[table["predictor"] == "overlap", "n"] > 0).all()
    for file in tmp_path.glob(f"data/transfer/xnli/*/{scores.TABLE.path.name}"):
        file.unlink()
    assert set(run()["task"]) == {"pos"}
    for file in tmp_path.glob(f"data/transfer/pos/*/{scores.TABLE.path.name}"):
        file.unlink()
    assert run().empty
    for entry in synthetic_study.manifests(synthetic_study.POCKET):
        manifest.write(manifest.path(entry.checkpoint), replace(entry, dropped=True))
    assert run().empty
