"""The stage `probe` on made-up embeddings whose carriers are known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from polyprobe.artefacts import embeddings, probes
from polyprobe.artefacts import overlap as plots
from polyprobe.probes import Dataset, Run, inputs_of, probe_dataset
from polyprobe.probes.controls import labels_under
from polyprobe.running.errors import BadInputError
from polyprobe.stages import probe as stage
from polyprobe.stages.overlap import overlap
from polyprobe.study import Study
from support.planted_embeddings import OWN, SHARED, WIDTH, study_with, write_manifest, write_planted, write_words

READERS = {
    "pairs": plots.PAIRS.read,
    "means": plots.MEANS.read,
    "heatmap": plots.HEATMAP.read,
    "told": probes.PLOT.read,
}
CARRIERS = {"qaa": SHARED, "qab": SHARED, "qac": OWN}


def made_up_study(**probe: Any) -> Study:
    settings = {
        "controls": ["none", "shuffled_labels"], "seeds": 2, "k_max": 6, "standardise": "language", "epochs": 40,
        "patience": 5,
    }  # fmt: skip
    return study_with(
        languages=[*CARRIERS],
        checkpoints={"last": {"model": "made-up", "weights": "w", "step": 90}},
        layers=[2],
        categories=["Number"],
        overlap={"k": 6},
        probe=settings | probe,
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYPROBE_WORKERS", "1")
    monkeypatch.setenv("POLYPROBE_DEVICE", "cpu")
    monkeypatch.setenv("POLYPROBE_SCRATCH", str(tmp_path / ".scratch"))
    write_planted(tmp_path, "last", CARRIERS)
    write_manifest(tmp_path, "last", step=90)
    return tmp_path


def found(frame: pd.DataFrame, language: str, seed: int = 0, control: str = "none") -> pd.DataFrame:
    return frame[(frame["language"] == language) & (frame["seed"] == seed) & (frame["control"] == control)]


def test_planted_neurons_are_found_and_overlap(root: Path) -> None:
    study = made_up_study()
    stage.probe(study, "last")
    frame = probes.TABLE.read(probes.TABLE.at(checkpoint="last"))
    assert len(frame) == 3 * 3 * 6
    assert list(found(frame, "qaa")["rank"]) == list(range(6))
    assert len(found(frame, "qaa", seed=1)) == 6
    assert found(frame, "qaa", 1, "shuffled_labels").empty, "controls are trained once"
    for language, carriers in CARRIERS.items():
        assert set(found(frame, language)["neuron"]) == set(carriers)
    proper, control = (frame[frame["control"] == name] for name in ("none", "shuffled_labels"))
    last = proper[proper["rank"] == 5]
    assert (last["test_accuracy"] > last["test_majority"] + 0.3).all()
    assert (last["test_information_normalised"] > 0.7).all()
    assert (frame[["dev_information_normalised", "test_information_normalised"]] <= 1).all(axis=None)
    assert (frame["dev_information"] <= 1).all(), "two labels have at most one bit"
    assert (control["test_information_normalised"] < 0.1).all()
    assert (frame["classes"] == 2).all()
    assert frame["train_words"].between(300, 350).all(), "words without an embedding or a value are left out"

    overlap(study)
    pairs = plots.PAIRS.read().set_index(["control", "language_a", "language_b"])
    assert pairs["overlap"].loc[("none", "qaa", "qab")] > 0.9
    assert pairs["significant"].loc[("none", "qaa", "qab")]
    assert pairs["overlap"].loc[("none", "qaa", "qac")] < 0.2
    assert pairs["overlap"].loc[("none", "qaa", "qaa")] > 0.9
    assert pairs["corrected"].loc["shuffled_labels"].abs().max() < 0.5
    assert not pairs["significant"].loc["shuffled_labels"].any()


@pytest.mark.slow
def test_tables_do_not_depend_on_workers_nor_on_memory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made_up_study(epochs=2)
    stage.probe(study, "last")
    once = probes.TABLE.at(checkpoint="last").read_bytes()
    stage.probe(study, "last")
    assert probes.TABLE.at(checkpoint="last").read_bytes() == once, "from memory"
    monkeypatch.setenv("POLYPROBE_SCRATCH", str(root / "other"))
    monkeypatch.setenv("POLYPROBE_WORKERS", "2")
    stage.probe(study, "last")
    assert probes.TABLE.at(checkpoint="last").read_bytes() == once, "by two workers"


def test_a_finished_dataset_is_remembered_and_a_changed_one_is_not(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []

    def counting(*arguments: Any, **settings: Any) -> Any:
        trained.append(1)
        return probe_dataset(*arguments, **settings)

    monkeypatch.setattr("polyprobe.probes.probe_dataset", counting)
    stage.probe(made_up_study(epochs=2), "last")
    assert len(trained) == 3
    stage.probe(made_up_study(epochs=2), "last")
    assert len(trained) == 3
    write_planted(root / "elsewhere", "last", {"qaa": SHARED}, seed=1)
    source = embeddings.path(root / "elsewhere" / embeddings.FOLDER / "last", 2, "qaa")
    source.replace(embeddings.path(embeddings.FOLDER / "last", 2, "qaa"))
    stage.probe(made_up_study(epochs=2), "last")
    assert len(trained) == 4, "one language's embeddings changed"
    stage.probe(made_up_study(epochs=3, ridge=0.5), "last")
    assert len(trained) == 7
    stage.probe(made_up_study(epochs=3, ridge=0.1), "last")
    assert len(trained) == 7, "a setting of another family"
    assert len(list((root / ".scratch").rglob("*.json.gz"))) == 7


def test_a_dropped_checkpoint_has_an_empty_table(root: Path) -> None:
    for file in (embeddings.FOLDER / "last").glob("layer-*/*"):
        file.unlink()
    for folder in (embeddings.FOLDER / "last").glob("layer-*"):
        folder.rmdir()
    stage.probe(made_up_study(), "last")
    assert probes.TABLE.read(probes.TABLE.at(checkpoint="last")).empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": ["Number", "Case"]}, "categories: no language has 'Case', expected two values of 20 words"),
        ({"probe": {"k_max": WIDTH + 1}}, f"probe.k_max: expected at most the {WIDTH} neurons of last"),
        ({"probe": {"held_out": 0.999}}, "last, layer 2, qaa, Number: expected more than 3.. words, 3.. of which"),
    ],
)
def test_bad_input_changes_no_output(root: Path, change: dict[str, Any], message: str) -> None:
    stage.probe(made_up_study(epochs=1), "last")
    before = probes.TABLE.at(checkpoint="last").read_bytes()
    study = made_up_study()
    values = study.model_dump()
    for name, value in change.items():
        values[name] = values[name] | value if isinstance(value, dict) else value
    with pytest.raises(BadInputError, match=message):
        stage.probe(Study.model_validate(values), "last")
    assert probes.TABLE.at(checkpoint="last").read_bytes() == before


@pytest.mark.parametrize("standardise", ["none", "language"])
def test_embeddings_that_are_no_numbers_are_named(root: Path, standardise: str) -> None:
    file = embeddings.path(embeddings.FOLDER / "last", 2, "qab")
    array, rows = embeddings.read(file)
    array[:, 7] = np.nan
    embeddings.write(file, array, rows, {})
    with pytest.raises(BadInputError, match="last, layer 2, qab, Number: test: word 0, neuron 7: expected a finite"):
        stage.probe(made_up_study(epochs=1, standardise=standardise), "last")


def test_a_killed_stage_goes_on_from_the_datasets_that_are_done(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []

    def killed_at_the_third(*arguments: Any, **settings: Any) -> Any:
        trained.append(1)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return probe_dataset(*arguments, **settings)

    monkeypatch.setattr("polyprobe.probes.probe_dataset", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        stage.probe(made_up_study(epochs=2), "last")
    assert not probes.TABLE.at(checkpoint="last").exists()
    stage.probe(made_up_study(epochs=2), "last")
    assert len(trained) == 4, "two datasets were done"


def test_random_word_types_are_a_control_beside_the_null(root: Path) -> None:
    study = made_up_study(controls=["none", "shuffled_labels", "random_word_types"])
    stage.probe(study, "last")
    frame = probes.TABLE.read(probes.TABLE.at(checkpoint="last"))
    control = frame[frame["control"] == "random_word_types"]
    assert len(control) == 3 * 6
    assert (control["test_information_normalised"] < 0.1).all(), "each made-up word is a type of its own"
    rest = frame[frame["control"] != "random_word_types"].reset_index(drop=True)
    stage.probe(made_up_study(), "last")
    pd.testing.assert_frame_equal(
        rest, probes.TABLE.read(probes.TABLE.at(checkpoint="last")), check_categorical=False, check_dtype=False
    )
    overlap(made_up_study())
    without = {name: read() for name, read in READERS.items()}
    stage.probe(study, "last")
    overlap(study)
    for name, read in READERS.items():
        table = read()
        if "control" in table:
            table = table[table["control"] != "random_word_types"].reset_index(drop=True)
        pd.testing.assert_frame_equal(table, without[name], check_categorical=False, check_dtype=False)


def test_a_category_that_one_language_lacks_is_left_out_there(root: Path) -> None:
    splits = ["train"] * 720 + ["dev"] * 320 + ["test"] * 320
    write_words(root, "qac", {"Number": ["SG"] * len(splits)}, splits)
    stage.probe(made_up_study(epochs=1), "last")
    assert set(probes.TABLE.read(probes.TABLE.at(checkpoint="last"))["language"]) == {"qaa", "qab"}


def test_standardised_over_the_train_words_alone() -> None:
    random = np.random.default_rng(0)
    hidden = (random.normal(size=(50, 4)) * 100 + 3).astype(np.float16)
    hidden[:, 2] = 7
    splits = ["train"] * 30 + ["test"] * 20
    inputs = inputs_of(hidden, splits, "language").numpy()
    np.testing.assert_allclose(inputs[:30].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(inputs[:30].std(0), [1, 1, 0, 1], atol=1e-5)
    np.testing.assert_array_equal(inputs_of(hidden, splits).numpy(), hidden.astype(np.float32))
    with pytest.raises(ValueError, match="unknown standardise 'all'"):
        inputs_of(hidden, splits, "all")


def test_shuffled_labels_keep_their_frequencies() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(-1, 3, 300)
    splits = random.permutation(["train"] * 150 + ["dev"] * 75 + ["test"] * 75)
    dataset = Dataset.of(inputs_of(random.normal(size=(300, 8)).astype(np.float16), splits), labels, splits)
    runs = [Run("none", 0, 1), Run("shuffled_labels", 0, 2)]
    rows = probe_dataset(dataset, runs, "poisson", 2, epochs=2, patience=2)
    assert [row["control"] for row in rows] == ["none", "none", "shuffled_labels", "shuffled_labels"]
    assert rows[0]["test_majority"] == rows[2]["test_majority"]
    assert rows[0]["train_words"] == ((labels >= 0) & (splits == "train")).sum()
    with pytest.raises(ValueError, match="unknown control 'none_such'"):
        probe_dataset(dataset, [Run("none_such", 0, 1)], "poisson", 2)


def typed_dataset() -> tuple[Dataset, list[np.ndarray], np.ndarray]:
    """A dataset of 120 types with its types and labels per set."""
    random = np.random.default_rng(0)
    labels, types = random.choice(3, 900, p=[0.6, 0.3, 0.1]), random.integers(0, 120, 900)
    splits = np.array(["train"] * 500 + ["dev"] * 200 + ["test"] * 200)
    dataset = Dataset.of(inputs_of(random.normal(size=(900, 8)), splits), labels, splits, types)
    return dataset, [types[splits == name] for name in ("train", "dev", "test")], labels[:500]


def drawn_by_type(dataset: Dataset, seed: int) -> dict[int, int]:
    """Each type's label, which is one whatever the set."""
    assert dataset.types is not None
    own = [dataset.train[1], dataset.dev[1], dataset.test[1]]
    drawn = labels_under("random_word_types", own, dataset.types, seed)
    assert [len(one) for one in drawn] == [len(one) for one in own]
    pairs = {(int(kind), int(label)) for kinds, one in zip(dataset.types, drawn, strict=True)
             for kind, label in zip(kinds, one, strict=True)}  # fmt: skip
    assert len(pairs) == len(dict(pairs)), "one label per type"
    return dict(pairs)


