"""The study `paper` is executed, not only written: its repositories and revisions, served from a hub on this machine.

The models have their true names, depth and heads, a small width and random weights.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from polyprobe.choices.repositories import repository_of
from polyprobe.study import Study, load_study
from support import ROOT
from support.loopback_hub import Models, serving_models
from support.tiny_project import Project, make_project

DATA = os.environ.get("POLYPROBE_DATA")
pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.real_data,
    pytest.mark.skipif(DATA is None, reason="POLYPROBE_DATA names no treebanks"),
]

BLOCKS, HEADS, WIDTH = 24, 16, 64
LANGUAGES = {"en": "UD_English", "es": "UD_Spanish", "ta": "UD_Tamil"}
DUPLICATES = [["560m-10k", "560m-500k"], ["1b7-1k", "1b7-10k"], ["1b7-250k", "1b7-300k"]]
SHARDED = "560m-10k"
CUT = ("560m-100k", "560m-converged")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The study in force in a repository, the hub filled."""
    folder = tmp_path_factory.mktemp("paper")
    with serving_models() as models, pytest.MonkeyPatch.context() as patch:
        publish(models, folder / "hub", load_study(ROOT / "studies" / "paper.yaml"))
        patch.setenv("HF_ENDPOINT", models.url)
        patch.setenv("HF_HOME", str(folder / "home"))
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.delenv("HF_TOKEN", raising=False)
        # On shared cores threads that wait for each other take many times as long.
        patch.setenv("POLYPROBE_THREADS", "1")
        yield make_project(folder / "project", "paper")


