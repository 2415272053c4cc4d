"""Models of checkpoints, of any causal or encoder architecture that transformers knows."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, GenerationConfig

from polyprobe.checkpoints.boundary import library_errors, memory_errors, quiet_transformers
from polyprobe.checkpoints.config import cannot_load, load_config
from polyprobe.checkpoints.layout import alone, weights_and_index
from polyprobe.checkpoints.location import Location
from polyprobe.running.errors import BadInputError


def load_model(location: Location, dtype: str = "float32", device: str = "cpu") -> Any:
    """Load a checkpoint's text model without a head, in evaluation mode.

    Args:
        location: where the checkpoint lies.
        dtype: float32, bfloat16 or float16.
        device: a torch device.

    Raises:
        BadInputError: transformers cannot load it, the weights lack some of its tensors, or memory does not suffice.
    """
    folder, config = location.weights, load_config(location.weights)
    with loadable(folder, device, cannot_load(folder, config.model_type)) as weights:
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
    model.name_or_path = str(folder)
    # An encoder's pooler comes after all hidden states, and a model saved with a head has none.
    refuse_missing(folder, [name for name in found["missing_keys"] if not name.startswith("pooler.")])
    return model


@contextmanager
def loadable(folder: Path, device: str, refused: str) -> Iterator[Path]:
    """Yield a folder's weights and nothing else, for transformers to load quietly.

    What goes wrong within the block becomes one line.

    Args:
        folder: the checkpoint's.
        device: where the weights go, for errors.
        refused: what to say where transformers does not take them.

    Raises:
        BadInputError: transformers does not take them, or memory does not suffice.
    """
    with (
        alone(folder, weights_and_index(folder)) as weights,
        quiet_transformers(),
        memory_errors(f"{folder}: the memory of {device} does not suffice to load it"),
        library_errors(refused),
    ):
        yield weights


def refuse_unknown_subwords(model: Any, greatest: int) -> None:
    """Refuse a tokenizer that gives a sub-word for which the model has no embedding.

    Args:
        model: any of transformers.
        greatest: the tokenizer's greatest sub-word in the texts at hand.

    Raises:
        BadInputError: the model has no embedding for it.
    """
    rows = len(model.get_input_embeddings().weight)
    if greatest >= rows:
        raise BadInputError(
            f"{model.name_or_path or type(model).__name__}: the tokenizer gives sub-word {greatest}, but the model has "
            f"embeddings for 0 to {rows - 1} only; expected the tokenizer that the model was trained with"
        )


def refuse_missing(folder: Path, missing: Collection[str]) -> None:
    """Refuse weights that lack tensors, which transformers would make up.

    Args:
        folder: the weights, for errors.
        missing: names of the tensors that they lack.

    Raises:
        BadInputError: there are any.
    """
    if missing:
        raise BadInputError(
            f"{folder}: the weights lack {len(missing)} tensors that config.json asks for, such as {min(missing)}; "
            "expected names as transformers saves them"
        )