def test_a_word_type_has_one_random_label_in_every_set() -> None:
    dataset, types, labels = typed_dataset()
    by_type = drawn_by_type(dataset, 5)
    assert set(by_type) == set(np.concatenate(types))
    assert drawn_by_type(dataset, 5) == by_type
    assert drawn_by_type(dataset, 6) != by_type
    order = torch.randperm(500, generator=torch.Generator().manual_seed(0))
    assert dataset.types is not None
    moved = replace(
        dataset,
        train=(dataset.train[0][order], dataset.train[1][order]),
        types=(dataset.types[0][order], *dataset.types[1:]),
    )
    assert drawn_by_type(moved, 5) == by_type, "the order of the words does not matter"
    share = np.bincount(labels) / len(labels)
    counts = sum(np.bincount([*drawn_by_type(dataset, seed).values()], minlength=3) for seed in range(50))
    np.testing.assert_allclose(counts / (50 * 120), share, atol=4 * 0.5 / np.sqrt(50 * 120))


def test_a_draw_that_cannot_be_probed_is_drawn_anew() -> None:
    labels = [torch.tensor([0, 0, 0, 0, 0, 0, 1, 1]), torch.tensor([0, 1]), torch.tensor([0, 1])]
    types = [torch.arange(4).repeat(2), torch.tensor([0, 1]), torch.tensor([2, 3])]
    for seed in range(20):
        train, dev, test = labels_under("random_word_types", labels, types, seed)
        assert train.bincount().min() >= 2
        assert set(dev.tolist()) == set(test.tolist()) == {0, 1}
    with pytest.raises(ValueError, match="draws for 1 word types left a class with fewer than two train words"):
        labels_under("random_word_types", labels, [torch.zeros_like(one) for one in labels], 0)
    with pytest.raises(ValueError, match="expected the words' types"):
        labels_under("random_word_types", labels, None, 0)