def publish(models: Models, folder: Path, study: Study) -> None:
    """Serves each checkpoint as it is published: the intermediate ones pickled, without tokenizer and prefix."""
    import torch
    from safetensors.torch import save_file
    from transformers import BloomConfig, BloomModel

    checkpoints = study.checkpoints
    folder.mkdir()
    write_tokenizer(folder)
    vocabulary = len(json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"])
    config = BloomConfig(
        vocab_size=vocabulary, hidden_size=WIDTH, n_layer=BLOCKS, n_head=HEADS, architectures=["BloomForCausalLM"],
        unk_token_id=0, bos_token_id=1, eos_token_id=2, pad_token_id=3,
    )  # fmt: skip
    for number, (key, checkpoint) in enumerate(checkpoints.items()):
        twin = next((pair[0] for pair in DUPLICATES if key in pair), key)
        torch.manual_seed(list(checkpoints).index(twin))
        tensors = {name: tensor.half() for name, tensor in BloomModel(config).state_dict().items()}
        target = folder / str(number)
        target.mkdir()
        config.save_pretrained(target)
        if checkpoint.converged:
            for name in ("tokenizer.json", "tokenizer_config.json"):
                (target / name).hardlink_to(folder / name)
            save_file(tensors, target / "model.safetensors", {"format": "pt"})
        elif key == SHARDED:
            names = sorted(tensors)
            parts = {"model-00001-of-00002.safetensors": names[:99], "model-00002-of-00002.safetensors": names[99:]}
            for name, part in parts.items():
                save_file({one: tensors[one] for one in part}, target / name, {"format": "pt"})
            places = {one: name for name, part in parts.items() for one in part}
            (target / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
        else:
            torch.save(tensors, target / "pytorch_model.bin")
        models.add(str(repository_of(study, key)), str(checkpoint.revision), target)


def write_tokenizer(folder: Path) -> None:
    """A tokenizer with the class and the settings of BLOOM's, trained on the treebanks that the cut has."""
    from tokenizers import ByteLevelBPETokenizer

    texts = [
        line.removeprefix("# text = ")
        for name in LANGUAGES.values()
        for file in sorted((Path(str(DATA)) / "ud-treebanks-v2.1" / name).glob("*dev.conllu"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("# text = ")
    ]
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(texts, vocab_size=4000, special_tokens=special, show_progress=False)
    bpe._tokenizer.save(str(folder / "tokenizer.json"))
    names = dict(zip(("unk_token", "bos_token", "eos_token", "pad_token"), special, strict=True))
    settings = names | {"tokenizer_class": "BloomTokenizerFast", "padding_side": "left"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.mark.slow
def test_all_checkpoints_are_resolved_and_exactly_the_known_duplicates_are_found(project: Project) -> None:
    script = (
        "from polyprobe.stages.resolve import resolve\n"
        "from polyprobe.stages.verify_checkpoints import verify_checkpoints\n"
        "from polyprobe.study import load_study\n"
        "study = load_study()\n"
        "for key in study.checkpoints:\n"
        "    resolve(study, key)\n"
        "verify_checkpoints(study)\n"
    )
    said = project.run("python", "-c", script).stdout
    for one, two in DUPLICATES:
        assert f"{one} and {two} hold the same weights; duplicates.policy: drop_both" in said
    rows = json.loads((project.path / "metrics" / "checkpoints.json").read_text())
    assert len(rows) == 27
    assert {row["checkpoint"] for row in rows if row["dropped"]} == {key for pair in DUPLICATES for key in pair}
    left = [row["model"] for row in rows if not row["dropped"] and not row["checkpoint"].endswith("converged")]
    # The numbers of checkpoints that the paper's p-values follow from.
    assert [left.count(f"bloom-{size}") for size in ("560m", "1b1", "1b7")] == [6, 8, 4]
    assert {(row["layers"], row["width"], row["dtype"]) for row in rows} == {(BLOCKS + 1, WIDTH, "float16")}
    assert len({row["parameters"] for row in rows}) == 1
    assert all(len(row["commit"]) == 40 and row["repository"].startswith("bigscience/") for row in rows)
    locked = (project.path / "downloads.lock").read_text()
    assert locked.count("hub:bigscience/bloom-560m-intermediate@global_step") == 8


def cut(values: dict[str, Any]) -> None:
    """Two checkpoints, three languages, few words and examples, short training; all else is the paper's."""
    values["languages"] = list(LANGUAGES)
    names = [*LANGUAGES.values(), "UD_English-PUD", "UD_Spanish-PUD"]
    values["inputs"] = {name: f"{DATA}/ud-treebanks-v2.1/{name}" for name in names}
    values["inputs"] |= {name: f"{DATA}/{name}" for name in ("xnli-mini", "udpos-mini")}
    values["treebanks"] |= {"source": "dir", "folders": {code: [name] for code, name in LANGUAGES.items()}}
    values["parallel"] |= {"folders": {"en": "UD_English-PUD", "es": "UD_Spanish-PUD"}, "max_pairs": 30}
    values["checkpoints"] = {key: values["checkpoints"][key] for key in CUT}
    values["checkpoints"][CUT[1]] |= {"layers": [1, 13, 25], "categories": ["Case"]}
    values["categories"] = ["Part of Speech", "Number"]
    values["words"]["min_label_count"] = 5
    # bfloat16 on a processor without it takes twice as long.
    values["extract"] |= {"max_words": {"train": 150, "dev": 50, "test": 50}, "dtype": "float32"}
    values["probe"] |= {"k_max": 8, "epochs": 3}
    values["overlap"]["k"] = 8
    values["correlate"]["resamples"] = 50
    small = {
        "train_examples": None,
        "epochs": 1,
        "max_train": 32,
        "max_test": 10,
        "max_length": 32,
        "evaluate_every": 1,
    }
    transfer = values["transfer"]
    transfer["source"] = "dir"
    transfer["lora"]["compute_dtype"] = "float32"
    transfer["xnli"] |= small | {"folder": "xnli-mini", "languages": ["en", "es"]}
    transfer["pos"] |= small | {"folder": "udpos-mini", "languages": ["en", "es", "ta"]}


@pytest.mark.slow
def test_every_stage_runs_on_a_cut_over_real_treebanks(project: Project) -> None:
    params = project.path / "params.yaml"
    values = YAML(typ="safe").load(params.read_text(encoding="utf-8"))
    cut(values)
    params.write_text(json.dumps(values, indent=2), encoding="utf-8")
    ran = project.repro()
    stages = YAML(typ="safe").load((project.path / "dvc.yaml").read_text())["stages"]
    assert {name.partition("@")[0] for name in ran} == set(stages) - {"pretrain"}
    assert {name.partition("@")[2] for name in ran} - {""} == {*CUT, *values["inputs"]}
    layers = {
        key: sorted(folder.name for folder in (project.path / "data/embeddings" / key).glob("layer-*")) for key in CUT
    }
    assert layers == {CUT[0]: ["layer-13", "layer-17"], CUT[1]: ["layer-1", "layer-13", "layer-17", "layer-25"]}
    rows = json.loads((project.path / "metrics" / "checkpoints.json").read_text())
    assert [row["checkpoint"] for row in rows] == list(CUT)
    assert (project.path / "data/report/index.html").stat().st_size > 10_000
    assert project.repro() == set()
