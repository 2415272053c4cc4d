"""Models and tokenizers of checkpoints, of any causal or encoder architecture that transformers knows."""

from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from polyprobe.checkpoints.layout import CONFIG, read_json
from polyprobe.checkpoints.location import Location
from polyprobe.running.errors import BadInputError
from polyprobe.running.memory import out_of_memory


def load_model(location: Location, dtype: str = "float32", device: str = "cpu") -> Any:
    """The base model (no language-modelling head) in evaluation mode.

    Args:
        location: where the checkpoint lies.
        dtype: float32, bfloat16 or float16.
        device: a torch device.

    Raises:
        BadInputError: transformers does not know the architecture, or the weights lack some of its tensors.
    """
    from transformers import AutoModel
    from transformers.utils import logging

    folder = location.weights
    logging.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # that the head's weights are not used is what is wanted here
    try:
        model, found = AutoModel.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            # Left out, it would have the terminal asked.
            trust_remote_code=False,
        )
    except (ValueError, KeyError, RuntimeError) as error:
        if out_of_memory(error):
            raise BadInputError(f"{folder}: the memory of {device} does not suffice to load it") from None
        raise BadInputError(not_loaded(folder, error)) from None
    finally:
        logging.set_verbosity(verbosity)
    # An encoder's pooler comes after all hidden states, and a model saved with a head has none.
    refuse_missing(folder, [name for name in found["missing_keys"] if not name.startswith("pooler.")])
    return model.eval().to(device)


def refuse_missing(folder: Path, missing: Collection[str]) -> None:
    """Raises BadInputError if there are tensors that the weights lack and that transformers would make up."""
    if missing:
        raise BadInputError(
            f"{folder}: the weights lack {len(missing)} tensors that config.json asks for, such as {min(missing)}; "
            "expected names as transformers saves them"
        )


def not_loaded(folder: Path, error: Exception) -> str:
    """What to say of a folder that transformers refused."""
    kind = read_json(folder / CONFIG, "transformers' config.json").get("model_type")
    return (
        f"{folder / CONFIG}: model_type {kind!r}: transformers {version('transformers')} cannot load it; expected a "
        f"causal model or an encoder that this version knows without code from the hub ({str(error).splitlines()[0]})"
    )


def load_tokenizer(location: Location) -> Any:
    """The fast tokenizer, which knows each sub-word's characters; it pads on the right.

    Raises:
        BadInputError: there is only a slow one, or one that transformers does not know.
    """
    from transformers import AutoTokenizer

    folder = location.tokenizer
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, padding_side="right", trust_remote_code=False
        )
    except ValueError as error:
        raise BadInputError(
            f"{folder}: transformers {version('transformers')} cannot load the tokenizer; expected one that it knows "
            f"without code from the hub ({str(error).splitlines()[0]})"
        ) from None
    if not tokenizer.is_fast:
        raise BadInputError(f"{folder}: no fast tokenizer, expected tokenizer.json")
    return tokenizer
