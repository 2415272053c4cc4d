"""What is hashed is what is loaded: whatever changes a hidden state changes the hash, and nothing else does."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from polyprobe.checkpoints.embedding import word_embeddings
from polyprobe.checkpoints.loading import load_model
from polyprobe.checkpoints.location import locate
from polyprobe.checkpoints.resolving import resolve
from polyprobe.checkpoints.tokenizer import load_tokenizer
from polyprobe.running.errors import BadInputError
from support import sections
from support.small_models import ARCHITECTURES, SENTENCES, small_model, small_tokenizer

FORMS = ("whole", "sharded", "both", "pickled", "pickled-sharded", "old-names", "own-names")
ACTIVATIONS = ("relu", "gelu", "silu", "tanh")

Tensors = dict[str, torch.Tensor]
Identity = tuple[str, ...] | None
"""The hashes of a manifest; None where the folder is refused."""
Change = Callable[[Path, str, random.Random], None]


def _write_weights(folder: Path, tensors: Tensors, form: str) -> None:
    for file in [*folder.glob("*.safetensors"), *folder.glob("*.bin"), *folder.glob("*.index.json")]:
        file.unlink()
    if form == "both":
        stale = {name: tensor + 1 for name, tensor in tensors.items()}
        _write_shards(folder, stale, "model-{}.safetensors", "model.safetensors.index.json")
    if form in ("whole", "both"):
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    elif form == "pickled":
        torch.save(tensors, folder / "pytorch_model.bin")
    elif form == "sharded":
        _write_shards(folder, tensors, "model-{}.safetensors", "model.safetensors.index.json")
    elif form == "own-names":
        _write_shards(folder, tensors, "model.safetensors-{}.safetensors", "model.safetensors.index.json")
    else:
        name = "pytorch_model_{}.bin" if form == "old-names" else "pytorch_model-{}.bin"
        _write_shards(folder, tensors, name, "pytorch_model.bin.index.json")


def _write_shards(folder: Path, tensors: Tensors, name: str, index: str) -> None:
    names = sorted(tensors)
    places: dict[str, str] = {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        file = name.format(f"{number:05}-of-00002")
        places |= dict.fromkeys(part, file)
        shard = {each: tensors[each] for each in part}
        if file.endswith(".bin"):
            torch.save(shard, folder / file)
        else:
            save_file(shard, folder / file, {"format": "pt"})
    (folder / index).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def _tensors(folder: Path) -> Tensors:
    """The folder's tensors, whatever form they are in."""
    whole = folder / "model.safetensors"
    found: Tensors = {}
    for file in [whole] if whole.exists() else [*folder.glob("*.safetensors"), *folder.glob("*.bin")]:
        found |= load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)
    return found


def _base(folder: Path, architecture: str, form: str) -> Path:
    model = small_model(architecture)
    small_tokenizer(architecture).save_pretrained(folder)
    model.config.save_pretrained(folder)
    _write_weights(folder, {name: tensor.clone() for name, tensor in model.state_dict().items()}, form)
    return folder


def _identity(folder: Path) -> Identity:
    study = sections.study_of({"one": sections.checkpoint(model="m", weights=folder, step=1)})
    try:
        found = resolve(study, "one")
    except BadInputError:
        return None
    return (found.weights_sha256, found.config_sha256, found.tokenizer_sha256)


def _states(folder: Path) -> np.ndarray | None:
    """The words' states at all layers, side by side; None where it is refused."""
    location = locate(folder, None)
    try:
        model = load_model(location)
        layers = range(1, model.config.num_hidden_layers + 2)
        found = word_embeddings(model, load_tokenizer(location), SENTENCES, layers)
    except BadInputError:
        return None
    return np.concatenate([found[layer] for layer in layers], axis=1)


def _edit(file: Path, edit: Callable[[dict[str, Any]], object], indent: int | None = None) -> None:
    values = json.loads(file.read_text()) if file.exists() else {}
    edit(values)
    file.write_text(json.dumps(values, indent=indent))


