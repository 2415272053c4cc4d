"""The drop detector: planted falls are found, noise is flagged as rarely as theory says, a small example by hand."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import hypot, sqrt
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from polyprobe import analysis
from polyprobe.artefacts import drops
from polyprobe.artefacts.manifest import Manifest
from polyprobe.resampling import standard_error
from support import synthetic_study
from support.synthetic_study import Synthetic

SOURCE, LANGUAGES = "en", ("en", "ar", "es", "fr", "hi", "ur", "vi", "zh")
PAIRS = list(combinations(LANGUAGES, 2))
Rates = Mapping[tuple[str, str], float]


def manifests(steps: Mapping[str, Sequence[int]], converged: Sequence[str] = ()) -> list[Manifest]:
    """One per model and step; the last step of some is the converged model."""
    models = synthetic_study.manifests(Synthetic(steps=steps, converged=converged))
    return models[::-1]


def pairs(entry: Manifest, rates: Rates, category: str = "Number", layer: int = 13) -> pd.DataFrame:
    """Rows of `plots/overlap/pairs.csv` of one checkpoint, as far as they are read."""
    return pd.DataFrame(
        [
            {
                "checkpoint": entry.checkpoint,
                "category": category,
                "layer": layer,
                "language_a": a,
                "language_b": b,
                "overlap": rate,
            }
            for (a, b), rate in rates.items()
        ]
    )


def scores(entry: Manifest, values: Mapping[str, float], standard_error: float, task: str = "pos") -> pd.DataFrame:
    """Rows of `plots/transfer.csv` of one checkpoint, as far as they are read."""
    metric = {"pos": "f1", "xnli": "accuracy"}[task]
    table = pd.DataFrame({"language": list(values), "score": list(values.values())})
    return table.assign(checkpoint=entry.checkpoint, task=task, metric=metric, standard_error=standard_error)


def table(
    overlap: Sequence[pd.DataFrame],
    transfer: Sequence[pd.DataFrame],
    of: Sequence[Manifest],
    pairs: Literal["all", "with_source"] = "all",
) -> pd.DataFrame:
    columns = {
        "overlap": ["checkpoint", "category", "layer", "language_a", "language_b", "overlap"],
        "transfer": ["checkpoint", "task", "metric", "language", "score", "standard_error"],
    }
    overlaps, transfers = (
        pd.concat([pd.DataFrame(columns=columns[name]), *frames], ignore_index=True) if frames else
        pd.DataFrame(columns=columns[name])
        for name, frames in (("overlap", overlap), ("transfer", transfer))
    )  # fmt: skip
    return analysis.drop_table(overlaps, transfers, of, source_language=SOURCE, pairs=pairs)


def test_by_hand() -> None:
    before, after = manifests({"m": (1, 2)})[::-1]
    first = {("en", "ar"): 0.50, ("en", "es"): 0.40, ("ar", "es"): 0.30}
    second = {("en", "ar"): 0.41, ("en", "es"): 0.28, ("ar", "es"): 0.21}
    # Falls of 0.09, 0.12 and 0.09: 0.10 in the mean; without one language one pair stays.
    noise = sqrt(2 / 3 * ((0.09 - 0.10) ** 2 + (0.12 - 0.10) ** 2 + (0.09 - 0.10) ** 2))
    found = table(
        [pairs(before, first), pairs(after, second)],
        [
            scores(before, {"en": 0.9, "ar": 0.6, "es": 0.7}, 0.03),
            scores(after, {"en": 0.1, "ar": 0.5, "es": 0.6}, 0.04),
        ],
        [after, before],
    )
    assert found[["series", "checkpoint", "before", "drop"]].to_numpy().tolist() == [
        ["overlap", "m-2", "m-1", True], ["pos", "m-2", "m-1", False],
    ]  # fmt: skip
    assert found["step"].tolist() == [2, 2]
    assert found["value"].tolist() == pytest.approx([0.30, 0.55])
    assert found["change"].tolist() == pytest.approx([-0.10, -0.10])
    assert found["noise"].tolist() == pytest.approx([noise, 0.05]), "the score falls by exactly two of them"


def test_the_noise_is_the_jackknifes_over_languages() -> None:
    generator = np.random.default_rng(0)
    before, after = manifests({"m": (1, 2)})[::-1]
    rates = {entry: dict(zip(PAIRS, generator.random(len(PAIRS)), strict=True)) for entry in (before, after)}
    found = table([pairs(entry, rates[entry]) for entry in rates], [], [before, after])
    expected = standard_error(PAIRS, [rates[after][pair] - rates[before][pair] for pair in PAIRS])
    assert found["noise"].tolist() == pytest.approx([expected])


def test_categories_count_the_same_however_many_languages_have_them() -> None:
    generator = np.random.default_rng(1)
    before, after = manifests({"m": (1, 2)})[::-1]
    of_cells = {("Number", 13): PAIRS, ("Number", 17): PAIRS, ("Case", 13): list(combinations(LANGUAGES[:4], 2))}
    frames, differences = [], []
    for (category, layer), both in of_cells.items():
        rates = {entry: generator.random(len(both)) for entry in (before, after)}
        frames += [
            pairs(entry, dict(zip(both, values, strict=True)), category, layer) for entry, values in rates.items()
        ]
        differences.append(dict(zip(both, rates[after] - rates[before], strict=True)))

    def mean_without(left_out: str | None) -> float:
        kept = [[value for pair, value in cell.items() if left_out not in pair] for cell in differences]
        return float(np.mean([np.mean(cell) for cell in kept]))

    without = np.array([mean_without(code) for code in LANGUAGES])
    found = table(frames, [], [before, after])
    assert found["change"].tolist() == pytest.approx([mean_without(None)])
    assert found["noise"].tolist() == pytest.approx([sqrt(7 / 8 * ((without - without.mean()) ** 2).sum())])


def test_pairs_with_source_leave_the_source_in() -> None:
    generator = np.random.default_rng(2)
    before, after = manifests({"m": (1, 2)})[::-1]
    rates = {entry: dict(zip(PAIRS, generator.random(len(PAIRS)), strict=True)) for entry in (before, after)}
    found = table([pairs(entry, rates[entry]) for entry in rates], [], [before, after], pairs="with_source")
    with_source = [pair for pair in PAIRS if SOURCE in pair]
    differences = np.array([rates[after][pair] - rates[before][pair] for pair in with_source])
    # One value per target language: the jackknife's error is that of a plain mean.
    assert found["change"].tolist() == pytest.approx([differences.mean()])
    assert found["noise"].tolist() == pytest.approx([differences.std(ddof=1) / sqrt(len(differences))])


def test_the_papers_falls_are_found_and_nothing_else() -> None:
    """The overlap and the score grow but for a fall at the end of one model, and one that the other recovers from."""
    steps = {
        "560m": (1_000, 100_000, 200_000, 300_000, 400_000, 600_000),
        "1b1": (1_000, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 700_000),
        "1b7": (1_000, 100_000, 200_000, 300_000),
    }
    fallen = {("560m", 600_000), ("1b1", 400_000)}
    generator = np.random.default_rng(3)
    own = dict(zip(PAIRS, generator.normal(0.2, 0.05, len(PAIRS)), strict=True))
    overlap, transfer = [], []
    everything = manifests(steps, converged=("1b1",))
    for entry in everything:
        growth = 0.1 + 0.3 * sorted(steps[entry.model]).index(entry.step) / len(steps[entry.model])
        size = 0.05 if (entry.model, entry.step) in fallen else growth
        rates = {pair: rate * size / 0.2 + generator.normal(0, 0.01) for pair, rate in own.items()}
        overlap += [pairs(entry, rates, category) for category in ("Number", "Gender", "Tense")]
        for task in ("xnli", "pos"):
            values = {code: 0.3 + size + generator.normal(0, 0.005) for code in LANGUAGES}
            transfer.append(scores(entry, values, 0.01, task))
    found = table(overlap, transfer, everything)
    assert len(found) == 3 * (5 + 7 + 3)
    assert {(row.model, row.step, row.series) for row in found[found["drop"]].itertuples()} == {
        (model, step, series) for model, step in fallen for series in ("overlap", "xnli", "pos")
    }
    # The converged model comes last, and the one before 1b1's fall is its neighbour in training.
    of_1b1 = found[(found["model"] == "1b1") & (found["series"] == "overlap")]
    assert of_1b1["step"].tolist() == sorted(steps["1b1"])[1:]


@pytest.mark.slow
@pytest.mark.parametrize("of_languages", [True, False], ids=["languages", "pairs"])
def test_noise_alone_is_flagged_as_rarely_as_theory_says(of_languages: bool) -> None:
    """With noise per language the jackknife's error is that of a mean of as many values, so a fall below two of them
    has the probability of t with one degree of freedom less; with noise per pair it is too large, never too small."""
    studies = 300
    generator = np.random.default_rng(4)
    everything = manifests({f"m{study}": (1, 2) for study in range(studies)})
    overlap = []
    for entry in everything:
        own = dict(zip(LANGUAGES, generator.normal(0, 0.02, len(LANGUAGES)), strict=True))
        single = generator.normal(0, 0.02, len(PAIRS))
        rates = {
            (a, b): 0.3 + (own[a] + own[b] if of_languages else noise)
            for (a, b), noise in zip(PAIRS, single, strict=True)
        }
        overlap.append(pairs(entry, rates))
    found = table(overlap, [], everything)
    assert len(found) == studies
    expected = float(t.cdf(-2, len(LANGUAGES) - 1))
    error = sqrt(expected * (1 - expected) / studies)
    rate = found["drop"].mean()
    assert rate <= expected + 3 * error
    if of_languages:
        assert rate >= expected - 3 * error


@pytest.mark.parametrize("correlated", [True, False])
def test_scores_that_only_vary_are_flagged_as_rarely_as_theory_says(correlated: bool) -> None:
    studies, size = 150, 0.02
    generator = np.random.default_rng(5)
    everything = manifests({f"m{study}": (1, 2) for study in range(studies)})
    transfer = []
    for entry in everything:
        noise = size * (generator.normal() if correlated else generator.normal(size=len(LANGUAGES)))
        values = dict(zip(LANGUAGES, np.broadcast_to(0.5 + noise, len(LANGUAGES)), strict=True))
        transfer.append(scores(entry, values, size))
    found = table([], transfer, everything)
    assert found["noise"].tolist() == pytest.approx([hypot(size, size)] * studies)
    expected = float(norm.cdf(-2))
    error = sqrt(expected * (1 - expected) / studies)
    rate = found["drop"].mean()
    assert rate <= expected + 3 * error
    if correlated:
        assert rate >= expected - 3 * error


def test_what_cannot_be_told_is_no_drop() -> None:
    before, after = manifests({"m": (1, 2)})[::-1]
    two = [pairs(before, {("en", "ar"): 0.9}), pairs(after, {("en", "ar"): 0.1})]
    found = table(two, [], [before, after])
    assert found["noise"].isna().all()
    assert not found["drop"].any(), "two languages have no jackknife"
    assert table([], [], [before, after]).empty, "no pair of languages, no scores"
    assert table(two[:1], [], [before]).empty, "one checkpoint"
    assert table([], [], []).empty
    same = [pairs(entry, dict.fromkeys(PAIRS, 0.1 + 0.2)) for entry in (before, after)]
    assert table(same, [], [before, after])["drop"].tolist() == [False]


def test_the_table_survives_its_file(tmp_path: Path) -> None:
    synthetic_study.complete(tmp_path)
    found = drops.TABLE.read(tmp_path / drops.TABLE.path)
    assert found["series"].unique().tolist() == ["overlap", "xnli", "pos"]
    assert found["step"].tolist() == [30, 80, 180, 400] * 3
    assert not found["drop"].any(), "alignment grows"
    drops.TABLE.write(found, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / drops.TABLE.path).read_bytes()
    empty = found.iloc[:0]
    drops.TABLE.write(empty, tmp_path / "empty.csv")
    assert list(drops.TABLE.read(tmp_path / "empty.csv").columns) == list(found.columns)