def test_types_in_train_and_test_are_learnt_by_heart() -> None:
    """With a neuron per type the control is perfectly learnable where test words' types were trained on."""
    types = np.tile(np.arange(12), 60)
    splits = np.repeat(["train", "dev", "test"], 240)
    labels = np.random.default_rng(1).integers(0, 2, len(types))
    dataset = Dataset.of(inputs_of(np.eye(12)[types], splits), labels, splits, types)
    rows = probe_dataset(dataset, [Run("random_word_types", 0, 3)], "poisson", 12, entropy_scale=0.01, epochs=300)
    assert rows[-1]["test_accuracy"] == 1


def test_digests_tell_datasets_apart() -> None:
    random = np.random.default_rng(0)
    splits = ["train"] * 10 + ["dev"] * 5 + ["test"] * 5
    inputs, labels = inputs_of(random.normal(size=(20, 3)), splits), random.integers(0, 2, 20)
    one = Dataset.of(inputs, labels, splits)
    assert one.digest() == Dataset.of(inputs.clone(), labels.copy(), splits).digest()
    assert one.digest() != Dataset.of(inputs, 1 - labels, splits).digest()
    assert one.digest() != Dataset.of(inputs + 1e-3, labels, splits).digest()
    assert one.digest() != Dataset.of(inputs, labels, list(reversed(splits))).digest()
    typed = Dataset.of(inputs, labels, splits, np.arange(20))
    assert (
        len({one.digest(), typed.digest(), Dataset.of(inputs, labels, splits, np.zeros(20, dtype=int)).digest()}) == 3
    )
