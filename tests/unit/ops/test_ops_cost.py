"""What a study is said to cost, against closed forms and against what the pocket study took."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from polyprobe.ops import cost
from polyprobe.ops.cost import (
    Cost,
    Shape,
    corpus_words,
    costs,
    left_out_checkpoints,
    say_cost,
    shape_of,
    split_words,
    stage_costs,
)
from polyprobe.running.errors import BadInputError
from polyprobe.study import HUB, Checkpoint, Study, load_study
from support import ROOT, sections


@pytest.fixture
def pocket() -> Study:
    return load_study(ROOT / "studies/pocket.yaml")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_shapes_have_the_parameters_that_their_names_say() -> None:
    models = {name: Shape(**shape) for name, shape in cost.constants()["models"].items()}
    for name, millions in (("560m", 559), ("1b1", 1065), ("1b7", 1722), ("3b", 3003), ("7b1", 7069)):
        assert models[f"bigscience/bloom-{name}"].parameters / 1e6 == pytest.approx(millions, rel=0.005)


def test_costs_add_up() -> None:
    assert Cost(words=1, disk=2) + Cost(words=3, flops=4) == Cost(words=4, disk=2, flops=4)


def test_the_pocket_study_takes_what_is_said(pocket: Study) -> None:
    """Against the sizes that dvc.lock records; the probes took 9 s on two cores per checkpoint."""
    lock = YAML(typ="safe").load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    sizes = {
        name: sum(out["size"] for out in stage["outs"] if out["path"].startswith("data/"))
        for name, stage in lock.items()
    }
    found = costs(pocket)
    embedded = sum(size for name, size in sizes.items() if name.startswith("extract@"))
    assert found["extract"].disk == pytest.approx(embedded, rel=0.1)
    assert found["pretrain"].disk == pytest.approx(sizes["pretrain@pocket"], rel=0.1)
    assert found["convert_unimorph"].words == pytest.approx(277_000, rel=0.02)


def test_operations_follow_the_layers_and_the_examples(pocket: Study) -> None:
    changes = {"checkpoints": {"a": Checkpoint(**sections.checkpoint(weights="x"))}}
    one = costs(pocket.model_copy(update=changes | {"layers": [3]}))
    both = costs(pocket.model_copy(update=changes | {"layers": [3, 5]}))
    # The pass ends at the highest layer: 4 blocks instead of 2; what is kept doubles.
    assert both["extract"].flops == pytest.approx(2 * one["extract"].flops)
    assert both["extract"].disk == pytest.approx(2 * one["extract"].disk)
    assert both["probe"].core_hours == pytest.approx(2 * one["probe"].core_hours)
    assert both["finetune_xnli"] == one["finetune_xnli"]
    embeddings_only = costs(pocket.model_copy(update=changes | {"layers": [1]}))
    assert embeddings_only["extract"].flops == 0


def test_caps_are_heeded(pocket: Study) -> None:
    corpus = corpus_words(pocket)["qaa"]
    assert split_words(pocket, corpus) == {"train": 1500, "dev": 400, "test": 400}
    everything = pocket.model_copy(update={"extract": pocket.extract.model_copy(update={"max_words": None})})
    assert split_words(everything, corpus)["train"] > 30_000


def test_models_are_known_by_repository_or_folder(pocket: Study, tmp_path: Path) -> None:
    def of(**given: object) -> Shape:
        study = sections.study_of({"c": sections.checkpoint(**{"model": "m", "weights": "x"} | given)})
        return shape_of(study, "c", study.checkpoint("c"))

    hub = {"weights": HUB}
    assert of(repository="bigscience/bloom-1b7-intermediate", revision="global_step1000", **hub).width == 2048
    with pytest.raises(BadInputError, match=r"cost\.yaml: models: no shape of a/b, expected a line for it"):
        of(repository="a/b", revision="main", **hub)
    settings = '{"model_type": "llama", "num_hidden_layers": 6, "hidden_size": 64}'
    (tmp_path / "config.json").write_text(settings, encoding="utf-8")
    assert of(weights=tmp_path) == Shape(6, 64, 0)


@pytest.mark.parametrize(
    "study", sorted(file.stem for file in (ROOT / "studies").glob("*.yaml") if "." not in file.stem)
)
def test_every_study_has_a_cost(
    study: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    say_cost(study, rate=1e12)
    printed = capsys.readouterr().out
    assert printed.startswith(f"study {study}: ")
    assert "at 1e+12 operations per second" in printed
    assert printed.splitlines()[-1].startswith("| total | ")


def test_an_unknown_study_is_named() -> None:
    with pytest.raises(BadInputError, match=r"studies/none\.yaml: no such file"):
        say_cost("none", rate=None)


def test_untied_embeddings_count_twice() -> None:
    models = {name: Shape(**shape) for name, shape in cost.constants()["models"].items()}
    for name, millions in (
        ("70m", 70.4),
        ("410m", 405),
        ("1.4b", 1415),
        ("2.8b", 2775),
        ("6.9b", 6857),
        ("12b", 11846),
    ):
        assert models[f"EleutherAI/pythia-{name}"].parameters / 1e6 == pytest.approx(millions, rel=0.005)


def test_known_duplicates_cost_their_download_alone() -> None:
    paper = load_study(ROOT / "studies/paper.yaml")
    found = stage_costs(paper)
    for key, stages in (("1b7-10k", {"resolve"}), ("1b7-100k", {"resolve", "extract", "probe", "finetune_xnli"})):
        assert {name for name in stages | {"extract"} if f"{name}@{key}" in found} == stages
    first = paper.duplicates.model_copy(update={"policy": "keep_first"})
    assert left_out_checkpoints(paper.model_copy(update={"duplicates": first})) == {
        "560m-500k", "1b7-10k", "1b7-300k",
    }  # fmt: skip
    none = paper.duplicates.model_copy(update={"policy": "fail", "known": []})
    everything = paper.model_copy(update={"duplicates": none})
    assert left_out_checkpoints(everything) == set()
    assert costs(everything)["resolve"] == costs(paper)["resolve"]
    assert costs(everything)["probe"].core_hours > costs(paper)["probe"].core_hours


def test_a_params_file_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes((ROOT / "studies/tiny.yaml").read_bytes())
    say_cost(str(file), rate=None)
    assert capsys.readouterr().out.startswith("study tiny: ")


def test_what_was_counted_in_the_study_in_force_is_taken(pocket: Study, tmp_path: Path) -> None:
    assert costs(pocket)["convert_unimorph"].words > 200_000
    (tmp_path / "params.yaml").write_bytes((ROOT / "studies/pocket.yaml").read_bytes())
    (tmp_path / "metrics").mkdir()
    entries = json.loads((ROOT / "metrics/mapping.json").read_text(encoding="utf-8"))
    for words in (10, 20):
        few = [entry | {"words": words} for entry in entries]
        (tmp_path / "metrics/mapping.json").write_text(json.dumps(few), encoding="utf-8")
        assert costs(pocket)["convert_unimorph"].words == words * len({entry["language"] for entry in entries})
