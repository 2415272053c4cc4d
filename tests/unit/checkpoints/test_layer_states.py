"""Layers taken on the way, against `output_hidden_states` of transformers."""

import copy
from itertools import chain, combinations
from typing import Any

import pytest
import torch
from torch import nn

from polyprobe.checkpoints import activations
from polyprobe.checkpoints.activations import fast_activations
from polyprobe.checkpoints.layer_states import LayerStates, find_blocks
from support.small_models import ARCHITECTURES, small_model

BLOCKS = 3
LAYERS = range(1, BLOCKS + 2)
SUBSETS = list(chain.from_iterable(combinations(LAYERS, size) for size in LAYERS))


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(4, 300, (3, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    for row, length in enumerate((7, 4, 1)):
        ids[row, length:], mask[row, length:] = 1, 0
    return ids, mask


def _hidden_states(model: Any) -> tuple[torch.Tensor, ...]:
    ids, mask = _batch()
    with torch.inference_mode():
        states: tuple[torch.Tensor, ...] = model(
            input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False
        ).hidden_states
    return states


class _Counted:
    """How often each block ran."""

    def __init__(self, model: Any) -> None:
        blocks = find_blocks(model)
        assert blocks is not None
        self.runs = [0] * len(blocks)
        self._hooks = [block.register_forward_hook(self._count(place)) for place, block in enumerate(blocks)]

    def _count(self, place: int) -> Any:
        def count(*_: Any) -> None:
            self.runs[place] += 1

        return count

    def __enter__(self) -> list[int]:
        return self.runs

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_set_of_layers_is_what_transformers_returns(architecture: str) -> None:
    model = small_model(architecture, BLOCKS)
    expected = _hidden_states(model)
    for layers in SUBSETS:
        states = LayerStates(model, layers)
        found = states(*_batch())
        assert list(found) == list(layers)
        assert all(torch.equal(found[layer], expected[layer - 1]) for layer in layers)
        assert states.stops_early == (max(layers) <= BLOCKS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_blocks_above_the_highest_layer_do_not_run(architecture: str) -> None:
    model = small_model(architecture, BLOCKS)
    for highest in LAYERS:
        states = LayerStates(model, [highest])
        with _Counted(model) as runs:
            states(*_batch())
        assert runs == [1] * (highest - 1) + [0] * (BLOCKS + 1 - highest)


def test_nothing_is_left_at_the_model() -> None:
    model = copy.deepcopy(small_model("bloom", BLOCKS))
    before = _hidden_states(model)
    for layers in ([2], [1, 4]):
        LayerStates(model, layers)(*_batch())
    assert not any(block._forward_pre_hooks for block in model.h)
    assert all(torch.equal(a, b) for a, b in zip(before, _hidden_states(model), strict=True))


def test_a_layer_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer 5, the model has layers 1 to 4"):
        LayerStates(small_model("llama", BLOCKS), [2, 5])(*_batch())
    with pytest.raises(ValueError, match="layers numbered from 1"):
        LayerStates(small_model("llama", BLOCKS), [0])


def test_two_lists_as_long_as_the_model_is_deep_leave_the_blocks_in_doubt() -> None:
    model = copy.deepcopy(small_model("llama", BLOCKS))
    model.others = nn.ModuleList(nn.Identity() for _ in range(BLOCKS))
    assert find_blocks(model) is None
    found = LayerStates(model, [2])(*_batch())
    assert torch.equal(found[2], _hidden_states(model)[1])


def test_lists_inside_a_block_are_no_blocks() -> None:
    model = copy.deepcopy(small_model("llama", BLOCKS))
    for block in model.layers:
        block.experts = nn.ModuleList(nn.Identity() for _ in range(BLOCKS))
    assert find_blocks(model) is model.layers


def test_blocks_that_are_given_something_else_are_not_read() -> None:
    model = small_model("bloom", BLOCKS)
    expected = [state * 2 for state in _hidden_states(model)]

    class Doubling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model
            self.config, self.device = model.config, model.device

        def forward(self, output_hidden_states: bool = False, **named: Any) -> Any:
            output = self.inner(output_hidden_states=output_hidden_states, **named)
            if output_hidden_states:
                output.hidden_states = tuple(state * 2 for state in output.hidden_states)
            return output

    states = LayerStates(Doubling(), [2, 3])
    assert not states.stops_early
    found = states(*_batch())
    assert all(torch.equal(found[layer], expected[layer - 1]) for layer in (2, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("block", [7, 1 << 18])
def test_the_fast_activation_is_that_of_bloom(dtype: torch.dtype, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations, "_BLOCK", block)
    module = copy.deepcopy(small_model("bloom", BLOCKS).h[0].mlp.gelu_impl)
    inputs = torch.linspace(-8, 8, 7 * 11 * 13).reshape(7, 11, 13).transpose(0, 1).to(dtype)
    with torch.inference_mode():
        expected, exact = module(inputs), module(inputs.float())
        with fast_activations(module):
            found = module(inputs.clone())
        assert torch.equal(module(inputs), expected)
    if dtype == torch.float32:
        assert torch.equal(found, expected)  # pinned: results that are there already keep their bits
    else:
        assert (found - exact).abs().max() <= (expected - exact).abs().max()
    assert "forward" not in vars(module)
