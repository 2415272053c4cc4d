"""Models and tokenizers of checkpoints, of any causal or encoder architecture that transformers knows."""

from typing import Any

import torch

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.resolving import weights_folder
from polyprobe.running.errors import BadInputError


def load_model(manifest: Manifest, dtype: str = "float32", device: str = "cpu") -> Any:
    """The base model (no language-modelling head) in evaluation mode.

    Args:
        manifest: the checkpoint.
        dtype: float32, bfloat16 or float16.
        device: a torch device.
    """
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # that the head's weights are not used is what is wanted here
    try:
        model = AutoModel.from_pretrained(
            weights_folder(manifest), dtype=getattr(torch, dtype), local_files_only=True, use_safetensors=True
        )
    finally:
        logging.set_verbosity(verbosity)
    return model.eval().to(device)


def load_tokenizer(manifest: Manifest) -> Any:
    """The fast tokenizer, which knows each sub-word's characters; it pads on the right.

    Raises:
        BadInputError: there is only a slow one.
    """
    from transformers import AutoTokenizer

    folder = weights_folder(manifest)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="right")
    if not tokenizer.is_fast:
        raise BadInputError(f"{folder}: no fast tokenizer, expected tokenizer.json")
    return tokenizer
