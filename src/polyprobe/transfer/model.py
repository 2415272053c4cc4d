"""QLoRA (Dettmers et al. 2023): a checkpoint in 4-bit NormalFloat, low-rank adapters and a head on top of it."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import peft
import torch
import transformers

from polyprobe.checkpoints import loading
from polyprobe.checkpoints.location import Location
from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Lora
from polyprobe.transfer._quiet import quiet_transformers
from polyprobe.transfer.tasks import TransferTask

_HEADS: Final = ("score", "classifier")
"""Names that transformers gives to classification heads."""


def load_tokenizer(location: Location) -> Any:
    """The checkpoint's tokenizer, padding on the right, with a padding token."""
    tokenizer = loading.load_tokenizer(location)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def load_with_head(
    location: Location, task: TransferTask, lora: Lora, pad_token_id: int, *, seed: int, device: str
) -> Any:
    """The checkpoint, frozen and quantised, with a new head initialised by `seed`.

    The head and whatever else is no linear layer of the body (embeddings, layer norms, biases) stay out of the
    quantisation: in `lora.compute_dtype`, the head in float32.

    Raises:
        BadInputError: transformers has no such head for the architecture, or the weights lack some of its tensors.
    """
    folder = location.weights
    compute_dtype = getattr(torch, lora.compute_dtype)
    quantisation = None
    if lora.quantisation == "nf4":
        quantisation = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute_dtype,
            llm_int8_skip_modules=list(_HEADS),
        )
    torch.manual_seed(seed)
    with quiet_transformers(), _known_to_transformers(folder, task.HEAD):
        model, found = getattr(transformers, task.HEAD).from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            num_labels=len(task.LABELS),
            id2label=dict(enumerate(task.LABELS)),
            label2id={label: number for number, label in enumerate(task.LABELS)},
            pad_token_id=pad_token_id,
            quantization_config=quantisation,
            dtype=compute_dtype,
            device_map={"": device},
        )
    head = head_name(model)
    loading.refuse_missing(folder, [name for name in found["missing_keys"] if not name.startswith(f"{head}.")])
    model.config.use_cache = False
    model.requires_grad_(False)
    getattr(model, head).float()
    _same_arithmetic_in_training_and_evaluation(model)
    _fuse_gelu(model)
    return model


def with_new_adapter(model: Any, task: TransferTask, lora: Lora, *, seed: int) -> Any:
    """The model with an adapter that changes nothing yet, ready to be trained together with the head.

    Raises:
        BadInputError: the architecture has no modules of the names in `lora.targets`, or PEFT knows none for it.
    """
    settings = peft.LoraConfig(
        task_type=task.ADAPTER_KIND,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
        modules_to_save=[head_name(model)],
    )
    torch.manual_seed(seed)
    try:
        with _quiet_peft():
            adapted = peft.get_peft_model(model, settings)
    except ValueError:
        linear = sorted(
            {name.rpartition(".")[2] for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
        )
        raise BadInputError(
            f"{PARAMS}: transfer.lora.targets: {lora.targets}: no such modules in model_type "
            f"{model.config.model_type!r}, expected some of {', '.join(linear)}"
        ) from None
    trained, stored = adapted.get_nb_trainable_parameters()
    print(f"{task.ADAPTER_KIND}: {trained:,} of {stored:,} parameters are trained ({trained / stored:.3%})")
    return adapted


def with_saved_adapter(model: Any, folder: Path) -> Any:
    """The model with an adapter and head that `save_adapter` wrote, in evaluation mode."""
    with _quiet_peft():
        return peft.PeftModel.from_pretrained(model, folder).eval()


def save_adapter(model: Any, folder: Path, base: str) -> None:
    """Writes `adapter_model.safetensors` and `adapter_config.json`, the same bytes for the same adapter.

    Args:
        model: the model with its adapter.
        folder: where to; made if it is not there.
        base: what the adapter belongs to, in place of the path that the weights were loaded from.
    """
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    file = folder / "adapter_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = base
    # PEFT writes these sets in an order that changes from run to run, and names the head twice.
    settings |= {key: sorted(set(settings[key])) for key in ("target_modules", "modules_to_save")}
    file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def head_name(model: Any) -> str:
    """The name of the model's classification head."""
    return str(next(name for name, _ in model.named_children() if name in _HEADS))


@contextmanager
def _known_to_transformers(folder: Path, head: str) -> Iterator[None]:
    """An architecture without this head is one line."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise BadInputError(
            f"{loading.not_loaded(folder, error)}; for this task, one that has a model for {head}"
        ) from None


def _same_arithmetic_in_training_and_evaluation(model: Any) -> None:
    """Keeps bitsandbytes from repacking weights at the first evaluation on some CPUs.

    The packed form rounds the quantisation constants again and has no gradient, so that training after an evaluation
    would go wrong and the scores would depend on how often one had evaluated.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _fuse_gelu(model: Any) -> None:
    """Computes BLOOM's GELU in one kernel: the same function (the tanh approximation), three times as fast."""
    for module in model.modules():
        if hasattr(module, "gelu_impl"):
            module.gelu_impl = torch.nn.GELU(approximate="tanh")


def _quiet_peft() -> warnings.catch_warnings:
    """PEFT reads an attribute that transformers is about to rename."""
    return warnings.catch_warnings(action="ignore", category=FutureWarning)
