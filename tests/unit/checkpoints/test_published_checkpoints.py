"""What published checkpoints are like: odd values, names and files that gave another result or a traceback."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.trainers import BpeTrainer
from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedTokenizerFast

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.embedding import word_embeddings
from polyprobe.checkpoints.loading import load_model
from polyprobe.checkpoints.location import locate
from polyprobe.checkpoints.resolving import resolve
from polyprobe.checkpoints.tokenizer import load_tokenizer
from polyprobe.running.errors import BadInputError
from support import sections
from support.small_models import SENTENCES, small_model, small_tokenizer

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1118459450\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small Llama as saved."""
    small_model("llama").save_pretrained(tmp_path / "model")
    small_tokenizer("llama").save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def _resolve(folder: Path) -> Manifest:
    return resolve(sections.study_of({"one": sections.checkpoint(model="m", weights=folder, step=1)}), "one")


def _states(folder: Path) -> np.ndarray:
    place = locate(folder, None)
    return word_embeddings(load_model(place), load_tokenizer(place), SENTENCES, [3])[3]


def _set(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize("name", ["xlm-roberta", "roberta", "camembert", "xlm-roberta-xl", "xmod", "data2vec-text"])
def test_segments_that_a_converter_wrote_as_zeros_are_no_fault(tmp_path: Path, name: str) -> None:
    """transformers' converters zero `token_type_embeddings` of what fairseq had none of."""
    more = {"languages": ["en_XX"], "default_language": "en_XX"} if name == "xmod" else {}
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = AutoConfig.for_model(
        name, vocab_size=330, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, **sizes, **more
    )
    model = AutoModelForMaskedLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
    (zeroed,) = (key for key in model.state_dict() if key.endswith("token_type_embeddings.weight"))
    model.state_dict()[zeroed].zero_()
    model.save_pretrained(tmp_path)
    small_tokenizer("xlm-roberta").save_pretrained(tmp_path)
    assert list(_resolve(tmp_path).zeros) == [zeroed]


@pytest.mark.parametrize("pad", [None, 0, -1, 10**6])
def test_a_padding_id_without_an_embedding_counts_as_none(folder: Path, pad: int | None) -> None:
    expected = _states(folder)
    _set(folder / "config.json", pad_token_id=pad)
    _resolve(folder)
    assert np.allclose(_states(folder), expected, atol=1e-6)


def test_shards_replaced_in_place_give_another_hash_whatever_their_names(folder: Path) -> None:
    """BLOOM's own shards are called `pytorch_model_00001-of-00072.bin`."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"pytorch_model_00001-of-00002.bin": names[::2], "pytorch_model_00002-of-00002.bin": names[1::2]}
    places = {name: file for file, part in parts.items() for name in part}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    found = []
    for change in (0.0, 0.5):
        for file, part in parts.items():
            torch.save({name: tensors[name] + change for name in part}, folder / file)
        found.append((_resolve(folder).weights_sha256, load_model(locate(folder, None)).norm.weight.mean().item()))
    assert found[0][0] != found[1][0]
    assert found[1][1] - found[0][1] == pytest.approx(0.5, abs=1e-5)


def test_of_whole_weights_and_an_index_what_is_hashed_is_loaded(folder: Path) -> None:
    before, expected = _resolve(folder), _states(folder)
    other = {name: tensor + 1 for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(other, folder / "a.safetensors", {"format": "pt"})
    places = dict.fromkeys(other, "a.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert _resolve(folder) == before
    assert np.array_equal(_states(folder), expected)


def test_an_adapter_beside_the_weights_is_refused(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(BadInputError, match=r"adapter_config.json: an adapter, which transformers would apply"):
        _resolve(folder)


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        ({"norm.weight": "b.safetensors"}, "b.safetensors: no tensor norm.weight, which model.safetensors.index.json"),
        ({"other": "a.safetensors"}, "a.safetensors: no tensor other, which"),
        ({"norm.weight": "../model/a.safetensors"}, "weight_map: expected tensors with the names of files"),
        ({"norm.weight": 3}, "weight_map: expected tensors with the names of files of this folder"),
    ],
)
def test_an_index_of_other_shards_is_refused(folder: Path, places: dict[str, str | int], problem: str) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    save_file({name: tensors[name] for name in sorted(tensors)[1:]}, folder / "a.safetensors", {"format": "pt"})
    first = min(tensors)
    save_file({first: tensors[first]}, folder / "b.safetensors", {"format": "pt"})
    right = dict.fromkeys(tensors, "a.safetensors") | {first: "b.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": right}))
    _resolve(folder)
    index.write_text(json.dumps({"weight_map": right | places}))
    with pytest.raises(BadInputError, match=problem):
        _resolve(folder)


def test_a_tensor_in_two_shards_is_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    shutil.copy(folder / "model.safetensors", folder / "a.safetensors")
    (folder / "model.safetensors").rename(folder / "b.safetensors")
    places = dict.fromkeys(tensors, "a.safetensors") | {"norm.weight": "b.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with pytest.raises(BadInputError, match=r"is in a.safetensors and in b.safetensors, expected it once"):
        _resolve(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_pointer_of_git_lfs_is_called_by_its_name(folder: Path, name: str) -> None:
    (folder / name).write_bytes(POINTER)
    with pytest.raises(BadInputError, match=rf"{name}: Git LFS's pointer, not the file itself"):
        _resolve(folder)


@pytest.mark.parametrize("method", ["gptq", "awq", "fp8", "bitsandbytes", "compressed-tensors"])
def test_quantised_weights_are_refused(folder: Path, method: str) -> None:
    _set(folder / "config.json", quantization_config={"quant_method": method, "bits": 4})
    with pytest.raises(BadInputError, match=r"config.json: quantization_config: quantised weights, expected those"):
        _resolve(folder)


@pytest.mark.parametrize("model", [None, "olmo2", "gpt_neox", "llama"])
@pytest.mark.parametrize("name", ["GPT2Tokenizer", "GPTNeoXTokenizerFast", "LlamaTokenizerFast", "BloomTokenizerFast"])
def test_the_tokenizer_is_that_of_the_file_whatever_class_is_named(folder: Path, name: str, model: str | None) -> None:
    """transformers 5 builds these classes anew, with a pre-tokenizer of its own: digits were no more cut by three."""
    pattern = r"\p{N}{1,3}|\s?\p{L}+|\s+|[^\s\p{L}\p{N}]+"
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Steps([Split(Regex(pattern), "isolated"), ByteLevel(False, use_regex=False)])
    trainer = BpeTrainer(
        vocab_size=340,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["23 23 23 23 202 202 cats born in"] * 8, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>").save_pretrained(folder)
    (folder / "config.json").unlink()
    if model:
        AutoConfig.for_model(model).save_pretrained(folder)
    before = load_tokenizer(locate(folder, None))("born in 2023")["input_ids"]
    _set(folder / "tokenizer_config.json", tokenizer_class=name, add_prefix_space=True)
    loaded = load_tokenizer(locate(folder, None))
    for text in ("born in 2023", "cats2023", "cats  born", "cats\nborn"):
        assert loaded(text)["input_ids"] == tokenizer.encode(text).ids
    assert loaded("born in 2023")["input_ids"] == before


def test_a_sub_word_that_the_model_has_no_embedding_for_is_one_line(folder: Path) -> None:
    known = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "added_tokens.json").write_text(json.dumps({"cats": len(known)}))
    with pytest.raises(
        BadInputError, match=rf"the tokenizer gives sub-word {len(known)}, but the model has embeddings"
    ):
        _states(folder)


def test_layers_of_another_width_are_one_line(tmp_path: Path) -> None:
    """OPT-350m's last layer is projected to half its width."""
    from transformers import OPTConfig, OPTModel

    config = OPTConfig(
        vocab_size=330, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=32, word_embed_proj_dim=8,
        max_position_embeddings=66,
    )  # fmt: skip
    OPTModel(config).save_pretrained(tmp_path)
    small_tokenizer("llama").save_pretrained(tmp_path)
    with pytest.raises(BadInputError, match=r"model_type 'opt': layer 3 has 8 neurons, others 16"):
        _states(tmp_path)
