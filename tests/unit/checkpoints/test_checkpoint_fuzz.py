"""Damaged checkpoints, from resolving to predicting: each step works, or refuses in one line what it was given."""

import json
import logging
import random
import resource
import shutil
import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForPreTraining, PreTrainedTokenizerFast

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.embedding import word_embeddings
from polyprobe.checkpoints.loading import load_model, refuse_unknown_subwords
from polyprobe.checkpoints.location import locate
from polyprobe.checkpoints.resolving import resolve
from polyprobe.checkpoints.tokenising import Tokenisation
from polyprobe.checkpoints.tokenizer import load_tokenizer
from polyprobe.running.errors import BadInputError
from polyprobe.transfer import TASKS
from polyprobe.transfer import model as transfer
from polyprobe.transfer.evaluation import predict
from polyprobe.transfer.examples import Example
from support import sections
from support.small_models import SENTENCES

MEMORY = 6 << 30
"""Bytes of addresses that a case may ask for beyond those that the process has."""
SECONDS = 60
SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 66}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "bloom": {"n_layer": 2, "n_head": 2},
    "gemma3_text": SIZES | {"num_key_value_heads": 1, "head_dim": 8, "sliding_window": 8},
    "gpt_neox": SIZES,
    "llama": SIZES | {"num_key_value_heads": 2},
    "xlm-roberta": SIZES | {"type_vocab_size": 1},
}
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
TEXTS = ["the old cats sat. she said no", "1 000 cats", "我们看见猫。"] * 3
PAIRS = [
    Example(("the old cats", "no"), ("neutral",)),
    Example(("Yes", "1 000 cats sat on \U0001f642"), ("entailment",)),
]
SETTINGS = sections.task(languages=["en"], epochs=1, learning_rate=0.1, batch_size=2, evaluate_every=1)

VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 7, 64, 4099, -(10**12), 10**12, 10**30, 0.5, -1.5, 1e308, float("nan"),
    float("inf"), "", "x", "10", "two\nlines", "\ud800", "a" * 5000, [], [1, 2], [[], None], ["x"], {},
    {"a": {"b": [None]}},
]  # fmt: skip
ADDED_TO_CONFIG: dict[str, list[Any]] = {
    "quantization_config": [{}, {"load_in_4bit": True}, {"quant_method": "gptq", "bits": 4}, "awq", None],
    "auto_map": [{"AutoConfig": "code.Config", "AutoModel": "code.Model"}, []],
    "rope_parameters": [{"rope_type": "yarn"}, {"rope_type": "made-up"}, {"rope_theta": "x"}, 5,
                        {"rope_type": "linear", "factor": 0}],
    "rope_scaling": [{"type": "dynamic"}, {"rope_type": "llama3", "factor": 8.0}, {"rope_type": "longrope"}, [1]],
    "layer_types": [["full_attention"], ["made-up"] * 2, [], "full_attention", ["sliding_attention", "full_attention"]],
    "text_config": [{}, {"model_type": "llama"}, 3, {"vocab_size": 9}],
    "attn_implementation": ["flash_attention_2", "made-up", 3],
    "_attn_implementation": ["flash_attention_2", "made-up", 3],
    "torch_dtype": ["float8", "int3", 5, "float16"],
    "dtype": ["float8", "int3", 5, "float16", {"a": "float16"}],
    "is_encoder_decoder": [True, "x"],
    "is_decoder": [True, "x"],
    "num_labels": [10**12, -1, "x", 10**5],
    "id2label": [{"x": "y"}, ["a"], {"0": None}],
    "problem_type": ["made-up", 3],
    "pruned_heads": [{"0": [0]}, {"9": [9]}, {"x": 1}],
    "tie_word_embeddings": [True, False, "x"],
    "sliding_window": [0, -5, 10**12, "x"],
    "head_dim": [3, 0, 10**12, None],
    "chunk_size_feed_forward": [3, -1, 10**12],
    "gradient_checkpointing": [True],
    "output_hidden_states": [False, "x"],
    "return_dict": [False],
    "torchscript": [True],
    "use_cache": ["x"],
    "tp_plan": ["auto", 3],
    "device_map": ["auto", {"": 9}],
    "architectures": [["Made"], 3, None],
    "model_type": ["t5", "llama", "bert", "clip", "whisper", "mamba", "gemma3", "made-up", 3, None, ["llama"]],
    "num_experts": [10**12, 3],
    "max_length": ["x", -1],
    "hidden_act": ["made-up", None, 3, "relu"],
}  # fmt: skip
"""Keys and what they are given, some of which mean something to transformers."""
PARTS: list[Any] = [
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    {"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Removed", "invert": True},
    {"type": "Split", "pattern": {"String": ""}, "behavior": "made-up", "invert": False},
    {"type": "Replace", "pattern": {"Regex": "(?<=a+)b"}, "content": "x"},
    {"type": "Replace", "pattern": {"Regex": "."}, "content": ""},
    {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
    {"type": "Sequence", "normalizers": [], "pretokenizers": [], "processors": [], "decoders": []},
    {"type": "Metaspace", "replacement": "two", "prepend_scheme": "always", "split": True},
    {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "none", "type_id": 0}}], "pair": [],
     "special_tokens": {}},
    {"type": "BertProcessing", "sep": ["</s>", 10**9], "cls": ["<s>", -1]},
    {"type": "RobertaProcessing", "sep": ["</s>", 10**9], "cls": ["<s>", 4099], "trim_offsets": True,
     "add_prefix_space": True},
    {"type": "WordLevel", "vocab": {}, "unk_token": "none"},
    {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "none",
     "continuing_subword_prefix": "", "max_input_chars_per_word": 0},
    {"type": "Unigram", "vocab": [], "unk_id": 5},
    {"type": "Unigram", "vocab": [["a", float("nan")]], "unk_id": None},
    {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"], "dropout": 2.0},
    {"type": "BPE", "vocab": {"a": 2**32}, "merges": []},
    {"type": "made-up"},
    {"strategy": {"Fixed": 10**12}, "direction": "Right",
     "pad_to_multiple_of": 0, "pad_id": 0, "pad_type_id": 0, "pad_token": ""},
    {"max_length": 2, "stride": 5, "strategy": "LongestFirst", "direction": "Right"},
    {"id": 0, "content": "", "single_word": False, "lstrip": False,
     "rstrip": False, "normalized": True, "special": True},
    {"id": 10**9, "content": "the", "single_word": True, "lstrip": True,
     "rstrip": True, "normalized": False, "special": True},
]  # fmt: skip
"""Parts of a tokenizer.json, most of them malformed."""
ADDED_TO_TOKENIZER: dict[str, list[Any]] = {
    "tokenizer_class": ["Made", "LlamaTokenizer", "BertTokenizer", None, 3],
    "auto_map": [{"AutoTokenizer": ["code.T", None]}],
    "model_max_length": [0, -1, 2, 3, 10**30, "x", None, 0.5],
    "padding_side": ["left", "up", 3],
    "truncation_side": ["left", "up", 3],
    "added_tokens_decoder": [{"x": {"content": "a"}}, {"0": {"content": "new"}}, [],
                             {"9999": {"content": "far", "special": True}}],
    "extra_special_tokens": [{"image_token": "<image>"}, ["<a>"], 3],
    "additional_special_tokens": [["<a>", "<b>"], [3], "x"],
    "pad_token": ["<none>", None, 3, {"content": "<pad>"}, {"__type": "AddedToken", "content": "<new>"}],
    "eos_token": ["<none>", None, 3],
    "unk_token": ["<none>", None, 3],
    "add_prefix_space": [True, "x"],
    "add_bos_token": [True, "x"],
    "split_special_tokens": [True, "x"],
    "clean_up_tokenization_spaces": ["x"],
    "model_input_names": [[], ["x"], "input_ids", 3],
    "chat_template": ["{{", 3],
    "vocab_file": ["/none", 3],
    "tokenizer_file": ["/none", 3],
    "tokenizer_object": [3, None],
    "gguf_file": ["/none"],
    "from_slow": [True],
    "fix_mistral_regex": [True, "x"],
    "backend": ["mistral", "sentencepiece", 3],
    "name_or_path": [3],
    "padding_strategy": ["x"],
    "max_length": [2, "x"],
    "truncation": [True, 3],
}  # fmt: skip
FILES = ("tokenizer.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")

