"""The size of a model from its `config.json`, whatever its family calls the numbers."""

from pathlib import Path
from typing import Any, Final

from polyprobe.checkpoints.layout import CONFIG, read_json
from polyprobe.running.errors import BadInputError

_BLOCKS: Final = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_WIDTH: Final = ("hidden_size", "n_embd", "n_embed", "d_model")


def layers_and_width(folder: Path) -> tuple[int, int]:
    """Layers (blocks + 1: the embedding output counts) and neurons per layer.

    Raises:
        BadInputError: there is no `config.json`, it does not say, or the model is an encoder with a decoder.
    """
    config = read_json(folder / CONFIG, "transformers' config.json")
    if config.get("is_encoder_decoder"):
        raise BadInputError(f"{folder / CONFIG}: an encoder with a decoder, expected a causal model or an encoder")
    return _first(config, _BLOCKS, folder) + 1, _first(config, _WIDTH, folder)


def _first(config: dict[str, Any], names: tuple[str, ...], folder: Path) -> int:
    for section in (config, config.get("text_config") or {}):
        for name in names:
            if isinstance(value := section.get(name), int):
                return value
    raise BadInputError(f"{folder / CONFIG}: expected one of the keys {', '.join(names)}")
