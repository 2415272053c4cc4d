"""Models of checkpoints, of any causal or encoder architecture that transformers knows."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from polyprobe.checkpoints.boundary import library_errors, memory_errors
from polyprobe.checkpoints.config import cannot_load, load_config
from polyprobe.checkpoints.layout import alone, weights_and_index
from polyprobe.checkpoints.location import Location
from polyprobe.running.errors import BadInputError


def load_model(location: Location, dtype: str = "float32", device: str = "cpu") -> Any:
    """The text model without a head, in evaluation mode.

    Args:
        location: where the checkpoint lies.
        dtype: float32, bfloat16 or float16.
        device: a torch device.

    Raises:
        BadInputError: transformers cannot load it, the weights lack some of its tensors, or memory does not suffice.
    """
    from transformers import AutoModel, GenerationConfig
    from transformers.utils import logging

    folder, config = location.weights, load_config(location.weights)
    logging.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # that the head's weights are not used is what is wanted here
    try:
        too_large = f"{folder}: the memory of {device} does not suffice to load it"
        with (
            alone(folder, weights_and_index(folder)) as weights,
            memory_errors(too_large),
            library_errors(cannot_load(folder)),
        ):
            model, found = AutoModel.from_pretrained(
                weights,
                config=config,
                dtype=getattr(torch, dtype),
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                # Left out, it would have the terminal asked.
                trust_remote_code=False,
                # Left out, it would be looked for in files.
                generation_config=GenerationConfig(),
            )
            if config.get_text_config() is not config:
                model = model.get_decoder()
            model = model.eval().to(device)
    finally:
        logging.set_verbosity(verbosity)
    # An encoder's pooler comes after all hidden states, and a model saved with a head has none.
    refuse_missing(folder, [name for name in found["missing_keys"] if not name.startswith("pooler.")])
    return model


def refuse_missing(folder: Path, missing: Collection[str]) -> None:
    """Raises BadInputError if there are tensors that the weights lack and that transformers would make up."""
    if missing:
        raise BadInputError(
            f"{folder}: the weights lack {len(missing)} tensors that config.json asks for, such as {min(missing)}; "
            "expected names as transformers saves them"
        )
