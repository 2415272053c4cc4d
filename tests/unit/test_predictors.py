"""Other predictors of transfer: partial correlation against textbook formulas, planted relations told apart."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_study

from polyprobe import analysis
from polyprobe.artefacts import predictors

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


def test_a_task_at_chance_is_withheld() -> None:
    cells = [{"model": "m", "task": "pos", "aggregation": "pairwise", "category": None, "at_chance": True}]
    table = analysis.predictor_table(points("overlap", 0), cells, resamples=20, seed=0)
    assert table[["r", "partial", "overlap_partial", "low", "high"]].isna().all(axis=None)
    assert table["n"].tolist() == [56, 0, 56, 56]


def test_the_studys_points_get_their_predictors(tmp_path: Path) -> None:
    synthetic_study.complete(tmp_path)
    table = predictors.read(tmp_path / predictors.PATH)
    assert len(table) == 2 * 2 * len(predictors.PREDICTORS)
    counts = table.set_index(["task", "aggregation", "predictor"])["n"]
    # Five checkpoints; five target languages, one of them without parallel sentences.
    assert counts["pos", "average", "similarity"] == 5
    assert counts["pos", "pairwise", "similarity"] == 5 * 4
    assert counts["pos", "pairwise", "probe_accuracy"] == 5 * 5
    assert counts["pos", "pairwise", "overlap"] == 5 * 4
    assert (table["r"] > 0.4).all(), "all of them grow with training"
