"""QLoRA (Dettmers et al. 2023): a checkpoint in 4-bit NormalFloat, low-rank adapters and a head on top of it."""

import json
import warnings
from pathlib import Path
from typing import Any, Final

import peft
import torch
import transformers

from polyprobe.checkpoints import loading
from polyprobe.checkpoints.config import cannot_load, load_config
from polyprobe.checkpoints.layout import CONFIG
from polyprobe.checkpoints.location import Location
from polyprobe.checkpoints.tokenizer import load_tokenizer as load_fast_tokenizer
from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Lora
from polyprobe.transfer.tasks import TransferTask

_PADDING: Final = ("pad_token", "eos_token", "unk_token")
"""What a tokenizer calls the tokens that are fit for padding, the fittest first."""
_HEADS: Final = ("score", "classifier")
"""Names that transformers gives to classification heads."""


def load_tokenizer(location: Location) -> Any:
    """Load the checkpoint's tokenizer, which pads on the right with a token that the model has an embedding for.

    Heads of causal models find the last sub-word by the padding token, so that no other sub-word can stand in for it.

    Raises:
        BadInputError: the tokenizer or the architecture cannot be loaded, or no token is fit for padding.
    """
    tokenizer = load_fast_tokenizer(location)
    # As config.json says: weights of another shape are refused when they are loaded.
    rows = load_config(location.weights).get_text_config().vocab_size
    found = {name: getattr(tokenizer, f"{name}_id") for name in _PADDING}
    for name, number in found.items():
        if number is not None and number < rows:
            tokenizer.pad_token = getattr(tokenizer, name)
            return tokenizer
    known = ", ".join(f"{name} {number}" for name, number in found.items() if number is not None)
    raise BadInputError(
        f"{location.tokenizer}: expected a {', '.join(_PADDING[:-1])} or {_PADDING[-1]} among the {rows} sub-words of "
        f"{location.weights / CONFIG}, to pad examples with, found {known or 'none'}; name one in tokenizer_config.json"
    )


def load_with_head(
    location: Location, task: TransferTask, lora: Lora, pad_token_id: int, *, seed: int, device: str
) -> Any:
    """Load the checkpoint, frozen and quantised, with a new head on top.

    The head and whatever else is no linear layer of the body (embeddings, layer norms, biases) stay out of the
    quantisation: in `lora.compute_dtype`, the head in float32.

    Args:
        location: where the checkpoint lies.
        task: says which head, with how many labels.
        lora: says whether to quantise, and the number format to compute in.
        pad_token_id: the tokenizer's padding token, as `load_tokenizer` chooses it.
        seed: what the head is initialised by.
        device: where the model goes: a torch device.

    Returns:
        A model of transformers' class `task.HEAD`.

    Raises:
        BadInputError: transformers has no such head for the architecture or gives it another name than most, or refuses
            config.json or the weights; the weights lack some of the architecture's tensors; memory does not suffice.
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
    config = load_config(
        folder,
        num_labels=len(task.LABELS),
        id2label=dict(enumerate(task.LABELS)),
        label2id={label: number for number, label in enumerate(task.LABELS)},
    )
    config.get_text_config().pad_token_id = pad_token_id
    torch.manual_seed(seed)
    refused = f"{cannot_load(folder, config.model_type)}; for this task, one that has a model for {task.HEAD}"
    with loading.loadable(folder, device, refused) as weights:
        model, found = getattr(transformers, task.HEAD).from_pretrained(
            weights,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            quantization_config=quantisation,
            dtype=compute_dtype,
            device_map={"": device},
        )
    model.name_or_path = model.config._name_or_path = str(folder)  # where PEFT looks for config.json
    head = head_name(model)
    loading.refuse_missing(folder, [name for name in found["missing_keys"] if not name.startswith(f"{head}.")])
    model.config.use_cache = False
    model.requires_grad_(False)
    getattr(model, head).float()
    _same_arithmetic_in_training_and_evaluation(model)
    _fuse_gelu(model)
    return model


def with_new_adapter(model: Any, task: TransferTask, lora: Lora, *, seed: int) -> Any:
    """Return the model with an adapter that changes nothing yet, ready to be trained together with the head.

    Args:
        model: as `load_with_head` returns it.
        task: says which kind of adapter PEFT makes.
        lora: says how large the adapter is, and where it goes.
        seed: what the adapter is initialised by.

    Raises:
        BadInputError: the architecture has no modules of the names in `lora.targets`, or PEFT knows none for it; or the
            head has another name than most.
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
    """Return the model with an adapter and head that `save_adapter` wrote, in evaluation mode.

    Args:
        model: as `load_with_head` returns it.
        folder: where the adapter lies.
    """
    with _quiet_peft():
        return peft.PeftModel.from_pretrained(model, folder).eval()


def save_adapter(model: Any, folder: Path, base: str) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json`, the same bytes for the same adapter.

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
    """Return the name of the model's classification head.

    Raises:
        BadInputError: the architecture gives it another name than most.
    """
    parts: list[str] = [name for name, _ in model.named_children()]
    head = next((name for name in parts if name in _HEADS), None)
    if head is None:
        raise BadInputError(
            f"model_type {model.config.model_type!r}: expected an architecture whose head is called "
            f"{' or '.join(_HEADS)}, found {', '.join(parts)}"
        )
    return head


def _same_arithmetic_in_training_and_evaluation(model: Any) -> None:
    """Keep bitsandbytes from repacking weights at the first evaluation, as it does on some CPUs.

    The packed form rounds the quantisation constants again and has no gradient, so that training after an evaluation
    would go wrong and the scores would depend on how often one had evaluated.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _fuse_gelu(model: Any) -> None:
    """Compute BLOOM's GELU in one kernel: the same function (the tanh approximation), three times as fast."""
    for module in model.modules():
        if hasattr(module, "gelu_impl"):
            module.gelu_impl = torch.nn.GELU(approximate="tanh")


def _quiet_peft() -> warnings.catch_warnings:
    """Ignore FutureWarning in a block: PEFT reads an attribute that transformers is about to rename."""
    return warnings.catch_warnings(action="ignore", category=FutureWarning)
