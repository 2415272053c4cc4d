"""Overlap of neurons: the test against permutations, corrections against statsmodels, the tables."""

from collections.abc import Callable
from itertools import combinations, combinations_with_replacement, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyprobe.alignment import CORRECTIONS, adjusted, overlap_test, pairwise_overlap, tables
from polyprobe.alignment.shared_neurons import expected_neurons, shared_neurons
from polyprobe.artefacts import overlap as plots
from polyprobe.artefacts import probes
from polyprobe.choices.sizes import largest_size
from polyprobe.resampling import language_bootstrap, standard_error
from polyprobe.running.errors import BadInputError
from polyprobe.stages.overlap import overlap
from polyprobe.study import Study
from support import synthetic_study
from support.planted_embeddings import study_with, write_manifest
from support.synthetic_study import Synthetic
from support.table_rows import named_rows


def test_p_is_the_tail_of_scipys_hypergeometric() -> None:
    from scipy.stats import hypergeom

    for k, dimensions in ((16, 256), (50, 1024), (5, 5)):
        for shared in range(k + 1):
            expected = float(hypergeom.sf(shared - 1, dimensions, k, k))
            assert overlap_test(shared, k, dimensions) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("dimensions", range(1, 11))
def test_p_is_the_share_of_all_sets_that_share_as_many(dimensions: int) -> None:
    for k in range(1, dimensions + 1):
        counts = np.array([sum(neuron < k for neuron in other) for other in combinations(range(dimensions), k)])
        for shared in range(k + 1):
            assert overlap_test(shared, k, dimensions) == pytest.approx((counts >= shared).mean(), abs=1e-15)


def test_p_is_what_permutations_tend_to() -> None:
    random, k, dimensions, permutations = np.random.default_rng(0), 6, 30, 20_000
    shared = (random.permuted(np.tile(np.arange(dimensions), (permutations, 1)), axis=1)[:, :k] < k).sum(1)
    for observed in range(5):
        p = overlap_test(observed, k, dimensions)
        error = np.sqrt(p * (1 - p) / permutations)
        assert abs((shared >= observed).mean() - p) <= 4 * error


