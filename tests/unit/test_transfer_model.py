"""The quantised model: which layers are in 4 bits, what they compute, what is trained."""

from pathlib import Path
from typing import Any

import pytest
import sections
from tiny_bloom import tiny_bloom

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.location import locate
from polyprobe.transfer import TASKS


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
    assert all(module.weight.quant_type == "nf4" for module in linear.values())
    assert all(module.weight.quant_state.nested for module in linear.values()), "double quantisation"
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
