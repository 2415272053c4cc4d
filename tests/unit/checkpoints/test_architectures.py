"""Architectures: saved as transformers saves them, with a head; resolved and loaded as any other checkpoint."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import ByteLevelBPETokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedTokenizerFast

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.loading import load_model
from polyprobe.checkpoints.location import locate
from polyprobe.checkpoints.resolving import resolve
from polyprobe.checkpoints.tokenizer import load_tokenizer
from polyprobe.running.errors import BadInputError
from support import sections

SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 66}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bloom": {"n_layer": 2, "n_head": 2},
    "gpt_neox": SIZES,
    "llama": SIZES | {"num_key_value_heads": 2},
    "olmo2": SIZES | {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "xlm-roberta": SIZES | {"type_vocab_size": 1},
}

TIED = {
    "bloom": {"lm_head.weight": "transformer.word_embeddings.weight"},
    "olmo2": {"lm_head.weight": "model.embed_tokens.weight"},
    "xlm-roberta": {
        "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    },
}
"""What PyTorch's own format holds twice and safetensors once."""


def _save(folder: Path, architecture: str) -> Any:
    bpe = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    bpe.train_from_iterator(["the old cats sat"] * 3, vocab_size=280, special_tokens=special, show_progress=False)
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, **names).save_pretrained(folder)
    settings = {
        "vocab_size": bpe.get_vocab_size(),
        "hidden_size": 16,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    config = AutoConfig.for_model(architecture, **settings, **ARCHITECTURES[architecture])
    torch.manual_seed(0)
    kind = AutoModelForMaskedLM if architecture == "xlm-roberta" else AutoModelForCausalLM
    model = kind.from_config(config).eval()
    model.save_pretrained(folder)
    return model


def _resolve(folder: Path) -> Manifest:
    entry = sections.checkpoint(model="m", weights=folder, step=1)
    return resolve(sections.study_of({"one": entry}), "one")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_saved_model_is_resolved_and_loaded(tmp_path: Path, architecture: str) -> None:
    whole = _save(tmp_path / "whole", architecture)
    found = _resolve(tmp_path / "whole")
    assert (found.layers, found.width, found.dtype) == (3, 16, "float32")
    place = locate(tmp_path / "whole", None)
    tokenizer, model = load_tokenizer(place), load_model(place)
    ids = torch.tensor([tokenizer("the old cats")["input_ids"]])
    with torch.inference_mode():
        states = [base(ids, output_hidden_states=True).hidden_states for base in (model, whole.base_model)]
    assert len(states[0]) == found.layers
    assert all(torch.equal(mine, its) for mine, its in zip(*states, strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_hash_does_not_see_how_the_weights_were_saved(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = _save(tmp_path / "whole", architecture)
    expected = _resolve(tmp_path / "whole").weights_sha256
    tensors = load_file(tmp_path / "whole" / "model.safetensors")
    tensors |= {name: tensors[twin] for name, twin in TIED.get(architecture, {}).items()}
    torch.save(tensors, tmp_path / "whole" / "pytorch_model.bin")
    (tmp_path / "whole" / "model.safetensors").unlink()
    pickled = _resolve(tmp_path / "whole")
    assert pickled.weights_sha256 == expected
    load_model(locate(tmp_path / "whole", None))
    if architecture in ("bloom", "olmo2"):  # tied: the base model is all there is
        whole.base_model.save_pretrained(tmp_path / "base")
        (tmp_path / "whole" / "tokenizer.json").rename(tmp_path / "base" / "tokenizer.json")
        assert _resolve(tmp_path / "base").weights_sha256 == expected


def test_weights_that_the_model_would_have_to_make_up_are_refused(tmp_path: Path) -> None:
    _save(tmp_path / "llama", "llama")
    file = tmp_path / "llama" / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.0.mlp.up_proj.weight"]
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(BadInputError, match=r"lack 1 tensors that config.json asks for, such as layers.0.mlp.up_proj"):
        load_model(locate(tmp_path / "llama", None))


@pytest.mark.parametrize(
    ("architecture", "name", "value"),
    [
        ("gpt_neox", "gpt_neox.layers.0.attention.masked_bias", torch.tensor(float("-inf"))),
        ("gpt_neox", "gpt_neox.layers.1.attention.bias", torch.ones(1, 1, 4, 4)),
        ("llama", "model.layers.0.self_attn.rotary_emb.inv_freq", torch.ones(4)),
        ("xlm-roberta", "roberta.embeddings.position_ids", torch.arange(66)[None]),
    ],
)
def test_what_older_versions_saved_beside_the_weights_is_none_of_them(
    tmp_path: Path, architecture: str, name: str, value: torch.Tensor
) -> None:
    _save(tmp_path, architecture)
    expected = _resolve(tmp_path)
    file = tmp_path / "model.safetensors"
    save_file(load_file(file) | {name: value}, file, {"format": "pt"})
    assert _resolve(tmp_path) == expected
    load_model(locate(tmp_path, None))


@pytest.mark.parametrize("task", ["xnli", "pos"])
@pytest.mark.parametrize("architecture", ["bloom", "gpt_neox", "llama", "xlm-roberta"])
def test_every_architecture_is_fine_tuned(tmp_path: Path, architecture: str, task: str) -> None:
    from polyprobe.transfer import TASKS
    from polyprobe.transfer import model as models

    _save(tmp_path / "model", architecture)
    found, lora = locate(tmp_path / "model", None), sections.lora(rank=2, compute_dtype="float32")
    ids = torch.tensor([[5, 6, 7, 8, 9]])

    def loaded() -> Any:
        return models.load_with_head(found, TASKS[task], lora, 1, seed=0, device="cpu")

    model = models.with_new_adapter(loaded(), TASKS[task], lora, seed=0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(trained, 0.5)
    labels = torch.tensor([1]) if task == "xnli" else torch.tensor([[1, 2, 3, 4, 5]])
    losses = []
    for _ in range(8):
        loss = model(input_ids=ids, labels=labels).loss
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0]
    models.save_adapter(model, tmp_path / "adapter", "m")
    again = models.with_saved_adapter(loaded(), tmp_path / "adapter")
    with torch.inference_mode():
        assert torch.equal(again(input_ids=ids).logits, model.eval()(input_ids=ids).logits)


def test_a_task_that_an_architecture_has_no_head_for_says_so(tmp_path: Path) -> None:
    from polyprobe.transfer import TASKS
    from polyprobe.transfer import model as models

    _save(tmp_path, "olmo2")
    with pytest.raises(BadInputError, match=r"model_type 'olmo2'.*AutoModelForTokenClassification") as error:
        models.load_with_head(locate(tmp_path, None), TASKS["pos"], sections.lora(), 1, seed=0, device="cpu")
    assert "\n" not in str(error.value)


def test_modules_that_an_architecture_has_not_are_named_with_those_it_has(tmp_path: Path) -> None:
    from polyprobe.transfer import TASKS
    from polyprobe.transfer import model as models

    _save(tmp_path, "llama")
    lora = sections.lora(targets=["query_key_value"])
    model = models.load_with_head(locate(tmp_path, None), TASKS["pos"], lora, 1, seed=0, device="cpu")
    with pytest.raises(BadInputError, match=r"transfer.lora.targets: \['query_key_value'\].*expected some of .*q_proj"):
        models.with_new_adapter(model, TASKS["pos"], lora, seed=0)


@pytest.mark.parametrize(
    "change",
    [{"model_type": "made-up"}, {"model_type": None}, {"auto_map": {"AutoConfig": "code.Config"}, "model_type": "x"}],
)
def test_an_unknown_architecture_says_what_is_needed(tmp_path: Path, change: dict[str, object]) -> None:
    _save(tmp_path / "llama", "llama")
    file = tmp_path / "llama" / "config.json"
    config = json.loads(file.read_text()) | change
    file.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
    found = locate(tmp_path / "llama", None)
    with pytest.raises(
        BadInputError, match=r"config.json: model_type .*; expected a causal model or an encoder"
    ) as error:
        load_model(found)
    assert "\n" not in str(error.value)