@pytest.mark.parametrize(("shared", "k", "dimensions"), [(-1, 2, 4), (3, 2, 4), (2, 5, 4)])
def test_p_of_impossible_overlaps(shared: int, k: int, dimensions: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= shared <= k <= dimensions"):
        overlap_test(shared, k, dimensions)


def holm_one_by_one(p: list[float]) -> list[float]:
    """Step down: the smallest p is tested at level alpha / n, the next at alpha / (n - 1), up to one that fails."""
    order, n = sorted(range(len(p)), key=p.__getitem__), len(p)
    return [
        min(1.0, max((n - rank) * p[other] for rank, other in enumerate(order) if p[other] <= p[test]))
        for test in range(n)
    ]


def benjamini_yekutieli_one_by_one(p: list[float]) -> list[float]:
    """Step up: a test passes where some p at least as large is at most alpha * rank / (n * (1 + 1/2 + ... + 1/n))."""
    ascending, n = sorted(p), len(p)
    harmonic = sum(1 / rank for rank in range(1, n + 1))
    return [
        min(1.0, min(n * harmonic * value / rank for rank, value in enumerate(ascending, 1) if value >= p[test]))
        for test in range(n)
    ]


@pytest.mark.parametrize(
    ("correction", "slowly"), [("holm", holm_one_by_one), ("benjamini_yekutieli", benjamini_yekutieli_one_by_one)]
)
def test_corrections_equal_their_definitions(correction: str, slowly: Callable[[list[float]], list[float]]) -> None:
    random = np.random.default_rng(1)
    for p in (random.random(40) ** 4, np.array([0.01, 0.01, 0.5, 1.0]), np.array([0.2]), np.zeros(3)):
        np.testing.assert_allclose(adjusted(p, correction), slowly(p.tolist()), rtol=1e-12)
        assert adjusted(p, "none").tolist() == p.tolist()


def test_corrections_of_nothing() -> None:
    for correction in CORRECTIONS:
        assert len(adjusted(np.empty(0), correction)) == 0


def random_sets(seed: int, languages: int, seeds: int, k: int, dimensions: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        f"l{code}": np.stack([random.permutation(dimensions)[:k] for _ in range(seeds)]) for code in range(languages)
    }


def test_random_sets_overlap_by_chance() -> None:
    means = []
    for seed in range(60):
        pairs = pairwise_overlap(random_sets(seed, 5, 2, 8, 64), 8, 64)
        means.append(np.mean([pair.corrected for pair in pairs]))
    assert abs(np.mean(means)) < 2 * np.std(means, ddof=1) / np.sqrt(len(means))


def test_pairs_of_known_sets() -> None:
    neurons = {
        "a": np.array([[0, 1, 2, 3, 9], [0, 1, 2, 4, 9]]),
        "b": np.array([[3, 2, 1, 0, 8], [3, 2, 7, 6, 8]]),
    }
    ceiling, pair, other = pairwise_overlap(neurons, 4, 20, "none")
    assert (ceiling.language_a, ceiling.language_b, ceiling.shared, ceiling.p) == ("a", "a", 3, None)
    assert not ceiling.significant
    assert (other.language_a, other.language_b, other.shared) == ("b", "b", 2)
    assert (pair.language_a, pair.language_b) == ("a", "b")
    assert pair.shared == (4 + 2 + 3 + 1) / 4
    assert pair.standard_error == pytest.approx(np.sqrt(0.5 / 2 + 2 / 2) / 4), "row means 3, 2; column means 3.5, 1.5"
    assert ceiling.standard_error is None, "two seeds have one overlap"
    assert pair.p == overlap_test(4, 4, 20), "of the first seeds' sets"
    assert pair.expected == 0.2
    assert pair.corrected == pytest.approx((2.5 / 4 - 0.2) / 0.8)
    assert pair.significant
    swapped = pairwise_overlap(dict(reversed(neurons.items())), 4, 20, "none")[1]
    assert (swapped.shared, swapped.p) == (pair.shared, pair.p)


def test_standard_error_over_seeds_is_the_spread_over_repetitions() -> None:
    """Four seeds each, many times: the mean squared error that is stated is the variance that is seen."""
    found = [pairwise_overlap(random_sets(seed, 2, 4, 8, 24), 8, 24)[1] for seed in range(600)]
    stated = np.mean([pair.standard_error**2 for pair in found if pair.standard_error is not None])
    seen = np.var([pair.overlap for pair in found], ddof=1)
    spread = np.std([pair.standard_error**2 for pair in found if pair.standard_error is not None]) / np.sqrt(600)
    # Row and column means both hold the noise of single pairings, here all there is: the jackknife errs upwards.
    assert seen - 4 * spread < stated < 2 * seen + 4 * spread


def test_one_seed_has_no_ceiling() -> None:
    pairs = pairwise_overlap(random_sets(0, 3, 1, 4, 30), 4, 30)
    assert {pair.standard_error for pair in pairs} == {None}
    assert [(pair.language_a, pair.language_b) for pair in pairs] == [("l0", "l1"), ("l0", "l2"), ("l1", "l2")]


def test_too_few_neurons() -> None:
    with pytest.raises(ValueError, match="expected at least 5 neurons"):
        pairwise_overlap(random_sets(0, 3, 1, 4, 30), 5, 30)
    with pytest.raises(ValueError, match="out of more than 4, got 4"):
        pairwise_overlap(random_sets(0, 3, 1, 4, 4), 4, 4)


def test_jackknife_of_additive_pairs_is_that_of_the_languages() -> None:
    """A pair's value is the mean of its languages' own values, so the mean over pairs is the languages' mean."""
    own = dict(zip("abcdef", np.random.default_rng(3).normal(size=6), strict=True))
    pairs = [(a, b) for a in own for b in own if a < b]
    values = [(own[a] + own[b]) / 2 for a, b in pairs]
    truth = np.std(list(own.values()), ddof=1) / np.sqrt(6)
    assert standard_error(pairs, values) == pytest.approx(truth)
    assert standard_error([("a", "b")], [1.0]) is None


@pytest.mark.parametrize("k", [1, 4, 9])
def test_every_pair_is_what_counting_one_by_one_gives(k: int) -> None:
    """Languages with one, two, three and four seeds."""
    neurons = {f"l{seeds}": random_sets(seeds, 1, seeds, 9, 30)["l0"] for seeds in (1, 3, 2, 4)}
    found = pairwise_overlap(neurons, k, 30)
    names = [(a, b) for a, b in combinations_with_replacement(neurons, 2) if (a, b) != ("l1", "l1")]
    assert [(pair.language_a, pair.language_b) for pair in found] == names
    for pair in found:
        one, other = neurons[pair.language_a][:, :k], neurons[pair.language_b][:, :k]
        same = pair.language_a == pair.language_b
        pairings = list(combinations(one, 2)) if same else list(product(one, other))
        assert pair.shared == pytest.approx(np.mean([len({*mine} & {*its}) for mine, its in pairings]))
        assert pair.neurons == (() if same else tuple(sorted({*one[0].tolist()} & {*other[0].tolist()})))


def test_weighted_overlap_is_the_mean_over_sizes() -> None:
    neurons = random_sets(3, 3, 2, 6, 20)
    for pair in pairwise_overlap(neurons, 6, 20):
        one, other = neurons[pair.language_a], neurons[pair.language_b]
        pairings = [(one[0], one[1])] if pair.language_a == pair.language_b else list(product(one, other))
        rates = [len(set(mine[:size]) & set(its[:size])) / size for mine, its in pairings for size in range(1, 7)]
        assert pair.weighted == pytest.approx(np.mean(rates))
    same = {"a": np.arange(6)[None], "b": np.arange(6)[None], "c": np.arange(6)[::-1][None]}
    found = {(pair.language_a, pair.language_b): pair for pair in pairwise_overlap(same, 6, 20)}
    assert found["a", "b"].weighted_corrected == 1
    assert found["a", "c"].overlap == 1
    assert found["a", "c"].weighted < 0.6


def test_weighted_overlap_of_random_orders_is_zero_when_corrected() -> None:
    found = [
        pair.weighted_corrected
        for seed in range(300)
        for pair in pairwise_overlap(random_sets(seed, 2, 1, 8, 24), 8, 24)
    ]
    assert np.mean(found) == pytest.approx(0, abs=4 * np.std(found) / np.sqrt(len(found)))


def test_shared_neurons_by_hand() -> None:
    sets = {"a": {1, 2, 3}, "b": {1, 2, 4}, "c": {1, 2, 5}, "d": {1, 6, 7}}
    found = shared_neurons(sets, 3, 10)
    assert [(one.neuron, one.languages, one.found_in, one.probed_in) for one in found] == [
        (1, ("a", "b", "c", "d"), 4, 4),
        (2, ("a", "b", "c"), 3, 4),
    ]
    assert found[0].expected == pytest.approx(10 * 0.3**4)


def test_neurons_expected_in_many_languages_are_those_of_random_sets() -> None:
    generator = np.random.default_rng(8)
    counts = []
    for _ in range(2000):
        drawn = np.zeros(12, dtype=int)
        for _ in range(5):
            drawn[generator.choice(12, 4, replace=False)] += 1
        counts.append((drawn >= 3).sum())
    error = np.std(counts) / np.sqrt(len(counts))
    assert expected_neurons(3, 5, 4, 12) == pytest.approx(np.mean(counts), abs=4 * error)


def test_categories_are_compared_within_a_language() -> None:
    sets = {
        ("Number", "a"): [1, 2, 3],
        ("Number", "b"): [1, 2, 3],
        ("Case", "a"): [3, 2, 9],
        ("Case", "b"): [7, 8, 9],
        ("Tense", "c"): [1, 2, 3],
    }
    probes = pd.DataFrame(
        [
            {
                "layer": 2,
                "category": category,
                "language": language,
                "seed": 0,
                "control": "none",
                "rank": rank,
                "neuron": neuron,
            }
            for (category, language), neurons in sets.items()
            for rank, neuron in enumerate(neurons)
        ]
    ).assign(layer=2, seed=0, control="none")
    found = tables.categories_of_checkpoint(probes, 3, 12, [2], ["Case", "Number", "Tense"])
    (row,) = found.to_dict("records")
    assert (row["category_a"], row["category_b"], row["languages"]) == ("Case", "Number", 2)
    assert row["overlap"] == pytest.approx((2 / 3 + 0) / 2)
    assert row["corrected"] == pytest.approx((1 / 3 - 1 / 4) / (3 / 4))
    assert tables.categories_of_checkpoint(probes, 3, 12, [3], ["Case", "Number"]).empty


def test_the_interval_is_that_of_languages_drawn_again() -> None:
    """Against the obvious loop over drawn languages."""
    generator = np.random.default_rng(5)
    pairs = [(a, b) for a in "abcde" for b in "abcde" if a < b and (a, b) != ("b", "d")]
    table = dict(zip(pairs, generator.normal(size=len(pairs)), strict=True))
    means = []
    for counts in np.random.default_rng(0).multinomial(5, np.full(5, 0.2), 2000):
        drawn = [language for language, count in zip("abcde", counts, strict=True) for _ in range(count)]
        values = [table[pair] for pair in combinations(drawn, 2) if pair in table]
        means += [np.mean(values)] if values else []
    expected = tuple(np.quantile(means, [0.025, 0.975]))
    assert language_bootstrap(pairs, list(table.values())) == pytest.approx(expected)
    assert language_bootstrap([("a", "b")], [1.0]) is None


def test_the_interval_covers_the_mean_of_all_languages_less_often_than_it_says() -> None:
    """Values of pairs that are the mean of their two languages' own: 13 languages of a large population."""
    generator = np.random.default_rng(6)
    inside = 0
    for _ in range(300):
        own = generator.normal(size=13)
        pairs = list(combinations(range(13), 2))
        low, high = language_bootstrap(pairs, [(own[a] + own[b]) / 2 for a, b in pairs]) or (0.0, 0.0)
        inside += low <= 0 <= high
    assert 0.85 <= inside / 300 <= 0.96


def made_up_study(layers: list[int | float] | None = None) -> Study:
    return study_with(
        languages=["qaa", "qab", "qac"],
        checkpoints={
            "early": {"model": "made-up", "weights": "w", "step": 10},
            "late": {"model": "made-up", "weights": "w", "step": 90, "layers": [1], "categories": ["Case"]},
            "twin": {"model": "made-up", "weights": "w", "step": 80},
        },
        layers=layers or [2],
        categories=["Number"],
        overlap={"k": 4},
    )


def write_probes(root: Path, checkpoint: str, layers: list[int], categories: list[str], shared: int) -> None:
    """Six neurons per probe; the first `shared` are the same in every language, the others random."""
    rows = []
    random = np.random.default_rng(len(layers))
    for layer in layers:
        for place, language in enumerate(["qaa", "qab", "qac"]):
            for category in categories:
                for control, seeds in (("none", 2), ("shuffled_labels", 1)):
                    for seed in range(seeds):
                        common = list(range(shared)) if control == "none" else []
                        others = 10 + 10 * place + random.permutation(10)[: 6 - len(common)]
                        for rank, neuron in enumerate([*common, *others]):
                            rows.append([layer, language, category, seed, control, rank, neuron])
    frame = pd.DataFrame(rows, columns=probes.TABLE.schema.names[:7])
    probes.TABLE.write(
        frame.assign(**dict.fromkeys(probes.TABLE.schema.names[7:], 1)), probes.TABLE.at(root, checkpoint=checkpoint)
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_probes(tmp_path, "early", [2], ["Number"], 1)
    write_probes(tmp_path, "late", [1, 2], ["Number", "Case"], 3)
    write_probes(tmp_path, "twin", [], [], 0)
    for step, name in ((10, "early"), (90, "late"), (80, "twin")):
        write_manifest(tmp_path, name, step=step, dropped=name == "twin")
    return tmp_path


def test_the_stages_tables(root: Path) -> None:
    overlap(made_up_study())
    pairs, means = plots.PAIRS.read(), plots.MEANS.read()
    assert len(pairs) == (1 + 4) * (3 + 3 + 3), "controls have one seed, so no diagonal"
    assert set(means["checkpoint"]) == {"early", "late"}
    proper = means[(means["control"] == "none") & (means["category"] == "Number") & (means["layer"] == 2)]
    assert proper["overlap"].tolist() == [1 / 4, 3 / 4]
    assert (means["pairs"] == 3).all()
    assert (means["expected"] - 4 / 48).abs().max() < 1e-8
    assert means.loc[means["control"] == "shuffled_labels", "overlap"].eq(0).all()
    assert means.loc[means["control"] == "shuffled_labels", "ceiling"].isna().all()
    assert means.loc[means["control"] == "none", "ceiling"].between(0.25, 1).all()
    assert means["standard_error"].notna().all()
    assert (means["low"] <= means["overlap"]).all()
    assert (means["overlap"] <= means["high"]).all()
    assert (means["depth"] == (means["layer"] - 1) / 2).all()
    studied = (pairs["layer"] == 2) & (pairs["category"] == "Number")
    assert (pairs["studied"] == studied).all()
    neurons = plots.NEURONS.read()
    assert set(neurons["layer"]) == {2}
    assert set(neurons["category"]) == {"Number"}
    assert (neurons["languages"] == "qaa qab qac").all()
    assert neurons.groupby("checkpoint")["neuron"].count().to_dict() == {"early": 1, "late": 3}
    layers = plots.LAYERS.read()
    assert set(layers["checkpoint"]) == {"late"}
    assert set(layers["layer"]) == {1, 2}
    cells = plots.HEATMAP.read()
    assert set(cells["control"]) == {"none"}
    assert set(cells["checkpoint"]) == {"late"}
    assert set(cells["layer"]) == {2}
    assert set(cells["category"]) == {"Number", "Case"}
    for _, category in cells.groupby("category"):
        square = category.pivot(index="language_x", columns="language_y", values="overlap")
        assert (square.to_numpy() == square.to_numpy().T).all()
        assert not square.isna().any(axis=None)


def test_a_prefix_answers_for_a_smaller_k(root: Path) -> None:
    study = made_up_study()
    overlap(with_sizes(study, 3))
    pairs = plots.PAIRS.read()
    late = pairs[(pairs["checkpoint"] == "late") & (pairs["control"] == "none")]
    assert late["overlap"].eq(1).all()


TWO_MODELS = Synthetic(
    languages=("qaa", "qab", "qac", "qad"),
    steps={"small": (10, 20, 30), "large": (5, 9, 50)},
    converged=("small",),
    scan_categories=("Case",),
    scan_models=("small",),
    categories=("Number", "Tense"),
    k=8,
    width=64,
)
"""`small` has a layer scan of three categories at its last checkpoint; the last language has no Tense."""


@pytest.fixture
def two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    synthetic_study.write_neurons(tmp_path, TWO_MODELS)
    return synthetic_study.params(TWO_MODELS)


def with_sizes(study: Study, k: int | list[int]) -> Study:
    return study.model_copy(update={"overlap": study.overlap.model_copy(update={"k": k})})


def test_a_list_of_sizes_is_a_run_with_each(two_models: Study) -> None:
    chosen = ["checkpoint", "layer", "category", "control"]
    separate, files = [], {}
    for k in (3, 8):
        overlap(with_sizes(two_models, k))
        means = plots.MEANS.read()
        separate.append(means[means["studied"]])
        pd.testing.assert_frame_equal(plots.SIZES.read(), separate[-1].reset_index(drop=True))
        files = {file.name: file.read_bytes() for file in [*plots.FOLDER.iterdir(), probes.PLOT.path]}
    overlap(with_sizes(two_models, [8, 3]))
    pd.testing.assert_frame_equal(plots.SIZES.read(), pd.concat(separate, ignore_index=True))
    assert (plots.SIZES.read().groupby(chosen).size() == 2).all()
    assert set(plots.SIZES.read()["control"]) == {"none", "shuffled_labels"}
    for file in [*plots.FOLDER.iterdir(), probes.PLOT.path]:
        assert file.name == plots.SIZES.path.name or file.read_bytes() == files[file.name], "of the largest k"


def test_the_shared_neurons_of_a_pair_are_those_of_both_first_probes(two_models: Study) -> None:
    overlap(two_models)
    pairs = plots.PAIRS.read()
    sets = {}
    for checkpoint in two_models.checkpoints:
        found = probes.TABLE.read(probes.TABLE.at(checkpoint=checkpoint))
        found = found[(found["seed"] == 0) & (found["control"] == "none") & (found["rank"] < largest_size(two_models))]
        for where, part in found.groupby(["layer", "category", "language"], observed=True):
            sets[checkpoint, *where] = set(part["neuron"])
    empty = 0
    for row in named_rows(pairs):
        if row.control != "none" or row.language_a == row.language_b:
            assert pd.isna(row.neurons)
        else:
            one, other = (
                sets[row.checkpoint, row.layer, row.category, code] for code in (row.language_a, row.language_b)
            )
            listed = [] if pd.isna(row.neurons) else [int(neuron) for neuron in row.neurons.split(" ")]
            assert listed == sorted(one & other)
            size = largest_size(two_models)
            assert row.p == pytest.approx(overlap_test(len(listed), size, TWO_MODELS.width), rel=1e-8)
            empty += not listed
    assert empty, "some share none"


def test_each_model_has_a_last_checkpoint(two_models: Study) -> None:
    overlap(two_models)
    cells, layers = plots.HEATMAP.read(), plots.LAYERS.read()
    for table in (cells, layers):
        assert set(zip(table["model"], table["checkpoint"], strict=True)) == {
            ("small", "small-30"),
            ("large", "large-50"),
        }
    assert set(layers.loc[layers["model"] == "small", "layer"]) == {1, 2, 3, 4, 5}
    assert set(layers.loc[layers["model"] == "large", "layer"]) == {3, 4}
    shown = set(cells[["model", "layer", "category", "studied"]].itertuples(index=False, name=None))
    assert shown == {
        (model, layer, category, category != "Case")
        for model, categories in (("small", ["Number", "Tense", "Case"]), ("large", ["Number", "Tense"]))
        for layer in (3, 4)
        for category in categories
    }
    pairs = plots.PAIRS.read()
    pairs = pairs[pairs["checkpoint"].isin(["small-30", "large-50"]) & (pairs["control"] == "none")]
    pairs = pairs[pairs["layer"].isin([3, 4])]
    assert len(cells) == sum(1 if row.language_a == row.language_b else 2 for row in named_rows(pairs))


def test_the_last_checkpoint_is_that_with_most_layers_then_the_converged_then_the_latest() -> None:
    rows = [
        ("a", "scanned", 10, (1, 2, 3)), ("a", "later", 20, (2, 3)),
        ("b", "converged", 30, (2,)), ("b", "latest", 40, (2,)),
        ("c", "early", 1, (2,)), ("c", "late", 2, (2,)),
    ]  # fmt: skip
    table = pd.DataFrame(
        [(model, name, step, layer) for model, name, step, layers in rows for layer in layers],
        columns=["model", "checkpoint", "step", "layer"],
    )
    assert tables.last_checkpoints(table, ["converged"]) == ["scanned", "converged", "late"]
    assert tables.last_checkpoints(table, []) == ["scanned", "latest", "late"]
    assert tables.last_checkpoints(table[:0], []) == []


def keep(checkpoint: str, chosen: Callable[[pd.DataFrame], pd.Series]) -> None:
    """Takes all other probes out of a checkpoint's table."""
    found = probes.TABLE.read(probes.TABLE.at(checkpoint=checkpoint))
    probes.TABLE.write(found[chosen(found)].reset_index(drop=True), probes.TABLE.at(checkpoint=checkpoint))


def test_a_category_of_one_language_has_a_ceiling_and_no_mean(two_models: Study) -> None:
    for checkpoint in two_models.checkpoints:
        keep(checkpoint, lambda found: (found["category"] != "Tense") | (found["language"] == "qab"))
    overlap(two_models)
    pairs = plots.PAIRS.read()
    assert set(pairs.loc[pairs["category"] == "Tense", "control"]) == {"none"}
    assert set(
        pairs.loc[pairs["category"] == "Tense", ["language_a", "language_b"]].itertuples(index=False, name=None)
    ) == {("qab", "qab")}
    for means in (plots.MEANS.read(), plots.LAYERS.read(), plots.SIZES.read()):
        assert "Tense" not in set(means["category"])
        assert "Number" in set(means["category"])
    assert "Tense" not in set(plots.NEURONS.read()["category"])
    assert set(plots.CATEGORIES.read()["languages"]) == {1}
    assert "Tense" in set(probes.PLOT.read()["category"])


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_study_without_pairs_of_languages_has_empty_tables(two_models: Study, seeds: int) -> None:
    for checkpoint in two_models.checkpoints:
        keep(checkpoint, lambda found: (found["language"] == "qaa") & (found["seed"] < seeds))
    overlap(two_models)
    assert plots.PAIRS.read().empty == (seeds == 1)
    assert plots.HEATMAP.read().empty == (seeds == 1)
    assert plots.MEANS.read().empty
    assert plots.LAYERS.read().empty
    assert plots.SIZES.read().empty
    assert plots.NEURONS.read().empty


def test_nothing_but_dropped_checkpoints(root: Path) -> None:
    for name in ("early", "late"):
        write_manifest(root, name, step=1, dropped=True)
    overlap(made_up_study())
    assert plots.PAIRS.read().empty
    assert plots.LAYERS.read().empty
    assert plots.HEATMAP.read().empty
    assert plots.SIZES.read().empty


def test_a_layer_that_the_model_lacks_changes_no_output(root: Path) -> None:
    overlap(made_up_study())
    before = plots.PAIRS.path.read_bytes()
    with pytest.raises(BadInputError, match="no layer 7, the model has layers 1 to 3"):
        overlap(made_up_study([7]))
    assert plots.PAIRS.path.read_bytes() == before


def test_the_stage_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, polyprobe.stages.overlap; sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
