"""The model: which layers are in 4 bits, what they compute, what is trained; what it is given, and what is refused."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.location import Location, locate
from polyprobe.running.errors import BadInputError
from polyprobe.transfer import TASKS
from polyprobe.transfer.examples import Example
from support import sections
from support.tiny_bloom import tiny_bloom


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return tiny_bloom(tmp_path_factory.mktemp("model"), ["mola kito benu sara tipe"] * 9)


def loaded(manifest: Manifest, task: str, **lora: Any) -> Any:
    from polyprobe.transfer.model import load_with_head

    return load_with_head(
        locate(Path(str(manifest.folder)), None), TASKS[task], sections.lora(**lora), 3, seed=0, device="cpu"
    )


@pytest.mark.parametrize("task", ["xnli", "pos"])
def test_every_linear_layer_of_the_body_is_in_four_bits(manifest: Manifest, task: str) -> None:
    import bitsandbytes
    import torch

    from polyprobe.transfer.model import head_name

    model = loaded(manifest, task)
    linear = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    head = linear.pop(head_name(model))
    assert len(linear) == 4 * (manifest.layers - 1)
    assert all(type(module) is bitsandbytes.nn.Linear4bit for module in linear.values())
    weights: list[Any] = [module.weight for module in linear.values()]
    assert all(weight.quant_type == "nf4" for weight in weights)
    assert all(weight.quant_state.nested for weight in weights), "double quantisation"
    assert type(head) is torch.nn.Linear
    assert head.weight.dtype == torch.float32
    assert head.out_features == len(TASKS[task].LABELS)


def test_four_bits_compute_what_their_dequantised_weights_do(manifest: Manifest) -> None:
    """In training and in evaluation alike, and the same after one has evaluated."""
    import torch
    from bitsandbytes.functional import dequantize_4bit

    model = loaded(manifest, "xnli", compute_dtype="float32")
    reference = loaded(manifest, "xnli", compute_dtype="float32", quantisation="none")
    quantised = dict(model.named_modules())
    difference = 0.0
    with torch.no_grad():
        for name, module in reference.named_modules():
            if hasattr(quantised[name], "compute_dtype"):
                weight = dequantize_4bit(quantised[name].weight.data, quantised[name].weight.quant_state)
                difference = max(difference, float((weight - module.weight).abs().max()))
                module.weight.copy_(weight)
    assert difference > 0
    reference.score.load_state_dict(model.score.state_dict())
    ids = torch.randint(4, 250, (5, 9), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = reference.eval()(input_ids=ids).logits
    for training in (True, False, True):
        model.train(training)
        with torch.inference_mode():
            torch.testing.assert_close(model(input_ids=ids).logits, expected, rtol=1e-4, atol=1e-4)


def test_gradients_flow_after_an_evaluation(manifest: Manifest) -> None:
    import torch

    from polyprobe.transfer.model import with_new_adapter

    model = with_new_adapter(loaded(manifest, "xnli"), TASKS["xnli"], sections.lora(), seed=0)
    ids = torch.randint(4, 250, (4, 6), generator=torch.Generator().manual_seed(0))
    gradients = []
    for _ in range(2):
        model.train().zero_grad()
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            model(input_ids=ids, labels=torch.tensor([0, 1, 2, 0])).loss.backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.requires_grad])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            model.eval()(input_ids=ids)
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))
    first_block_b = next(p for n, p in model.named_parameters() if "h.0" in n and "lora_B" in n)
    assert first_block_b.grad is not None
    assert first_block_b.grad.abs().max() > 0


def test_only_adapter_and_head_are_trained(manifest: Manifest) -> None:
    from polyprobe.transfer.model import with_new_adapter

    for task in TASKS:
        model = with_new_adapter(loaded(manifest, task), TASKS[task], sections.lora(rank=2), seed=0)
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert all("lora_" in name or "modules_to_save" in name for name in trained)
        assert sum("lora_" in name for name in trained) == 2 * (manifest.layers - 1)


def test_the_fused_gelu_is_blooms(manifest: Manifest) -> None:
    import torch
    from transformers.models.bloom.modeling_bloom import bloom_gelu_forward

    module = next(m.gelu_impl for m in loaded(manifest, "xnli").modules() if hasattr(m, "gelu_impl"))
    points = torch.linspace(-6, 6, 1001, dtype=torch.float64)
    torch.testing.assert_close(module(points), bloom_gelu_forward(points), rtol=1e-6, atol=1e-8)


def test_heads_are_initialised_by_the_seed(manifest: Manifest, tmp_path: Path) -> None:
    from polyprobe.transfer.model import load_with_head

    place, settings = locate(Path(str(manifest.folder)), None), sections.lora()
    heads = [
        load_with_head(place, TASKS["xnli"], settings, 3, seed=seed, device="cpu").score.weight.tolist()
        for seed in (1, 1, 2)
    ]
    assert heads[0] == heads[1] != heads[2]


WORDS = ["the", "old", "cats", "sat", "she", "said", "no", "yes"]
SPECIAL = {"pad_token": "[PAD]", "eos_token": "[EOS]", "unk_token": "[UNK]"}
PAIRS = [
    Example(("the old cats sat", "cats sat"), ("entailment",)),
    Example(("she said no", "yes"), ("contradiction",)),
    Example(("no", "she"), ("neutral",)),
]
NOT_QUANTISED = sections.lora(rank=2, compute_dtype="float32", quantisation="none")
PAIR_TASK = sections.task(languages=["en"], epochs=1, learning_rate=1e-3, batch_size=3, evaluate_every=1)


def saved(
    folder: Path, architecture: str, special: dict[str, str] = SPECIAL, added: Sequence[str] = (), **settings: Any
) -> Location:
    """A small model whose every weight is drawn, and a tokenizer of whole words that marks the texts of a pair.

    Args:
        folder: where to.
        architecture: the `model_type`.
        special: the tokenizer's special tokens.
        added: those of them that come after all that the model has embeddings for.
        settings: of `config.json`.
    """
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    words = [*(token for name, token in special.items() if name not in added), *WORDS]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, WORDS[0]))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=["input_ids", "token_type_ids", "attention_mask"], **special
    ).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    model = AutoModel.from_config(AutoConfig.for_model(architecture, vocab_size=len(words), **sizes, **settings))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    model.save_pretrained(folder)
    return locate(folder, None)


def loaded_for_pairs(place: Location) -> tuple[Any, Any]:
    """The tokenizer, and the model with a head for pairs."""
    from polyprobe.transfer.model import load_tokenizer, load_with_head

    tokenizer = load_tokenizer(place)
    model = load_with_head(place, TASKS["xnli"], NOT_QUANTISED, tokenizer.pad_token_id, seed=0, device="cpu")
    return tokenizer, model.eval()


@contextmanager
def calls(model: Any) -> Iterator[list[tuple[dict[str, Any], Any]]]:
    """What the model is given and what logits it returns."""
    seen: list[tuple[dict[str, Any], Any]] = []
    hook = model.register_forward_hook(
        lambda _, arguments, inputs, outputs: seen.append((inputs, outputs.logits)), with_kwargs=True
    )
    yield seen
    hook.remove()


def predicted(model: Any, tokenizer: Any, *, batch_tokens: int = 99) -> tuple[dict[str, Any], Any]:
    """What the model is given of all pairs at once, and its logits."""
    import torch

    from polyprobe.transfer.evaluation import predict

    examples = TASKS["xnli"].encode(PAIRS, tokenizer, PAIR_TASK, "en")
    with calls(model) as seen:
        predict(
            model, TASKS["xnli"], examples, pad_token_id=tokenizer.pad_token_id, batch_tokens=batch_tokens,
            dtype=torch.float32, description="pairs",
        )  # fmt: skip
    [(inputs, logits)] = seen
    return inputs, logits


def alone(model: Any, tokenizer: Any, **options: Any) -> Any:
    """The model's logits of each pair, as the tokenizer itself prepares it."""
    import torch

    with torch.inference_mode():
        return torch.cat([model(**tokenizer(*pair.texts, return_tensors="pt", **options)).logits for pair in PAIRS])


