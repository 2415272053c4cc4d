"""Checkpoints of a hub on this machine: pinned, resumed, checked, converted, found out, and what goes wrong."""

import errno
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from polyprobe.artefacts import manifest
from polyprobe.checkpoints import converting
from polyprobe.checkpoints.hashing import weights_summary
from polyprobe.checkpoints.layout import weights_entry
from polyprobe.checkpoints.loading import load_model
from polyprobe.checkpoints.location import location_of
from polyprobe.checkpoints.tokenizer import load_tokenizer
from polyprobe.running.errors import BadInputError
from support.hub_study import HubStudy
from support.loopback_hub import serving_models
from support.stage_here import hub_settings
from support.tiny_bloom import tiny_bloom

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKENIZER = {"added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}


@pytest.fixture
def study(tmp_path: Path) -> Iterator[HubStudy]:
    path = tmp_path / "study"
    path.mkdir()
    with serving_models() as models:
        yield HubStudy(path, models)


def _tensors(seed: int, tied: bool = False) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    shapes = {"transformer.word_embeddings.weight": (40, 8), "transformer.h.0.weight": (8, 8), "transformer.b": (8,)}
    tensors = {name: torch.randn(shape, generator=random).half() for name, shape in shapes.items()}
    if tied:
        tensors["lm_head.weight"] = tensors["transformer.word_embeddings.weight"]
    return tensors


def _write(folder: Path, tensors: dict[str, torch.Tensor], form: str = "whole", tokenizer: bool = True) -> Path:
    """A checkpoint as published: in safetensors, whole or sharded, or pickled, whole or sharded."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bloom", "n_layer": 1, "hidden_size": 8}))
    (folder / "README.md").write_text("not wanted")
    if tokenizer:
        (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    names = sorted(tensors)
    if form == "whole":
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, folder / "model.safetensors")
        torch.save({}, folder / "pytorch_model.bin")
    elif form == "pickled":
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        ending = "safetensors" if form == "sharded" else "bin"
        stem = "model" if form == "sharded" else "pytorch_model"
        places: dict[str, str] = {}
        for number, part in enumerate((names[:1], names[1:]), 1):
            file = f"{stem}-0000{number}-of-00002.{ending}"
            places |= dict.fromkeys(part, file)
            if form == "sharded":
                save_file({name: tensors[name].clone() for name in part}, folder / file)
            else:
                torch.save({name: tensors[name] for name in part}, folder / file)
        index = {"metadata": {}, "weight_map": places}
        (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index))
    return folder


def test_a_sharded_checkpoint_with_two_revisions_is_pinned_and_fetched_once(study: HubStudy, tmp_path: Path) -> None:
    commits = [
        study.models.add("a/b", revision, _write(tmp_path / revision, _tensors(seed), "sharded"))
        for seed, revision in enumerate(("step1", "step2"))
    ]
    study.write({"one": {"revision": "step1"}, "two": {"revision": "step2"}})
    one, two = study.resolve("one"), study.resolve("two")
    assert [(found.repository, found.commit, found.folder) for found in (one, two)] == [
        ("a/b", commit, None) for commit in commits
    ]
    assert one.weights_sha256 == weights_summary(tmp_path / "step1").sha256 != two.weights_sha256
    assert (one.parameters, one.layers, one.width, one.dtype) == (392, 2, 8, "float16")
    assert "README.md" not in study.models.downloads()
    locked = study.locked()
    assert [locked[f"hub:a/b@step{number}"] for number in (1, 2)] == commits
    shard = "model-00001-of-00002.safetensors"
    digest = hashlib.sha256((tmp_path / "step1" / shard).read_bytes()).hexdigest()
    assert locked[f"hub:a/b@{commits[0]}/{shard}"] == digest
    # A branch that has moved on since stays where the lock has it, and nothing is asked any more.
    study.models.revisions["a/b@step1"] = commits[1]
    study.models.asked.clear()
    assert study.resolve("one") == one
    assert study.models.asked == []
    assert study.locked() == locked


def test_a_cut_connection_is_gone_on_with(study: HubStudy, tmp_path: Path) -> None:
    piece = 10 << 20  # what the hub's library writes at once
    tensors = _tensors(0) | {"transformer.h.1.weight": torch.ones(piece // 2)}
    study.models.add("a/b", "main", _write(tmp_path / "main", tensors))
    study.models.faults["model.safetensors"] = [("cut", piece + 600)]
    study.write({"one": {"revision": "main"}})
    found = study.resolve("one")
    assert found.weights_sha256 == weights_summary(tmp_path / "main").sha256
    ranges = [asked for method, path, asked in study.models.asked if method == "GET" and path.endswith(".safetensors")]
    assert ranges == [None, f"bytes={piece}-"]


@pytest.mark.parametrize(("name", "kind"), [("model.safetensors", "SHA-256"), ("config.json", "git hash")])
def test_a_wrong_byte_is_refused_and_not_kept(study: HubStudy, tmp_path: Path, name: str, kind: str) -> None:
    commit = study.models.add("a/b", "main", _write(tmp_path / "main", _tensors(0)))
    study.models.faults[name] = [("wrong", 30)]
    study.write({"one": {"revision": "main"}})
    line = study.refused("one")
    assert line.startswith(
        f"error: hub:a/b@{commit}/{name}: what came is not what the hub's listing expects: its {kind}"
    )
    assert study.resolve("one").weights_sha256 == weights_summary(tmp_path / "main").sha256


def test_a_byte_that_changed_in_the_cache_is_refused_and_fetched_again(study: HubStudy, tmp_path: Path) -> None:
    commit = study.models.add("a/b", "main", _write(tmp_path / "main", _tensors(0)))
    study.write({"one": {"revision": "main"}})
    first = study.resolve("one")
    shutil.rmtree(study.path / "data")
    (file,) = (study.path / "home").rglob("model.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.resolve().write_bytes(content)
    assert f"hub:a/b@{commit}/model.safetensors: what came is not what downloads.lock" in study.refused("one")
    assert study.resolve("one") == first


def test_two_branches_with_equal_weights_are_found_out_whatever_their_format(study: HubStudy, tmp_path: Path) -> None:
    forms = {"step1": "pickled", "step2": "whole", "step3": "sharded", "step4": "pickled-sharded"}
    for revision, form in forms.items():
        study.models.add("a/b", revision, _write(tmp_path / revision, _tensors(0, tied=form == "pickled"), form))
    study.models.add("a/b", "step5", _write(tmp_path / "step5", _tensors(1)))
    study.write({revision: {"revision": revision} for revision in (*forms, "step5")})
    for revision in (*forms, "step5"):
        study.resolve(revision)
    done = study.run("verify_checkpoints")
    assert done.returncode == 1
    assert "error: params.yaml: checkpoints: step1 and step2 and step3 and step4 hold the same weights" in done.stderr
    study.write({revision: {"revision": revision} for revision in (*forms, "step5")}, list(forms))
    done = study.run("verify_checkpoints")
    assert done.returncode == 0, done.stderr
    assert "step1 and step2 and step3 and step4 hold the same weights; duplicates.policy: drop_both" in done.stdout
    rows = json.loads((study.path / "metrics" / "checkpoints.json").read_text())
    assert [row["dropped"] for row in rows] == [True, True, True, True, False]
    assert all(row["repository"] == "a/b" and row["commit"] in study.models.revisions.values() for row in rows)


def test_a_tokenizer_from_another_repository(study: HubStudy, tmp_path: Path) -> None:
    study.models.add("a/b", "step1", _write(tmp_path / "weights", _tensors(0), tokenizer=False))
    commit = study.models.add("a/c", "main", _write(tmp_path / "tokenizer", _tensors(1)))
    study.write({"one": {"revision": "step1"}})
    assert "no tokenizer.json, expected a fast tokenizer, here or in the repository that" in study.refused("one")
    study.write({"one": {"revision": "step1"}}, tokenizer="a/c")
    study.models.asked.clear()
    found = study.resolve("one")
    assert (found.tokenizer_repository, found.tokenizer_commit) == ("a/c", commit)
    assert study.locked()["hub:a/c@main"] == commit
    assert sorted(study.models.downloads()) == ["tokenizer.json"]


def test_pickled_weights_are_converted_once_and_again_where_that_was_removed(study: HubStudy, tmp_path: Path) -> None:
    commit = study.models.add("a/b", "main", _write(tmp_path / "main", _tensors(0), "pickled"))
    study.write({"one": {"revision": "main"}})
    first = study.resolve("one")
    converted = study.path / ".scratch" / "converted" / commit
    assert sorted(file.name for file in converted.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    content, changed = (converted / "model.safetensors").read_bytes(), converted.stat().st_mtime_ns
    assert study.resolve("one") == first
    assert converted.stat().st_mtime_ns == changed
    shutil.rmtree(converted)
    assert study.resolve("one") == first
    assert (converted / "model.safetensors").read_bytes() == content


def test_what_goes_wrong_is_one_clear_line(study: HubStudy, tmp_path: Path) -> None:
    study.models.add("a/b", "main", _write(tmp_path / "main", _tensors(0)))
    study.models.add("a/gated", "main", tmp_path / "main")
    study.models.gated.add("a/gated")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text("{}")
    study.models.add("a/bare", "main", bare)
    study.write(
        {
            "no-revision": {"revision": "step9"},
            "no-commit": {"revision": COMMIT},
            "no-repository": {"repository": "a/none", "revision": "main"},
            "gated": {"repository": "a/gated", "revision": "main"},
            "bare": {"repository": "a/bare", "revision": "main"},
            "right": {"revision": "main"},
        }
    )
    begin = "cannot be resolved on the hub"
    assert study.refused("no-revision") == f"error: a/b@step9: {begin}: it has no such revision"
    assert f"a/b at {COMMIT}: cannot be fetched from the hub: it has no such revision" in study.refused("no-commit")
    assert f"a/none@main: {begin}: there is no such repository, or it is private" in study.refused("no-repository")
    assert f"a/gated@main: {begin}: it is gated: accept its terms" in study.refused("gated")
    assert f"a/b@main: {begin}: the hub does not accept the token" in study.refused("right", HF_TOKEN="bad")
    assert "no weights, expected model.safetensors or pytorch_model.bin" in study.refused("bare")
    assert f"a/b@main: {begin}: it is not in the local cache, and HF_HUB_OFFLINE" in study.refused(
        "right", HF_HUB_OFFLINE="1"
    )
    assert f"a/b@main: {begin}: " in study.refused("right", HF_ENDPOINT="http://127.0.0.1:9")
    assert study.resolve("gated", HF_TOKEN="good").commit


def test_offline_from_the_cache_also_in_a_new_study(study: HubStudy, tmp_path: Path) -> None:
    study.models.add("a/b", "main", _write(tmp_path / "main", _tensors(0), "pickled"))
    study.write({"one": {"revision": "main"}})
    first = study.resolve("one")
    offline = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert study.resolve("one", **offline) == first
    assert study.resolve("one", HF_ENDPOINT="http://127.0.0.1:9") == first
    shutil.rmtree(study.path / ".scratch")
    (study.path / "downloads.lock").unlink()
    study.write({"one": {"revision": first.commit}})
    assert study.resolve("one", **offline) == first
    assert f"hub:a/b@{first.commit}/pytorch_model.bin" in study.locked()


def test_a_study_insists_on_the_commit_that_it_names(study: HubStudy, tmp_path: Path) -> None:
    commits = [
        study.models.add("a/b", revision, _write(tmp_path / revision, _tensors(seed)))
        for seed, revision in enumerate(("old", "main"))
    ]
    study.write({"one": {"revision": commits[0]}, "two": {"revision": "main"}})
    assert [study.resolve(key).commit for key in ("one", "two")] == commits
    assert f"hub:a/b@{commits[0]}" not in study.locked()
    assert study.locked()["hub:a/b@main"] == commits[1]


def test_only_the_best_format_is_fetched() -> None:
    names = ["model.fp16.safetensors", "flax_model.msgpack", "pytorch_model.bin", "config.json", "vocab.json"]
    assert weights_entry(names, "a/b") == "pytorch_model.bin"
    index = "model.safetensors.index.json"
    assert weights_entry([*names, index], "a/b") == index
    assert weights_entry([*names, "model.safetensors", index], "a/b") == "model.safetensors"
    with pytest.raises(BadInputError, match=r"a/b: no weights, expected model.safetensors or"):
        weights_entry(["README.md"], "a/b")
    with pytest.raises(BadInputError, match=r"a/b: adapter_config.json: an adapter, which transformers would apply"):
        weights_entry([*names, "adapter_config.json"], "a/b")


@pytest.mark.parametrize(
    "shards",
    [
        ["pytorch_model_00001-of-00002.bin", "pytorch_model_00002-of-00002.bin"],  # BLOOM's
        ["model.safetensors-00001-of-00002.safetensors", "model.safetensors-00002-of-00002.safetensors"],
        ["first.safetensors", "second.safetensors"],
    ],
)
def test_shards_have_the_names_that_the_index_gives_them(study: HubStudy, tmp_path: Path, shards: list[str]) -> None:
    pickled = shards[0].endswith(".bin")
    usual = _write(tmp_path / "usual", _tensors(0), "pickled-sharded" if pickled else "sharded")
    entry = "pytorch_model.bin.index.json" if pickled else "model.safetensors.index.json"
    index = json.loads((usual / entry).read_text())
    names = dict(zip(sorted(set(index["weight_map"].values())), shards, strict=True))
    for name, shard in names.items():
        (usual / name).rename(usual / shard)
    index["weight_map"] = {tensor: names[name] for tensor, name in index["weight_map"].items()}
    (usual / entry).write_text(json.dumps(index))
    study.models.add("a/b", "main", usual)
    study.write({"one": {"revision": "main"}})
    found = study.resolve("one")
    assert found.weights_sha256 == weights_summary(_write(tmp_path / "whole", _tensors(0))).sha256
    assert not set(shards) - set(study.models.downloads())


def test_converting_writes_shards_as_they_come_and_nothing_but_weights_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(converting, "_SHARD", 200)
    whole = _write(tmp_path / "whole", _tensors(0))
    pickled = _write(tmp_path / "pickled", _tensors(0, tied=True), "pickled")
    converted = converting.in_safetensors(pickled, None)
    assert len(list(converted.glob("*.safetensors"))) == 3
    assert weights_summary(converted) == weights_summary(whole)
    assert converting.in_safetensors(whole, None) == whole
    for content, problem in (({"a": Path("x")}, "refused: it holds more"), ([1], "expected names and tensors")):
        torch.save(content, pickled / "pytorch_model.bin")
        with pytest.raises(BadInputError, match=problem):
            converting.in_safetensors(pickled, None)
    (pickled / "pytorch_model.bin").write_bytes(b"no zip")
    with pytest.raises(BadInputError, match=r"pytorch_model.bin: (damaged|refused)"):
        converting.in_safetensors(pickled, None)
    assert [folder.name for folder in (tmp_path / ".scratch" / "converted").iterdir() if folder.is_dir()] == [
        converted.name
    ]


def test_an_older_pickle_without_a_zip_is_converted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickled = _write(tmp_path / "pickled", _tensors(0), "pickled")
    torch.save(_tensors(0), pickled / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    whole = _write(tmp_path / "whole", _tensors(0))
    assert weights_summary(converting.in_safetensors(pickled, None)) == weights_summary(whole)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.filterwarnings("ignore:Not enough free disk space")
def test_a_full_disk_leaves_nothing_half_written(study: HubStudy, tmp_path: Path, small_disk: Path) -> None:
    tensors = {"transformer.word_embeddings.weight": torch.randn(1000, 256)}
    study.models.add("a/b", "main", _write(tmp_path / "main", tensors, "pickled"))
    study.write({"one": {"revision": "main"}})
    line = study.refused("one", HF_HOME=str(small_disk / "home"))
    assert line.endswith("cannot be fetched from the hub: no space left on the disk")
    assert not [file for file in small_disk.rglob("*") if "pytorch_model" in file.name or file.suffix == ".incomplete"]
    line = study.refused("one", POLYPROBE_SCRATCH=str(small_disk / "scratch"))
    assert line.endswith("no space left on the disk; nothing of it was written")
    assert not list((small_disk / "scratch").rglob("*.safetensors"))
    study.resolve("one")


def test_a_full_disk_where_none_can_be_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickled = _write(tmp_path / "pickled", _tensors(0), "pickled")

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(BadInputError, match="no space left on the disk"):
        converting.in_safetensors(pickled, COMMIT)
    assert [file.name for file in (tmp_path / ".scratch" / "converted").iterdir()] == [f".{COMMIT}.guard"]


def test_a_model_of_the_hub_loads_from_pickled_weights_and_another_repositorys_tokenizer(
    study: HubStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bloom"
    tiny_bloom(folder, ["the cat sat on the mat"] * 3)
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    study.models.add("a/c", "main", folder)
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "pytorch_model.bin"):
        shutil.copy(folder / name, bare)
    study.models.add("a/b", "main", bare)
    study.write({"one": {"revision": "main"}}, tokenizer="a/c")
    study.resolve("one")
    # Offline, from what lies in the cache.
    with hub_settings(
        {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(study.path / "home"), "HF_HUB_OFFLINE": "1"}
    ):
        monkeypatch.chdir(study.path)
        found = location_of(manifest.read(Path("data/checkpoints/one.json")), Path("nowhere"))
        ids = torch.tensor([load_tokenizer(found)("the cat")["input_ids"]])
        states = load_model(found)(ids).last_hidden_state.double().sum().item()
    from transformers import AutoTokenizer

    ids = torch.tensor([AutoTokenizer.from_pretrained(folder)("the cat")["input_ids"]])
    expected = model.eval().transformer(ids).last_hidden_state.double().sum().item()
    assert states == pytest.approx(expected, rel=1e-6)
