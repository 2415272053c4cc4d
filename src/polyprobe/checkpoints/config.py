"""A checkpoint's `config.json` as transformers reads it, its hash, and what is refused of it."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from polyprobe.checkpoints.boundary import library_errors
from polyprobe.checkpoints.layout import CONFIG, read_json
from polyprobe.running.errors import BadInputError

_SAID_BY_US: Final = frozenset(
    # a head's labels, which every task says
    {"id2label", "label2id", "num_labels", "problem_type", "task_specific_params"}
    # what a call returns or keeps, which every call says
    | {"output_attentions", "output_hidden_states", "return_dict", "use_cache"}
)
_CANNOT_MATTER: Final = _SAID_BY_US | frozenset(
    # names, versions, code and the format of the file
    {"_name_or_path", "architectures", "auto_map", "dtype", "finetuning_task", "tokenizer_class", "torch_dtype"}
    | {"transformers_version"}
    # generating
    | {"bos_token_id", "decoder_start_token_id", "eos_token_id", "sep_token_id", "forced_bos_token_id"}
    | {"forced_eos_token_id"}
)
"""Keys of `config.json` that change no hidden state of words and no fine-tuning."""

_MOST_BLOCKS: Final = 10_000
"""More are an accident, and would be made, one after the other, before the weights are found not to be theirs."""
_SEVERAL_STATES: Final = "its layers hold several states of each sub-word"
_REFUSED: Final = {
    "deepseek_v4": _SEVERAL_STATES,
    "funnel": "its layers hold fewer states than there are sub-words",
    "gemma3n_text": _SEVERAL_STATES,
    "hy_v4": _SEVERAL_STATES,
    "longcat_flash": "transformers counts each of its blocks twice",
    "qwen4_exp_text": _SEVERAL_STATES,
}
"""Text models whose hidden states are not one of each sub-word at each layer, and why."""


def load_config(folder: Path, **settings: Any) -> Any:
    """Return the settings of the model in a folder.

    What a task or a call says itself is left out, a head's labels among it. A `pad_token_id` that the embedding has no
    row for (-1, as LLaMA was published) counts as none.

    Args:
        folder: with `config.json`.
        settings: take the place of what is there.

    Raises:
        BadInputError: there is none, transformers does not know its `model_type`, has no model without a head of it or
            refuses its values, the weights are quantised, the model is of a family of encoders with decoders, or its
            hidden states are not one of each sub-word at each layer.
    """
    file = folder / CONFIG
    values = read_json(file, "transformers' config.json")
    if "quantization_config" in values:
        raise BadInputError(f"{file}: quantization_config: quantised weights, expected those they were made from")
    for section in (values, values.get("text_config")):
        if isinstance(section, dict):
            for name in _SAID_BY_US & section.keys():
                del section[name]
            if not _is_row(section.get("pad_token_id"), section.get("vocab_size")):
                section["pad_token_id"] = None
    refused = cannot_load(folder, values.get("model_type"))
    with library_errors(refused):
        from transformers import CONFIG_MAPPING, MODEL_MAPPING, PreTrainedConfig

        # Infinity is no JSON, and transformers writes it as an object.
        values = PreTrainedConfig._decode_special_floats(values)
        config = CONFIG_MAPPING[values["model_type"]].from_dict(values | settings)
        known = type(config) in MODEL_MAPPING
    # Of a decoder saved alone AutoModel would make up the encoder.
    if config.is_encoder_decoder or type(config).is_encoder_decoder:
        raise BadInputError(f"{file}: an encoder with a decoder, expected a causal model or an encoder")
    if not known:
        raise BadInputError(refused)
    if not isinstance(config.get_text_config(), PreTrainedConfig):
        raise BadInputError(f"{file}: text_config: expected the settings of a model that has more than the text model")
    if (text := config.get_text_config().model_type) in _REFUSED:
        raise BadInputError(f"{file}: model_type {text!r}: {_REFUSED[text]}")
    return config


def config_hash(config: Any) -> str:
    """Return the SHA-256 of the text model's settings, defaults filled in, without those that cannot matter."""
    text = config.get_text_config().to_dict()
    kept = {"of": config.model_type} | {name: text[name] for name in text if name not in _CANNOT_MATTER}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


def layers_and_width(config: Any, folder: Path) -> tuple[int, int]:
    """Return how many layers (blocks + 1: the embedding output counts) and how many neurons per layer a model has.

    Args:
        config: as `load_config` returns it.
        folder: the model's, for errors.

    Raises:
        BadInputError: the settings do not say, or cannot be right.
    """
    text = config.get_text_config()
    blocks, width = getattr(text, "num_hidden_layers", None), getattr(text, "hidden_size", None)
    if not isinstance(blocks, int) or not isinstance(width, int) or not 1 <= blocks <= _MOST_BLOCKS or width < 1:
        raise BadInputError(
            f"{folder / CONFIG}: expected positive numbers for the model's blocks (at most {_MOST_BLOCKS}) and its "
            f"width, found {blocks} and {width}"
        )
    return blocks + 1, width


def cannot_load(folder: Path, kind: Any) -> str:
    """Return what to say of a folder whose model transformers refuses.

    Args:
        folder: the model's.
        kind: its `model_type`.
    """
    return (
        f"{folder / CONFIG}: model_type {kind!r}: transformers {version('transformers')} cannot load it; expected a "
        "causal model or an encoder that this version knows without code from the hub"
    )


def _is_row(number: Any, rows: Any) -> bool:
    return number is None or (isinstance(number, int) and number >= 0 and (not isinstance(rows, int) or number < rows))
