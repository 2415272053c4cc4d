"""Checkpoints: hashes that see the weights and nothing else, what they refuse, manifests, duplicates."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from polyprobe.artefacts import embeddings, manifest, subwords
from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.duplicates import apply_duplicates_policy, equal_to_previous
from polyprobe.checkpoints.hashing import weights_summary
from polyprobe.checkpoints.location import Location
from polyprobe.checkpoints.resolving import resolve
from polyprobe.checkpoints.tokenizer import load_tokenizer, tokenizer_hash
from polyprobe.running.errors import BadInputError
from polyprobe.stages.verify_checkpoints import verify_checkpoints
from polyprobe.study import Duplicates, Study
from support import sections

TENSORS = {
    "h.0.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "h.1.weight": torch.linspace(0, 1, 8).to(torch.bfloat16),
    "count": torch.tensor(3),
}

CONFIG = {"model_type": "opt", "num_hidden_layers": 2, "hidden_size": 3, "num_attention_heads": 1}
TOKENIZER: dict[str, Any] = {
    "added_tokens": [],
    "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"},
    "padding": None,
}


def _write(folder: Path, tensors: dict[str, torch.Tensor] = TENSORS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    return folder


def _write_shards(folder: Path) -> Path:
    """The same tensors in two files with names of their own, other metadata and another order."""
    _write(folder)
    (folder / "model.safetensors").unlink()
    save_file({name: TENSORS[name] for name in ("h.1.weight", "count")}, folder / "b.safetensors", {"x": "y"})
    save_file({"h.0.weight": TENSORS["h.0.weight"]}, folder / "a.safetensors")
    index = {"h.0.weight": "a.safetensors", "h.1.weight": "b.safetensors", "count": "b.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return folder


def _resolve(weights: Path, **more: Any) -> Manifest:
    entry = sections.checkpoint(model="m", weights=weights, step=5, **more)
    return resolve(sections.study_of({"step-5": entry}), "step-5")


def test_the_hash_is_over_names_types_shapes_and_numbers_in_the_order_of_names(tmp_path: Path) -> None:
    digest = hashlib.sha256()
    for name, dtype in (("count", "int64"), ("h.0.weight", "float32"), ("h.1.weight", "float32")):
        numbers = TENSORS[name].to(getattr(torch, dtype)).reshape(-1).numpy().tobytes()
        line = [name, dtype, list(TENSORS[name].shape), hashlib.sha256(numbers).hexdigest()]
        digest.update(json.dumps(line).encode() + b"\n")
    found = weights_summary(_write(tmp_path))
    assert found.sha256 == digest.hexdigest()
    assert (found.parameters, found.dtype) == (15, "bfloat16")


def test_number_format_and_the_sign_of_zero_do_not_matter(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4).bfloat16(), "b": torch.tensor([0.0, -0.0, 1.0])}
    same = {"a": tensors["a"].float(), "b": torch.tensor([-0.0, 0.0, 1.0]).half()}
    one, other = weights_summary(_write(tmp_path / "one", tensors)), weights_summary(_write(tmp_path / "other", same))
    assert (one.sha256, one.tensors) == (other.sha256, other.tensors)


def test_shards_and_layout_do_not_matter(tmp_path: Path) -> None:
    assert weights_summary(_write_shards(tmp_path / "shards")) == weights_summary(_write(tmp_path / "whole"))


@pytest.mark.parametrize(
    "change",
    [
        {"h.0.weight": TENSORS["h.0.weight"] + torch.eye(2, 3) * 1e-6},
        {"h.0.weight": TENSORS["h.0.weight"].reshape(3, 2)},
        {"h.0.weight": TENSORS["h.0.weight"].to(torch.float64)},
        {"h.2.weight": torch.zeros(1)},
    ],
)
def test_any_change_of_the_weights_changes_the_hash(tmp_path: Path, change: dict[str, torch.Tensor]) -> None:
    before, after = _write(tmp_path / "before"), _write(tmp_path / "after", TENSORS | change)
    assert weights_summary(before).sha256 != weights_summary(after).sha256


def test_two_names_exchanged_change_the_hash(tmp_path: Path) -> None:
    tensors = {"a": torch.zeros(2), "b": torch.ones(2)}
    swapped = {"a": torch.ones(2), "b": torch.zeros(2)}
    before, after = _write(tmp_path / "before", tensors), _write(tmp_path / "after", swapped)
    assert weights_summary(before).sha256 != weights_summary(after).sha256


def _bloom(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    _write(folder, {name: tensor.clone() for name, tensor in tensors.items()})
    (folder / "config.json").write_text(json.dumps({"model_type": "bloom", "n_layer": 2, "hidden_size": 3}))
    return folder


def test_a_tied_output_embedding_does_not_count_and_an_untied_one_does(tmp_path: Path) -> None:
    tensors = {f"transformer.{name}": tensor for name, tensor in TENSORS.items()}
    tied = {"lm_head.weight": TENSORS["h.0.weight"]}
    untied = {"lm_head.weight": TENSORS["h.0.weight"] + 1}
    without, with_tied, with_untied = (
        weights_summary(_bloom(tmp_path / str(number), tensors | head))
        for number, head in enumerate(({}, tied, untied))
    )
    assert with_tied == without
    assert with_untied.sha256 != without.sha256
    assert with_untied.parameters == without.parameters + 6


def test_the_base_models_prefix_does_not_count(tmp_path: Path) -> None:
    prefixed = {f"transformer.{name}": tensor for name, tensor in TENSORS.items()}
    expected = weights_summary(_bloom(tmp_path / "prefixed", prefixed))
    assert weights_summary(_bloom(tmp_path / "bare", TENSORS)) == expected
    tied = TENSORS | {"lm_head.weight": TENSORS["h.0.weight"]}
    assert weights_summary(_bloom(tmp_path / "tied", tied)) == expected
    other = weights_summary(_write(tmp_path / "other", prefixed))
    assert other == expected
    assert weights_summary(_write(tmp_path / "other-bare")) != other


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "float8_e5m2", "float8_e4m3fn"])
@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_numbers_that_are_not_finite_are_refused_with_their_tensor(tmp_path: Path, dtype: str, number: str) -> None:
    if dtype == "float8_e4m3fn":
        number = "nan"
    largest = torch.finfo(getattr(torch, dtype)).max
    numbers = torch.full((5,), largest, dtype=torch.float64)
    numbers[0] = -largest
    weights_summary(_write(tmp_path / "finite", TENSORS | {"h.2.bias": numbers.to(getattr(torch, dtype))}))
    numbers[3] = float(number)
    folder = _write(tmp_path / "weights", TENSORS | {"h.2.bias": numbers.to(getattr(torch, dtype))})
    with pytest.raises(BadInputError, match=r"model.safetensors: tensor h.2.bias: expected finite numbers, found NaN"):
        weights_summary(folder)


def test_zeros_by_design_are_named_and_others_refused(tmp_path: Path) -> None:
    by_design = {
        "embeddings.token_type_embeddings.weight": torch.zeros(2, 3),  # as RoBERTa's converter writes them
        "classifier.weight": torch.zeros(3, 3),
        "vision_tower.blocks.0.fc.weight": torch.zeros(3, 3),
        "layer.0.r_w_bias": torch.zeros(2, 3),
    }
    found = weights_summary(_write(tmp_path / "published", TENSORS | by_design))
    assert found.zeros == tuple(sorted(by_design))
    first = TENSORS | {"h.0.up": torch.zeros(2, 3)}
    assert weights_summary(_write(tmp_path / "first", first), trained=False).zeros == ("h.0.up",)
    assert weights_summary(_write(tmp_path / "usual")).zeros == ()


def test_a_matrix_of_zeros_in_a_block_is_refused(tmp_path: Path) -> None:
    weights_summary(_write(tmp_path / "bias", TENSORS | {"bias": torch.zeros(9)}))
    weights_summary(_write(tmp_path / "row", TENSORS | {"padded": torch.eye(3)[[0, 1, 0]] * torch.tensor([1.0, 0, 0])}))
    for number in (0.0, -0.0):
        folder = _write(tmp_path / f"weights{number}", TENSORS | {"h.0.up": torch.full((2, 3), number)})
        with pytest.raises(BadInputError, match=r"model.safetensors: tensor h.0.up: all zeros, expected trained"):
            weights_summary(folder)


def test_memory_does_not_grow_with_the_model_and_chunks_leave_no_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyprobe.checkpoints import tensors

    expected = weights_summary(_write(tmp_path / "weights"))
    monkeypatch.setattr(tensors, "_CHUNK", 8)
    assert weights_summary(tmp_path / "weights") == expected
    bad = TENSORS | {"h.0.weight": torch.tensor([1.0, 2.0, 3.0, 4.0, float("nan")])}
    with pytest.raises(BadInputError, match=r"tensor h\.0\.weight"):
        weights_summary(_write(tmp_path / "bad", bad))


def test_parts_of_a_tensor_that_are_constants_of_their_own_are_no_constant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyprobe.checkpoints import tensors

    steps = {"steps": torch.tensor([1] * 4 + [2] * 4, dtype=torch.int16)}
    expected = weights_summary(_write(tmp_path, TENSORS | steps))
    assert "steps" in expected.tensors
    monkeypatch.setattr(tensors, "_CHUNK", 8)
    assert weights_summary(tmp_path) == expected


def test_weights_that_are_buffers_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no weights but buffers"):
        weights_summary(_write(tmp_path, {"h.0.attn.masked_bias": torch.ones(1)}))


def test_a_training_record_that_holds_no_number_is_one_clear_line(tmp_path: Path) -> None:
    folder = _write(tmp_path)
    (folder / "training.json").write_text(json.dumps({"tokens_seen": "many"}))
    with pytest.raises(BadInputError, match=r"training\.json: tokens_seen: expected a number, got 'many'"):
        _resolve(folder)


def test_an_encoder_with_a_decoder_is_refused(tmp_path: Path) -> None:
    folder = _write(tmp_path / "weights")
    (folder / "config.json").write_text('{"model_type": "t5", "num_layers": 2, "d_model": 3}')
    with pytest.raises(
        BadInputError, match=r"config.json: an encoder with a decoder, expected a causal model or an enc"
    ):
        _resolve(folder)


def test_the_tokenizers_layout_and_last_settings_do_not_matter(tmp_path: Path) -> None:
    folder = _write(tmp_path)

    def hash_of(tokenizer: dict[str, Any]) -> str:
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer, indent=2))
        return tokenizer_hash(load_tokenizer(Location(folder, folder)))

    first, model = hash_of(TOKENIZER), TOKENIZER["model"]
    cut = {"truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}}
    assert hash_of(cut | {"added_tokens": [], "model": {name: model[name] for name in reversed(model)}}) == first
    assert hash_of({"added_tokens": [], "model": model | {"vocab": {"a": 0, "b": 2}}}) != first


def test_a_folders_manifest(tmp_path: Path) -> None:
    folder = _write(tmp_path / "weights")
    (folder / "training.json").write_text('{"step": 5, "tokens_seen": 640}')
    found = _resolve(folder, converged=True)
    assert (found.checkpoint, found.model, found.folder, found.commit) == ("step-5", "m", None, None)
    assert (found.layers, found.width, found.parameters, found.dtype) == (3, 3, 15, "bfloat16")
    assert (found.step, found.tokens_seen, found.converged, found.dropped) == (5, 640, True, False)
    assert _resolve(folder, tokens_seen=7).tokens_seen == 7
    (folder / "training.json").unlink()
    assert _resolve(folder).tokens_seen is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "bloom", "n_layer": 24, "n_embed": 1024}, (25, 1024)),
        ({"model_type": "bert", "num_hidden_layers": 12, "hidden_size": 768}, (13, 768)),
        ({"model_type": "gpt2", "n_layer": 12, "n_embd": 72}, (13, 72)),
        ({"model_type": "gpt_neo", "num_layers": 6, "attention_types": [[["global"], 6]], "hidden_size": 32}, (7, 32)),
        ({"model_type": "gemma3", "text_config": {"num_hidden_layers": 4, "hidden_size": 8}}, (5, 8)),
    ],
)
def test_layers_and_width_whatever_the_family_calls_them(
    tmp_path: Path, config: dict[str, object], expected: tuple[int, int]
) -> None:
    (_write(tmp_path) / "config.json").write_text(json.dumps(config))
    found = _resolve(tmp_path)
    assert (found.layers, found.width) == expected


def _cut(file: Path, end: int) -> None:
    file.write_bytes(file.read_bytes()[:end])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / "model.safetensors").unlink(),
            "weights: no weights, expected model.safetensors or pytorch_model.bin",
        ),
        (lambda folder: (folder / "config.json").unlink(), "weights: no config.json, expected transformers' config"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config.json: no valid JSON"),
        (lambda folder: (folder / "config.json").write_text("{}"), r"config.json: model_type None: .* cannot load it"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json, expected a fast tokenizer"),
        (lambda folder: _cut(folder / "model.safetensors", -2), "model.safetensors: damaged: no safetensors file"),
        (lambda folder: _cut(folder / "model.safetensors", 30), "model.safetensors: damaged: no safetensors file"),
        (lambda folder: (folder / "training.json").write_text('{"step": 6}'), r"checkpoints.step-5.step: 5, but .* 6"),
    ],
)
def test_a_bad_folder_is_one_clear_line(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    folder = _write(tmp_path / "weights")
    damage(folder)
    with pytest.raises(BadInputError, match=message) as error:
        _resolve(folder)
    assert "\n" not in str(error.value)


def test_a_missing_folder_or_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"nowhere: no such folder, expected model\.safetensors"):
        _resolve(tmp_path / "nowhere")
    folder = _write_shards(tmp_path / "shards")
    (folder / "b.safetensors").unlink()
    with pytest.raises(BadInputError, match=r"no b.safetensors, which model.safetensors.index.json names"):
        _resolve(folder)


def _manifests(hashes: dict[str, str]) -> list[Manifest]:
    first = Manifest("", "m", None, None, "f", "", "2" * 64, "1" * 64, 1, 3, 4, "float32", 1, None, False)
    return [replace(first, checkpoint=key, weights_sha256=value) for key, value in hashes.items()]


@pytest.mark.parametrize(
    ("policy", "dropped"),
    [("drop_both", ["one", "two", "three", "six", "five"]), ("keep_first", ["two", "three", "five"])],
)
def test_duplicates_are_dropped_by_policy(policy: str, dropped: list[str]) -> None:
    given = _manifests({"one": "a", "two": "a", "four": "b", "three": "a", "six": "c", "five": "c"})
    # A set that is larger than what is found, and one that is not found, do no harm.
    known = [["three", "two", "one"], ["five", "six", "four"], ["four", "one"]]
    found = apply_duplicates_policy(given, _duplicates(policy, known))
    assert [m.checkpoint for m in found] == [m.checkpoint for m in given]
    assert {m.checkpoint for m in found if m.dropped} == set(dropped)


def test_duplicates_fail_with_both_names() -> None:
    with pytest.raises(BadInputError, match="checkpoints: one and two hold the same weights"):
        apply_duplicates_policy(_manifests({"one": "a", "four": "b", "two": "a"}), _duplicates("fail"))
    unequal = _manifests({"one": "a", "two": "b"})
    known = [["one", "two"]]
    with pytest.raises(BadInputError, match="checkpoints: one and two hold"):
        apply_duplicates_policy(_manifests({"one": "a", "two": "a"}), _duplicates("fail", known))
    with pytest.raises(BadInputError, match=r"checkpoints: one and two and three hold .* duplicates\.known"):
        apply_duplicates_policy(_manifests({"one": "a", "two": "a", "three": "a"}), _duplicates("drop_both", known))
    assert apply_duplicates_policy(unequal, _duplicates("fail")) == unequal


def test_an_upload_that_mixed_two_steps_is_found_by_the_share_of_equal_tensors() -> None:
    first, second, third = _manifests({"one": "a", "mixed": "b", "last": "c"})
    given = [
        replace(first, tensors={"a": "1", "b": "2", "c": "3", "d": "4"}),
        replace(second, step=2, tensors={"a": "5", "b": "7", "c": "8", "d": "9"}),
        replace(third, step=3, tensors={"a": "5", "b": "6", "c": "8", "d": "10"}),
    ]
    assert equal_to_previous(given) == {"one": None, "mixed": 0.0, "last": 0.5}
    with pytest.raises(BadInputError, match=r"checkpoints: mixed and last hold the same weights in part \(50% of the"):
        apply_duplicates_policy(given, _duplicates("fail"))
    kept = apply_duplicates_policy(given, _duplicates("keep_first", [["mixed", "last"]]))
    assert [one.dropped for one in kept] == [False, False, True]
    tolerated = _duplicates("fail").model_copy(update={"tolerated_share": 0.5})
    assert apply_duplicates_policy(given, tolerated) == given
    other = [replace(one, model=one.checkpoint) for one in given]
    assert apply_duplicates_policy(other, _duplicates("fail")) == other
    assert equal_to_previous(other) == {"one": None, "mixed": None, "last": None}


def _study(*keys: str, policy: str = "fail", known: Sequence[Sequence[str]] = ()) -> Study:
    checkpoints = {key: sections.checkpoint(model="m", weights="x", step=5) for key in keys}
    return sections.study_of(checkpoints, duplicates=_duplicates(policy, known).model_dump())


def _duplicates(policy: str, known: Sequence[Sequence[str]] = ()) -> Duplicates:
    return Duplicates.model_validate({"policy": policy, "known": list(known), "tolerated_share": 0.1})


def test_verifying_writes_every_manifest_and_removes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for found in _manifests({"one": "a", "two": "a", "three": "b", "gone": "a"}):
        manifest.write(manifest.path(found.checkpoint, manifest.FOLDER), found)
    resolved = sorted(manifest.FOLDER.iterdir())
    with pytest.raises(BadInputError, match="one and two"):
        verify_checkpoints(_study("one", "two", "three"))
    assert not Path("data/verified").exists()
    assert not Path("metrics/checkpoints.json").exists()
    verify_checkpoints(_study("one", "two", "three", policy="keep_first", known=[["one", "two"]]))
    verified = {key: manifest.read(manifest.path(key)).dropped for key in ("one", "two", "three")}
    assert verified == {"one": False, "two": True, "three": False}
    assert sorted(file.name for file in manifest.VERIFIED.iterdir()) == ["one.json", "three.json", "two.json"]
    assert sorted(manifest.FOLDER.iterdir()) == resolved
    rows = json.loads(Path("metrics/checkpoints.json").read_text())
    assert [(row["checkpoint"], row["dropped"]) for row in rows] == list(verified.items())
    hashes = "weights_sha256 config_sha256 tokenizer_sha256"
    columns = (
        f"checkpoint model repository commit step tokens_seen {hashes} parameters layers width dtype zeros dropped"
    )
    assert list(rows[0]) == [*columns.split(), "equal_to_previous"]


def test_a_dropped_checkpoint_has_no_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polyprobe.artefacts import similarity
    from polyprobe.stages.extract import extract

    monkeypatch.chdir(tmp_path)
    (found,) = _manifests({"one": "a"})
    manifest.write(manifest.path("one"), replace(found, dropped=True, layers=5))
    extract(_study("one"), "one")
    assert list(Path("data/embeddings/one").iterdir()) == []
    assert similarity.TABLE.read(similarity.TABLE.at(checkpoint="one")).empty
    assert subwords.TABLE.read(subwords.TABLE.at(checkpoint="one")) == []


def test_importing_resolve_and_verify_loads_neither_torch_nor_transformers_nor_pandas(tmp_path: Path) -> None:
    script = (
        "import sys, polyprobe.stages.resolve, polyprobe.stages.verify_checkpoints\n"
        "heavy = {'torch', 'transformers', 'pandas', 'scipy'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_model_and_its_tokenizer_come_back_as_they_were_saved(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from polyprobe.checkpoints.loading import load_model
    from polyprobe.checkpoints.location import locate
    from polyprobe.checkpoints.tokenizer import load_tokenizer
    from support.tiny_bloom import tiny_bloom

    tiny_bloom(tmp_path / "tiny", ["the cat sat on the mat"] * 3)
    found = locate(tmp_path / "tiny", None)
    model, tokenizer = load_model(found, "float32", "cpu"), load_tokenizer(found)
    assert not model.training
    assert (tokenizer.padding_side, tokenizer.is_fast) == ("right", True)
    ids = torch.tensor([tokenizer("the cat")["input_ids"]])
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "tiny").eval()
    with torch.inference_mode():
        assert torch.equal(model(ids).last_hidden_state, whole.transformer(ids).last_hidden_state)
    assert load_model(found, "bfloat16", "cpu").dtype == torch.bfloat16


def test_embeddings_come_back_and_their_bytes_do_not_change(tmp_path: Path) -> None:
    metadata = {name: name * 2 for name in ("weights_sha256", "layer", "tokenisation", "shared_subwords", "a", "b")}
    states, rows = np.ones((3, 4), dtype=np.float16), np.array([1, 5, 9], dtype=np.int32)
    files = [tmp_path / f"{number}.safetensors" for number in range(5)]
    for file in files:
        embeddings.write(file, states, rows, metadata)
    assert len({file.read_bytes() for file in files}) == 1
    assert embeddings.metadata(files[0]) == metadata
    assert [array.tolist() for array in embeddings.read(files[0])] == [states.tolist(), rows.tolist()]
