"""What must hold in the pocket study, read from the tables that `dvc repro` left in metrics/ and plots/."""

import math

import pandas as pd
import pytest

from committed_lock import stale
from polyprobe.artefacts import correlation, overlap, probes, scores
from polyprobe.study import Study, load_study
from support import ROOT


@pytest.fixture(scope="module")
def study() -> Study:
    """The study in force; these tests are about pocket."""
    found = load_study(ROOT / "params.yaml")
    if found.study != "pocket" or not (ROOT / overlap.PAIRS.path).exists():
        pytest.skip("the study in force is not pocket, or has not been run")
    if differences := stale(ROOT):
        pytest.skip(f"the tables in git are of other code than the tree's, run `dvc repro`: {differences[0]}")
    return found


@pytest.fixture(scope="module")
def pairs(study: Study) -> pd.DataFrame:
    """Overlap of two different languages at the study's layers and categories."""
    table = overlap.PAIRS.read(ROOT / overlap.PAIRS.path)
    return table[table["studied"] & (table["language_a"] != table["language_b"])]


@pytest.fixture(scope="module")
def told(study: Study) -> pd.DataFrame:
    return probes.PLOT.read(ROOT / probes.PLOT.path)


@pytest.fixture(scope="module")
def transfer(study: Study) -> pd.DataFrame:
    return scores.PLOT.read(ROOT / scores.PLOT.path)


def last(study: Study) -> str:
    return max(study.checkpoints, key=lambda key: study.checkpoints[key].step)


def first(study: Study) -> str:
    return min(study.checkpoints, key=lambda key: study.checkpoints[key].step)


def mean_and_error(pairs: pd.DataFrame, checkpoint: str, control: str) -> tuple[float, float]:
    """Mean corrected overlap over the cells pair × category × layer, and its standard error.

    The languages are the study's own, no sample of others: what varies is which neurons each probe finds. Under the
    null hypothesis the cells are uncorrelated, those that share a language too.
    """
    cells = pairs[(pairs["checkpoint"] == checkpoint) & (pairs["control"] == control)]["corrected"]
    return float(cells.mean()), float(cells.sem())  # type: ignore[arg-type]


def test_shuffled_labels_bring_the_overlap_to_chance(study: Study, pairs: pd.DataFrame) -> None:
    mean, error = mean_and_error(pairs, last(study), "shuffled_labels")
    assert abs(mean) <= 2 * error, (mean, error)


def test_the_last_checkpoint_overlaps_more_than_the_null_and_than_step_0(study: Study, pairs: pd.DataFrame) -> None:
    mean, error = mean_and_error(pairs, last(study), "none")
    assert mean > 2 * error
    for checkpoint, control in ((last(study), "shuffled_labels"), (first(study), "none")):
        other, other_error = mean_and_error(pairs, checkpoint, control)
        assert mean - other > 2 * math.hypot(error, other_error), (checkpoint, control)


def test_two_seeds_agree_far_more_than_two_languages(study: Study, pairs: pd.DataFrame) -> None:
    means = overlap.MEANS.read(ROOT / overlap.MEANS.path)
    means = means[means["studied"] & (means["control"] == "none")]
    assert (means["ceiling"] > 2 * means["overlap"]).all()


def test_probes_on_the_last_checkpoint_beat_the_majority_class(study: Study, told: pd.DataFrame) -> None:
    proper = told[(told["checkpoint"] == last(study)) & (told["control"] == "none")]
    assert (proper.groupby("category")[["test_accuracy", "test_majority"]].mean().diff(axis=1).iloc[:, 1] < 0).all()
    null = told[(told["checkpoint"] == last(study)) & (told["control"] == "shuffled_labels")]
    assert null["test_information_normalised"].mean() < 0.02


def test_information_never_exceeds_the_labels_entropy(told: pd.DataFrame) -> None:
    assert (told[["dev_information_normalised", "test_information_normalised"]] <= 1).all(axis=None)


def test_pos_tagging_is_far_above_the_majority_class(study: Study, transfer: pd.DataFrame) -> None:
    row = _source(study, transfer, "pos")
    assert row["score"] - max(row["majority"], row["untrained"]) > 10 * row["standard_error"]
    assert row["score"] > 0.8


def test_inference_is_above_chance(study: Study, transfer: pd.DataFrame) -> None:
    row = _source(study, transfer, "xnli")
    assert row["score"] - max(1 / 3, row["majority"], row["untrained"]) > 3 * row["standard_error"]


def test_tagging_transfers_better_to_near_languages_than_to_far_ones(study: Study, transfer: pd.DataFrame) -> None:
    pos = transfer[(transfer["task"] == "pos") & (transfer["metric"] == "f1") & (transfer["checkpoint"] == last(study))]
    score = pos.set_index("language")["score"]
    assert score[["qab", "qac"]].min() > score[["qae", "qaf"]].max()


def test_correlations_say_their_points_or_why_not(study: Study) -> None:
    cells = [cell for cell in correlation.TABLE.read(ROOT / correlation.TABLE.path) if cell["category"] is None]
    targets = len(study.languages) - 1
    for cell in cells:
        assert cell["n"] == len(study.checkpoints) * (targets if cell["aggregation"] == "pairwise" else 1)
        assert (cell["r"] is None) == bool(cell["note"])


def _source(study: Study, transfer: pd.DataFrame, task: str) -> pd.Series:
    rows = transfer[
        (transfer["task"] == task)
        & (transfer["metric"] == scores.MAIN_METRIC[task])
        & (transfer["checkpoint"] == last(study))
        & (transfer["language"] == study.source_language)
    ]
    assert len(rows) == 1
    return rows.iloc[0]
