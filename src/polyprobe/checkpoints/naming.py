"""One name for each tensor of a model, whether it was saved with or without the part that predicts words.

transformers saves a base model's tensors without a prefix (`h.0.mlp.weight`) and those of a model with a head under the
base model's (`transformer.h.0.mlp.weight`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from polyprobe.checkpoints.layout import CONFIG, read_json
from polyprobe.checkpoints.tensors import StoredTensor

_PREFIXES: Final = {
    "bert": "bert", "bloom": "transformer", "gemma": "model", "gpt2": "transformer", "gpt_neo": "transformer",
    "gpt_neox": "gpt_neox", "gptj": "transformer", "llama": "model", "mistral": "model", "olmo": "model",
    "olmo2": "model", "phi": "model", "qwen2": "model", "qwen3": "model", "roberta": "roberta",
    "xlm-roberta": "roberta", "xlm-roberta-xl": "roberta",
}  # fmt: skip
"""transformers' `base_model_prefix` per `model_type`. Tensors of other types keep the names that they have."""

_HEADS: Final = ("lm_head", "embed_out", "cls")
_TIED: Final = (
    "lm_head.weight",
    "embed_out.weight",
    "lm_head.decoder.weight",
    "lm_head.decoder.bias",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
)
"""Tensors of heads that may be tied to another one."""


_BUFFERS: Final = (
    ".attn.bias",
    ".attn.masked_bias",
    ".attention.bias",
    ".attention.masked_bias",
    ".rotary_emb.inv_freq",
    "embeddings.position_ids",
)
"""Ends of names of what older versions of transformers saved beside the weights: masks and positions, which today's
compute. One of them is -infinity in float16."""


def full_names(folder: Path, tensors: Sequence[StoredTensor]) -> dict[str, StoredTensor]:
    """Return the weights by their names in the model with a head, in the order of these names.

    Args:
        folder: where `config.json` lies, if there is one.
        tensors: what the folder's weights hold; masks and positions of older versions (`_BUFFERS`) are left out.
    """
    config = read_json(folder / CONFIG, "transformers' config.json") if (folder / CONFIG).exists() else {}
    prefix = _PREFIXES.get(str(config.get("model_type")))
    tensors = [tensor for tensor in tensors if not tensor.name.endswith(_BUFFERS)]
    if prefix is None or any(tensor.name.startswith(f"{prefix}.") for tensor in tensors):
        named = {tensor.name: tensor for tensor in tensors}
    else:
        named = {
            tensor.name if tensor.name.split(".")[0] in _HEADS else f"{prefix}.{tensor.name}": tensor
            for tensor in tensors
        }
    return dict(sorted(named.items()))


def without_tied(tensors: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Return the tensors without those of a head that equal another one bit for bit: only some files hold them."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if name not in _TIED or not any(_equal(tensor, other) for twin, other in tensors.items() if twin not in _TIED)
    }


def _equal(one: StoredTensor, other: StoredTensor) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return all(mine == its for mine, its in zip(one.chunks(), other.chunks(), strict=True))