def test_bert_is_told_which_text_of_a_pair_a_subword_is_of(tmp_path: Path) -> None:
    import torch

    tokenizer, model = loaded_for_pairs(saved(tmp_path, "bert", pad_token_id=0))
    _, logits = predicted(model, tokenizer)
    torch.testing.assert_close(logits, alone(model, tokenizer), rtol=1e-5, atol=1e-5)
    untold = alone(model, tokenizer, return_token_type_ids=False)
    assert (logits - untold).abs().max() > 1e-3


LLAMA: dict[str, Any] = {"num_key_value_heads": 2}
ROBERTA: dict[str, Any] = {"type_vocab_size": 1, "pad_token_id": 0}


@pytest.mark.parametrize(
    ("architecture", "settings"), [("gpt2", {}), ("bloom", {}), ("llama", LLAMA), ("xlm-roberta", ROBERTA)]
)
def test_models_that_know_no_second_text_are_told_of_none(
    tmp_path: Path, architecture: str, settings: dict[str, Any]
) -> None:
    """GPT-2 would take them for sub-words."""
    import torch

    tokenizer, model = loaded_for_pairs(saved(tmp_path, architecture, **settings))
    assert 1 in tokenizer(*PAIRS[0].texts)["token_type_ids"]
    inputs, logits = predicted(model, tokenizer)
    assert set(inputs) == {"input_ids", "attention_mask"}
    expected = alone(model, tokenizer, return_token_type_ids=False)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("architecture", ["bert", "bloom"])
