"""A model's hidden states at some layers; the forward pass ends at the highest of them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from polyprobe.checkpoints.boundary import library_errors
from polyprobe.running.errors import BadInputError

_Hook = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]


class LayerStates:
    """A reader of layers as transformers numbers them: layer l is `hidden_states[l - 1]`, 1 the embedding output.

    What a block is given is the state of the layer below it, so the states are taken where they enter the blocks: those
    that nobody asks for are not kept, and blocks above the highest layer do not run. The last layer is the model's
    output, after the final norm.

    A family of models whose blocks are not found, or whose blocks are given something else than `hidden_states` says
    (tried with two sub-words), runs whole with `output_hidden_states`.
    """

    def __init__(self, model: Any, layers: Sequence[int]) -> None:
        """Find the model's blocks, and try whether they are given what `hidden_states` says.

        Args:
            model: a base model of transformers.
            layers: numbered from 1.

        Raises:
            ValueError: no layer is asked for, one is below 1, or the model lacks one.
            BadInputError: the model does not run on sub-words alone, or does not return one state of each at a layer.
        """
        if not layers or min(layers) < 1:
            raise ValueError(f"expected layers numbered from 1, got {list(layers)}")
        self._model = model
        self._layers = sorted(set(layers))
        self._blocks = find_blocks(model)
        if self._blocks is not None and not self._agrees(self._blocks):
            self._blocks = None

    @property
    def stops_early(self) -> bool:
        """Whether the pass ends at the highest layer."""
        return self._blocks is not None and self._layers[-1] <= len(self._blocks)

    @torch.inference_mode()
    def __call__(
        self, ids: Int[Tensor, "sentence subword"], mask: Int[Tensor, "sentence subword"]
    ) -> dict[int, Float[Tensor, "sentence subword neuron"]]:
        """Return the states by layer, in the model's number format and on its device.

        Args:
            ids: sub-words, padded on the right.
            mask: 1 for a sub-word, 0 for padding.

        Raises:
            ValueError: the model lacks a layer.
            BadInputError: as for the constructor, of a model that runs whole.
        """
        if self._blocks is None:
            return self._whole(ids, mask)
        return self._stopped(ids, mask, self._blocks)

    def _whole(self, ids: Tensor, mask: Tensor) -> dict[int, Tensor]:
        kind = self._model.config.model_type
        with library_errors(f"model_type {kind!r}: expected a text model that runs on sub-words alone"):
            output = self._model(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
        if getattr(output, "hidden_states", None) is None:
            raise BadInputError(f"model_type {kind!r}: it returns no hidden states, expected one of each layer")
        self._there(len(output.hidden_states))
        found = {layer: output.hidden_states[layer - 1] for layer in self._layers}
        for layer, states in found.items():
            if states.dim() != 3 or states.shape[:2] != ids.shape:
                raise BadInputError(
                    f"model_type {kind!r}: layer {layer} of {tuple(ids.shape)} sub-words has the shape "
                    f"{tuple(states.shape)}, expected one state of each sub-word"
                )
        return found

    def _stopped(self, ids: Tensor, mask: Tensor, blocks: nn.ModuleList) -> dict[int, Tensor]:
        last = len(blocks) + 1
        self._there(last)
        found: dict[int, Tensor] = {}
        hooks = [
            blocks[layer - 1].register_forward_pre_hook(_keep(layer, self._layers[-1], found), with_kwargs=True)
            for layer in self._layers
            if layer < last
        ]
        try:
            output = self._model(input_ids=ids, attention_mask=mask, use_cache=False)
        except _HighestLayerReachedError:
            return found
        finally:
            for hook in hooks:
                hook.remove()
        return found | {last: output.last_hidden_state}

    def _there(self, available: int) -> None:
        if self._layers[-1] > available:
            raise ValueError(f"no layer {self._layers[-1]}, the model has layers 1 to {available}")

    @torch.inference_mode()
    def _agrees(self, blocks: nn.ModuleList) -> bool:
        ids = torch.zeros(1, 2, dtype=torch.long, device=self._model.device)
        mask = torch.ones_like(ids)
        expected = self._whole(ids, mask)
        try:
            found = self._stopped(ids, mask, blocks)
        except (AttributeError, KeyError):
            return False
        return found.keys() == expected.keys() and all(
            found[layer].shape == states.shape and torch.allclose(found[layer], states, rtol=1e-2, equal_nan=True)
            for layer, states in expected.items()
        )


def find_blocks(model: Any) -> nn.ModuleList | None:
    """Return the model's blocks: its one list of modules that is as long as the model is deep.

    Lists inside such a list (a block's experts) do not count.

    Returns:
        None where there is no such list, or several.
    """
    depth = getattr(model.config, "num_hidden_layers", None)
    found: dict[str, nn.ModuleList] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, nn.ModuleList) and len(module) == depth and not inside:
            found[name] = module
    return next(iter(found.values())) if len(found) == 1 else None


class _HighestLayerReachedError(Exception):
    """The end of the forward pass."""


def _keep(layer: int, highest: int, found: dict[int, Tensor]) -> _Hook:
    def hook(block: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        found[layer] = arguments[0] if arguments else named["hidden_states"]
        if layer == highest:
            raise _HighestLayerReachedError

    return hook