Draw = random.Random
"""A generator seeded by the case's number."""
Damage = Callable[[Draw, Path], None]
"""What happens to the files of a folder."""


class HangsError(BaseException):
    """No exception, lest a library or a boundary catch it."""


@contextmanager
def limited() -> Iterator[None]:
    """A case that takes too much time ends, and so does one that takes too much memory."""

    def stop(*_: object) -> None:
        raise HangsError(f"more than {SECONDS} seconds")

    limits = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, limits[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _tokenizer(kind: str) -> Tokenizer:
    if kind == "Unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer: Any = trainers.UnigramTrainer(
            vocab_size=80, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
        )
    elif kind == "WordPiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=80, special_tokens=SPECIAL, show_progress=False)
    else:
        tokenizer = Tokenizer(models.BPE())
        split = pre_tokenizers.Split(Regex(r"\s?\S+|\s+"), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
        trainer = trainers.BpeTrainer(
            vocab_size=280, special_tokens=SPECIAL, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS, trainer)
    ends = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = (
        processors.BertProcessing(ends[1], ends[0])
        if kind == "WordPiece"
        else processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> $B:1 </s>:1", special_tokens=ends)
    )
    return tokenizer


KINDS = {"bert": "WordPiece", "xlm-roberta": "Unigram"}


def _save(folder: Path, architecture: str) -> None:
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token"), SPECIAL, strict=True))
    tokenizer = _tokenizer(KINDS.get(architecture, "BPE"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    (folder / "special_tokens_map.json").write_text(json.dumps(names))
    (folder / "added_tokens.json").write_text(json.dumps({"<extra>": tokenizer.get_vocab_size()}))
    settings = {"vocab_size": 300, "hidden_size": 16, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    config = AutoConfig.for_model(architecture, **settings, **ARCHITECTURES[architecture])
    torch.manual_seed(0)
    kind = AutoModelForPreTraining if architecture in KINDS else AutoModelForCausalLM
    kind.from_config(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Sound checkpoints by their architecture."""
    folders = {architecture: tmp_path_factory.mktemp(architecture) for architecture in ARCHITECTURES}
    for architecture, folder in folders.items():
        _save(folder, architecture)
    return folders


def _somewhere(draw: Draw, value: Any) -> tuple[Any, Any]:
    """A place in nested JSON: a container that is not empty, and one of its keys; as likely near the root as deep."""
    while True:
        key = draw.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if not isinstance(value[key], dict | list) or not value[key] or draw.random() < 0.3:
            return value, key
        value = value[key]


def _damaged_values(draw: Draw, value: Any, added: dict[str, list[Any]], parts: list[Any]) -> Any:
    """JSON with one to three of its values replaced, removed, swapped or doubled, or with one more."""
    for _ in range(draw.randint(1, 3)):
        if not value or draw.random() < 0.35:
            key = draw.choice(list(added))
            value[key] = draw.choice(added[key])
            continue
        where, key = _somewhere(draw, value)
        accident = draw.randrange(6)
        if accident == 0:
            del where[key]
        elif accident == 1:
            _, other = _somewhere(draw, {"": where})
            where[key] = json.loads(json.dumps(other if draw.random() < 0.5 else list(where)))
        elif accident == 2 and parts:
            where[key] = draw.choice(parts)
        elif accident == 3 and isinstance(where[key], dict | list):
            keys = list(where[key]) if isinstance(where[key], dict) else range(len(where[key]))
            kept = [one for one in keys if draw.random() < 0.7]
            where[key] = (
                {one: where[key][one] for one in kept}
                if isinstance(where[key], dict)
                else [where[key][one] for one in kept]
            )
        else:
            alike = [new for new in VALUES if type(new) is type(where[key])]
            where[key] = draw.choice(alike if alike and draw.random() < 0.6 else VALUES)
    return value


def _damaged_text(draw: Draw, data: bytes) -> bytes:
    """A file's bytes after an accident that JSON may not survive."""
    place = draw.randrange(len(data))
    return draw.choice([
        data[:place],
        b"",
        b"[]",
        b"null",
        data + b"}",
        b"\xef\xbb\xbf" + data,
        data[:place] + bytes([data[place] ^ (1 << draw.randrange(8))]) + data[place + 1 :],
        data[:place] + draw.choice([b"\x00", b"\xff", b",", b"}", b"\n", b"9", b'"']) + data[place:],
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        data.rstrip()[:-1] + b', "deep": ' + b"[" * 700 + b"]" * 700 + b"}",
        data.rstrip()[:-1] + b', "long": ' + b"9" * 5000 + b"}",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
    ])  # fmt: skip


def damage_config(draw: Draw, folder: Path) -> None:
    _damage_json(draw, folder / "config.json", ADDED_TO_CONFIG, [])


def damage_tokenizer(draw: Draw, folder: Path) -> None:
    for name in draw.sample(sorted(set(FILES)), draw.choice([0, 0, 1])):
        (folder / name).unlink()
    file = folder / draw.choice(FILES)
    if file.exists():
        _damage_json(draw, file, ADDED_TO_TOKENIZER, PARTS)


def _damage_json(draw: Draw, file: Path, added: dict[str, list[Any]], parts: list[Any]) -> None:
    data = file.read_bytes()
    if draw.random() < 0.15:
        file.write_bytes(_damaged_text(draw, data))
    else:
        file.write_text(json.dumps(_damaged_values(draw, json.loads(data), added, parts)))


def damage_weights(draw: Draw, folder: Path) -> None:
    """Accidents to bytes and headers of weights: whole or in shards, as safetensors or pickled."""
    from safetensors.torch import load_file, save_file

    whole = folder / "model.safetensors"
    tensors = load_file(whole)
    kind = draw.choice(["whole", "whole", "shards", "pickled"])
    if kind == "whole":
        _damage_safetensors(draw, whole)
        return
    whole.unlink()
    if kind == "pickled":
        file = folder / "pytorch_model.bin"
        torch.save(tensors, file, _use_new_zipfile_serialization=draw.random() < 0.5)
        _flip(draw, file)
        return
    places = {name: f"model-{draw.randrange(2)}.safetensors" for name in tensors}
    for shard in sorted(set(places.values())):
        save_file({name: tensors[name] for name in tensors if places[name] == shard}, folder / shard, {"format": "pt"})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 5}, "weight_map": places}))
    if draw.random() < 0.7:
        _damage_json(draw, index, {"metadata": VALUES, "weight_map": VALUES}, [])
    else:
        _damage_safetensors(draw, folder / places[draw.choice(sorted(places))])


def _damage_safetensors(draw: Draw, file: Path) -> None:
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    if draw.random() < 0.3:
        _flip(draw, file)
        return
    header = json.loads(data[8 : 8 + length])
    dtypes = {"dtype": [*VALUES, "F16", "F64", "I64", "BF16", "F4", "C64", "F8_E8M0"], "shape": VALUES}
    text = json.dumps(_damaged_values(draw, header, dtypes, [{"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}]))
    file.write_bytes(len(text).to_bytes(8, "little") + text.encode() + data[8 + length :])


def _flip(draw: Draw, file: Path) -> None:
    """Cuts a file, or changes bytes of it, most of them among the first."""
    data = bytearray(file.read_bytes())
    for _ in range(draw.randint(1, 8)):
        data[draw.randrange(draw.choice([8, 300, len(data)]))] = draw.randrange(256)
    file.write_bytes(data[: draw.choice([len(data), len(data), draw.randrange(len(data))])])


def extract(draw: Draw, folder: Path, manifest: Manifest) -> None:
    """What the stage does that embeds words."""
    place = locate(folder, None)
    model, tokenizer = load_model(place), load_tokenizer(place)
    layers = [1, manifest.layers]
    tokenisation: Tokenisation = draw.choice(get_args(Tokenisation))
    states = word_embeddings(model, tokenizer, SENTENCES[:3], layers, tokenisation=tokenisation)
    words = sum(len(sentence.forms) for sentence in SENTENCES[:3])
    assert all(states[layer].shape == (words, manifest.width) for layer in layers)


def fine_tune(draw: Draw, folder: Path, _: Manifest) -> None:
    """What the stages do that fine-tune, up to the first predictions."""
    place = locate(folder, None)
    tokenizer = transfer.load_tokenizer(place)
    task, lora = TASKS["xnli"], sections.lora(compute_dtype="float32", quantisation=draw.choice(["nf4", "none"]))
    padding = tokenizer.pad_token_id
    model = transfer.load_with_head(place, task, lora, padding, seed=0, device="cpu")
    examples = task.encode(PAIRS, tokenizer, SETTINGS, "en")
    refuse_unknown_subwords(model, max(max(example.input_ids, default=0) for example in examples))
    predicted = predict(
        model, task, examples, pad_token_id=padding, batch_tokens=64, dtype=torch.float32, description="xnli"
    )
    assert len(predicted) == len(PAIRS)


def outcome(damage: Damage, seed: int, saved: dict[str, Path], folder: Path) -> str:
    """Which steps refuse a damaged checkpoint; `worked` where none does."""
    draw = Draw(seed)
    shutil.copytree(saved[draw.choice(sorted(saved))], folder)
    damage(draw, folder)
    study = sections.study_of({"one": sections.checkpoint(model="m", weights=folder, step=draw.choice([0, 1]))})
    steps: list[str] = []
    try:
        with limited(), warnings.catch_warnings(action="ignore"), one_line("resolve", steps):
            manifest = resolve(study, "one")
            for step in (extract, fine_tune):
                with one_line(step.__name__, steps):
                    step(draw, folder, manifest)
    finally:
        shutil.rmtree(folder)
    return f"refused by {' and '.join(steps)}" if steps else "worked"


@contextmanager
def one_line(step: str, refused: list[str]) -> Iterator[None]:
    """Notes that a step refused what it was given."""
    try:
        yield
    except BadInputError as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError(f"expected one line, got {error!s}") from error
        refused.append(step)


@pytest.mark.parametrize("cases", [20, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("damage", [damage_config, damage_tokenizer, damage_weights])
def test_a_damaged_checkpoint_is_used_or_refused_in_one_line(
    damage: Damage, cases: int, saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Messages repeat what was damaged, lone surrogates included, which pytest-xdist cannot send on.
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    outcomes: Counter[str] = Counter()
    failures = {}
    for seed in range(cases):
        try:
            outcomes[outcome(damage, seed, saved, tmp_path / "checkpoint")] += 1
        except (Exception, HangsError):
            failures[seed] = traceback.format_exc().encode(errors="backslashreplace").decode()
    print(damage.__name__, dict(outcomes))
    assert not failures, f"seeds {list(failures)}, the first: {next(iter(failures.values()))}"
    assert outcomes["worked"], "nothing that works: the damage hides what comes after resolving"


def test_a_sound_checkpoint_works(saved: dict[str, Path], tmp_path: Path) -> None:
    for architecture, folder in saved.items():
        assert outcome(lambda *_: None, 0, {architecture: folder}, tmp_path / architecture) == "worked"