def test_training_gives_a_model_what_prediction_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    import torch

    from polyprobe.transfer.model import with_new_adapter
    from polyprobe.transfer.training import Training, train

    monkeypatch.setenv("POLYPROBE_THREADS", "1")
    tokenizer, model = loaded_for_pairs(saved(tmp_path / "model", architecture, pad_token_id=0))
    adapted = with_new_adapter(model, TASKS["xnli"], NOT_QUANTISED, seed=0)
    examples = TASKS["xnli"].encode(PAIRS, tokenizer, PAIR_TASK, "en")
    with calls(model) as seen:
        training = Training(
            name="xnli",
            task=TASKS["xnli"],
            settings=PAIR_TASK,
            pad_token_id=tokenizer.pad_token_id,
            dtype=torch.float32,
            seed=0,
            scratch=tmp_path / "scratch",
        )
        train(adapted, examples, training, lambda _: 0.0)
    [(trained, _)] = seen
    inputs, _ = predicted(adapted, tokenizer)
    for name, tensor in inputs.items():
        assert sorted(trained[name].tolist()) == sorted(tensor.tolist())
    assert ("token_type_ids" in trained) == ("token_type_ids" in inputs) == (architecture == "bert")


@pytest.mark.parametrize(
    ("names", "added", "expected"),
    [
        (["pad_token", "eos_token", "unk_token"], [], "[PAD]"),
        (["eos_token", "unk_token"], [], "[EOS]"),
        (["unk_token"], [], "[UNK]"),
        (["pad_token", "eos_token", "unk_token"], ["pad_token"], "[EOS]"),
        (["pad_token", "eos_token", "unk_token"], ["pad_token", "eos_token"], "[UNK]"),
    ],
)
def test_padding_is_a_special_subword_that_the_model_has(
    tmp_path: Path, names: list[str], added: list[str], expected: str
) -> None:
    """A pair's logits are the same alone and beside longer ones: the head finds the last sub-word."""
    import torch

    special = {name: SPECIAL[name] for name in names}
    tokenizer, model = loaded_for_pairs(saved(tmp_path, "llama", special, added, **LLAMA))
    assert tokenizer.pad_token == expected
    assert tokenizer.pad_token_id == tokenizer.get_vocab()[expected]
    _, logits = predicted(model, tokenizer)
    torch.testing.assert_close(logits, alone(model, tokenizer, return_token_type_ids=False), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("special", "found"), [({}, "none"), ({"pad_token": "[PAD]"}, "pad_token 8")])
def test_without_such_a_subword_one_line_says_so(tmp_path: Path, special: dict[str, str], found: str) -> None:
    place = saved(tmp_path, "llama", special, list(special), **LLAMA)
    with pytest.raises(
        BadInputError, match=rf"expected a pad_token, eos_token or unk_token among the 8 sub-words of .* found {found};"
    ) as error:
        loaded_for_pairs(place)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("number", [-1, 400, None])
def test_a_padding_number_in_the_config_that_is_no_subword_is_not_used(tmp_path: Path, number: int | None) -> None:
    """LLaMA was published with -1."""
    import torch

    place = saved(tmp_path, "llama", **LLAMA)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8")) | {"pad_token_id": number}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer, model = loaded_for_pairs(place)
    assert model.config.pad_token_id == tokenizer.pad_token_id == 0
    _, logits = predicted(model, tokenizer)
    torch.testing.assert_close(logits, alone(model, tokenizer, return_token_type_ids=False), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"vocab_size": 7}, {"hidden_size": 32}, {"num_attention_heads": 0}, {"num_hidden_layers": "two"},
        {"hidden_act": "made-up"}, {"rope_parameters": {"rope_type": "made-up"}}, {"rope_parameters": 3},
        {"hidden_size": -16},
    ],
)  # fmt: skip
def test_a_config_that_is_not_of_these_weights_is_one_line(tmp_path: Path, change: dict[str, Any]) -> None:
    from polyprobe.transfer.model import load_with_head

    place = saved(tmp_path, "llama", **LLAMA)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8")) | change
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"config.json: model_type 'llama'.*cannot load it; expected") as error:
        load_with_head(place, TASKS["xnli"], NOT_QUANTISED, 0, seed=0, device="cpu")
    assert "\n" not in str(error.value)


def test_memory_that_does_not_suffice_is_not_taken_for_a_bad_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    import transformers

    def no_memory(*arguments: Any, **options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    place = saved(tmp_path, "llama", **LLAMA)
    monkeypatch.setattr(transformers.AutoModelForSequenceClassification, "from_pretrained", no_memory)
    with pytest.raises(BadInputError, match="the memory of cpu does not suffice to load it"):
        loaded_for_pairs(place)


def test_an_architecture_whose_head_has_a_name_of_its_own_is_one_line(tmp_path: Path) -> None:
    place = saved(tmp_path, "xlnet", d_head=8)
    with pytest.raises(BadInputError, match=r"model_type 'xlnet': expected an .* score or classifier, found .*logits"):
        loaded_for_pairs(place)