def _change_a_setting(folder: Path, form: str, chance: random.Random) -> None:
    def edit(config: dict[str, Any]) -> None:
        key = chance.choice(sorted(key for key in config if key != "model_type"))
        value = config[key]
        if isinstance(value, bool):
            config[key] = not value
        elif isinstance(value, int):
            config[key] = chance.choice((value * 2, max(1, value // 2), value + 1))
        elif isinstance(value, float):
            config[key] = value * 3 + 0.1
        elif isinstance(value, dict):
            config[key] = value | {"rope_theta": 500.0}
        elif isinstance(value, str):
            config[key] = chance.choice(ACTIVATIONS)

    _edit(folder / "config.json", edit)


def _change_a_number(folder: Path, form: str, chance: random.Random) -> None:
    tensors = _tensors(folder)
    name = chance.choice(sorted(name for name in tensors if tensors[name].is_floating_point()))
    tensors[name].view(-1)[chance.randrange(tensors[name].numel())] += 0.5
    _write_weights(folder, tensors, form)


def _exchange_two_tensors(folder: Path, form: str, chance: random.Random) -> None:
    tensors = _tensors(folder)
    one = chance.choice(sorted(tensors))
    other = chance.choice(sorted(name for name in tensors if tensors[name].shape == tensors[one].shape))
    tensors[one], tensors[other] = tensors[other], tensors[one]
    _write_weights(folder, tensors, form)


def _change_the_tokenizer(folder: Path, form: str, chance: random.Random) -> None:
    def edit(tokenizer: dict[str, Any]) -> None:
        model = tokenizer["model"]
        match chance.randrange(4):
            case 0:
                del model["merges"][chance.randrange(len(model["merges"]))]
            case 1:
                one, other = chance.sample(sorted(model["vocab"])[4:], 2)
                model["vocab"][one], model["vocab"][other] = model["vocab"][other], model["vocab"][one]
            case 2:
                tokenizer["normalizer"] = {"type": "Lowercase"}
            case 3:
                tokenizer["pre_tokenizer"] = {
                    "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True
                }  # fmt: skip

    _edit(folder / "tokenizer.json", edit)


def _change_the_tokenizers_settings(folder: Path, form: str, chance: random.Random) -> None:
    key, value = chance.choice(
        [
            ("tokenizer_class", chance.choice(("GPT2Tokenizer", "LlamaTokenizerFast", "BertTokenizer"))),
            ("add_bos_token", True),
            ("add_prefix_space", True),
            ("model_max_length", 8),
            ("split_special_tokens", True),
            ("do_lower_case", True),
        ]
    )
    _edit(folder / "tokenizer_config.json", lambda settings: settings.update({key: value}))


def _add_a_token(folder: Path, form: str, chance: random.Random) -> None:
    name = chance.choice(("added_tokens.json", "special_tokens_map.json"))
    known = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    token = {"cats": len(known)} if name == "added_tokens.json" else {"unk_token": "cats"}
    _edit(folder / name, lambda tokens: tokens.update(token))


def _name_what_cannot_matter(folder: Path, form: str, chance: random.Random) -> None:
    settings = {
        "transformers_version": "4.1", "architectures": ["Other"], "_name_or_path": "x", "torch_dtype": "float16",
        "use_cache": False, "tokenizer_class": "Other", "eos_token_id": 3, "label2id": {"a": 0, "b": 1},
    }  # fmt: skip
    key = chance.choice(sorted(settings))
    _edit(folder / "config.json", lambda config: config.update({key: settings[key]}))


def _order_the_settings_anew(folder: Path, form: str, chance: random.Random) -> None:
    def edit(values: dict[str, Any]) -> None:
        keys = chance.sample(sorted(values), len(values))
        entries = {key: values[key] for key in keys}
        values.clear()
        values.update(entries)

    _edit(folder / chance.choice(("config.json", "tokenizer_config.json", "tokenizer.json")), edit, indent=3)


def _save_the_settings_again(folder: Path, form: str, chance: random.Random) -> None:
    from transformers import AutoConfig

    AutoConfig.from_pretrained(folder).save_pretrained(folder)


def _write_the_weights_otherwise(folder: Path, form: str, chance: random.Random) -> None:
    _write_weights(folder, _tensors(folder), chance.choice(FORMS))


def _name_the_last_call(folder: Path, form: str, chance: random.Random) -> None:
    truncation = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    _edit(folder / "tokenizer.json", lambda tokenizer: tokenizer.update(truncation=truncation))


def _lay_something_beside(folder: Path, form: str, chance: random.Random) -> None:
    names = ("README.md", "optimizer.pt", "tf_model.h5", "merges.txt", "generation_config.json", "chat_template.jinja")
    (folder / chance.choice(names)).write_text("{}")


def _leave_a_tensor_out_of_the_index(folder: Path, form: str, chance: random.Random) -> None:
    for index in folder.glob("*.index.json"):
        places = json.loads(index.read_text())["weight_map"]
        del places[chance.choice(sorted(places))]
        index.write_text(json.dumps({"metadata": {}, "weight_map": places}))


def _turn_the_sign_of_zeros(folder: Path, form: str, chance: random.Random) -> None:
    tensors = _tensors(folder)
    _write_weights(folder, {name: torch.where(t == 0, -t, t) for name, t in tensors.items()}, form)


def _lay_an_adapter_beside(folder: Path, form: str, chance: random.Random) -> None:
    (folder / "adapter_config.json").write_text("{}")


def _name_another_shard(folder: Path, form: str, chance: random.Random) -> None:
    for index in folder.glob("*.index.json"):
        places = json.loads(index.read_text())["weight_map"]
        one, other = sorted(set(places.values()))
        name = chance.choice(sorted(places))
        places[name] = other if places[name] == one else one
        index.write_text(json.dumps({"metadata": {}, "weight_map": places}))


MAY_MATTER: tuple[Change, ...] = (
    _change_a_setting, _change_a_setting, _change_a_setting, _change_a_number, _change_a_number, _exchange_two_tensors,
    _change_the_tokenizer, _change_the_tokenizer, _change_the_tokenizers_settings, _add_a_token, _lay_an_adapter_beside,
    _name_another_shard,
)  # fmt: skip
CANNOT_MATTER: tuple[Change, ...] = (
    _name_what_cannot_matter, _order_the_settings_anew, _save_the_settings_again, _write_the_weights_otherwise,
    _name_the_last_call, _lay_something_beside, _leave_a_tensor_out_of_the_index, _turn_the_sign_of_zeros,
)  # fmt: skip


def _try_changes(tmp_path: Path, trials: int, seed: int) -> dict[str, int]:
    chance = random.Random(seed)
    bases: dict[tuple[str, str], tuple[Path, Identity, np.ndarray | None]] = {}
    counts = dict.fromkeys(("changed a state", "changed none", "refused"), 0)
    for trial in range(trials):
        kind = (chance.choice(ARCHITECTURES), chance.choice(FORMS))
        if kind not in bases:
            base = _base(tmp_path / "-".join(kind), *kind)
            bases[kind] = (base, _identity(base), _states(base))
        base, identity, states = bases[kind]
        harmless = chance.random() < 0.3
        change = chance.choice(CANNOT_MATTER if harmless else MAY_MATTER)
        changed = tmp_path / "changed"
        shutil.copytree(base, changed)
        change(changed, kind[1], chance)
        found, label = _identity(changed), f"trial {trial} of seed {seed}: {kind}: {change.__name__}"
        now = None if found is None else _states(changed)
        assert identity is not None, label
        assert states is not None, label
        same = now is not None and now.shape == states.shape and np.allclose(now, states, rtol=1e-5, atol=1e-6)
        assert not harmless or (found == identity and same), label
        assert same or found != identity, label
        counts["refused" if now is None else "changed none" if same else "changed a state"] += 1
        shutil.rmtree(changed)
    return counts


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_changes_a_state_changes_the_hash_and_nothing_else_does(tmp_path: Path) -> None:
    assert sum(_try_changes(tmp_path, 20, seed=1).values()) == 20


@pytest.mark.slow
def test_a_thousand_more_changes(tmp_path: Path) -> None:
    counts = _try_changes(tmp_path, 1000, seed=2)
    print(counts)
    assert counts["changed a state"] >= 200
