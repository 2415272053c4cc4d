"""A BLOOM trained from scratch on treebank text: tokenizer, batches, training that can be killed and gone on with."""

import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from polyprobe.running.code_version import code_version
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file, new_folder, space_for, write_json
from polyprobe.running.knobs import knobs
from polyprobe.running.machine import use_threads
from polyprobe.running.progress import progress
from polyprobe.running.scratch import scratch_folder
from polyprobe.running.seeds import derive_seed
from polyprobe.study import Pretrain

Texts = Mapping[str, Sequence[Sequence[str]]]
"""Per language its documents, each a list of its sentences' texts."""

SPECIAL_TOKENS: Final = ("<unk>", "<s>", "</s>", "<pad>")
"""In the order of their ids, as in BLOOM."""

END: Final = SPECIAL_TOKENS.index("</s>")
PADDING: Final = SPECIAL_TOKENS.index("<pad>")

_WORD_PATTERN: Final = " ?[^(\\s|[.,!?…。，、।۔،])]+"
"""How BLOOM's tokenizer splits text before it looks for sub-words."""

_TOKENIZER_CHARACTERS: Final = 1_000_000
_FINAL_RATE: Final = 0.1
_MAX_GRADIENT_NORM: Final = 1.0
_STATE: Final = "state.safetensors"


def pretrain(texts: Texts, settings: Pretrain, *, folder: Path, curve: Path, save_state_every: float = 60.0) -> None:
    """Train a tokenizer and a model, and write a folder in transformers' layout for each step of `save_at`.

    A run that was killed is gone on with from its last state and ends with the same bytes as an unbroken one.

    Args:
        texts: the training text.
        settings: the section of params.yaml.
        folder: takes `step-N/` with weights, config, tokenizer and `training.json` (step, tokens_seen).
        curve: the training curve, a table with the columns step and loss (nats per sub-word, before the
            step's update).
        save_state_every: seconds between the states that a killed run goes on from.

    Raises:
        BadInputError: a language has no text, the vocabulary is too small, or the disk is full.
    """
    machine = knobs()
    device = torch.device(machine.torch_device())
    use_threads(machine.threads)
    scratch = scratch_folder(
        f"pretrain-{folder.name}",
        {
            "settings": settings.model_dump(),
            "texts": hashlib.sha256(json.dumps(dict(texts)).encode()).hexdigest(),
            "device": device.type,
            "threads": machine.threads,
            "code": code_version("pocket", "running"),
        },
    )
    tokenizer = _tokenizer(texts, settings, scratch)
    streams = Streams({language: encode(tokenizer, documents) for language, documents in texts.items()}, settings)
    with space_for(scratch, "what has been trained is kept"):
        _train(settings, tokenizer, streams, device, scratch, save_state_every)
    with new_folder(folder) as finished:
        for step in settings.save_at:
            shutil.copytree(scratch / f"step-{step}", finished / f"step-{step}")
    with new_file(curve) as temporary:
        shutil.copyfile(scratch / "dvclive" / "plots" / "metrics" / "loss.tsv", temporary)
    shutil.rmtree(scratch)


def train_tokenizer(texts: Texts, vocabulary: int, model_max_length: int) -> Any:
    """Train a fast tokenizer with byte-level sub-words (BPE), special sub-words and splitting as in BLOOM.

    Every language has the same say: its text is cut or repeated to the same length.

    Args:
        texts: the training text.
        vocabulary: sub-words at most, the 256 bytes and the special ones among them.
        model_max_length: sub-words that the model takes at once.

    Returns:
        A `PreTrainedTokenizerFast`.

    Raises:
        BadInputError: a language has no text, or the vocabulary has no room for 256 bytes and the special sub-words.
    """
    from tokenizers import AddedToken, Regex, Tokenizer
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
    from tokenizers.processors import ByteLevel as ByteLevelProcessor
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    smallest = 256 + len(SPECIAL_TOKENS)
    if vocabulary < smallest:
        raise BadInputError(f"vocabulary: expected at least {smallest} (bytes and special sub-words), got {vocabulary}")
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Sequence(
        [Split(Regex(_WORD_PATTERN), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.post_processor = ByteLevelProcessor(add_prefix_space=False, trim_offsets=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL_TOKENS],
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_equal_shares(texts), trainer)
    unknown, begin, end, padding = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=unknown,
        bos_token=begin,
        eos_token=end,
        pad_token=padding,
        padding_side="right",
        model_max_length=model_max_length,
        clean_up_tokenization_spaces=False,
    )


def encode(tokenizer: Any, documents: Sequence[Sequence[str]]) -> Int64[np.ndarray, " subword"]:
    """Return one language's text as one stream of sub-words.

    The sentences of a document are joined by a space, and `</s>` follows each document.

    Args:
        tokenizer: a fast tokenizer.
        documents: each a list of its sentences' texts; those without sentences are left out.
    """
    joined = [" ".join(sentences) for sentences in documents if sentences]
    encodings = tokenizer.backend_tokenizer.encode_batch_fast(joined, add_special_tokens=False)
    return np.fromiter(chain.from_iterable([*encoding.ids, END] for encoding in encodings), dtype=np.int64)


class Streams:
    """The training sequences as a function of (seed, step): nothing has to be remembered to go on.

    Each language's stream is cut into sequences; sequence number g of the whole training is of language g modulo the
    number of languages, so that each language has the same share of each batch, within one sequence. A language goes
    through its sequences in a new random order each time round: small ones come round more often.
    """

    def __init__(self, streams: Mapping[str, Int64[np.ndarray, " subword"]], settings: Pretrain) -> None:
        length = settings.sequence_length
        self._languages = list(streams)
        self._sequences = [np.resize(stream, (max(1, len(stream) // length), length)) for stream in streams.values()]
        self._batch_size = settings.batch_size
        self._seed = settings.seed

    def batch(self, step: int) -> Int64[Tensor, "sequence subword"]:
        """Return the sequences that the step after `step` steps trains on.

        Returns:
            Ids of sub-words, [batch_size, sequence_length].
        """
        first = step * self._batch_size
        return torch.from_numpy(np.stack([self._sequence(number) for number in range(first, first + self._batch_size)]))

    def _sequence(self, number: int) -> Int64[np.ndarray, " subword"]:
        turn, language = divmod(number, len(self._languages))
        sequences = self._sequences[language]
        time_round, position = divmod(turn, len(sequences))
        seed = derive_seed(self._seed, "order", self._languages[language], time_round)
        order = np.random.default_rng(seed).permutation(len(sequences))
        sequence: Int64[np.ndarray, " subword"] = sequences[order[position]]
        return sequence


def learning_rate(step: int, settings: Pretrain) -> float:
    """Return the learning rate of the update after `step` updates.

    It warms up linearly, then falls by half a cosine to a tenth of `settings.learning_rate`.

    Args:
        step: the updates before this one.
        settings: the section of params.yaml.
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.save_at[-1] - settings.warmup_steps)
    return settings.learning_rate * (_FINAL_RATE + (1 - _FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * done)))


def _train(
    settings: Pretrain, tokenizer: Any, streams: Streams, device: torch.device, scratch: Path, save_state_every: float
) -> None:
    """Train to the last step of `save_at`; leave the checkpoints and the training curve in `scratch`.

    Args:
        settings: the section of params.yaml.
        tokenizer: saved with each checkpoint.
        streams: the training sequences.
        device: where the model is.
        scratch: holds the last state too, from which the training goes on where there is one.
        save_state_every: seconds between two states.
    """
    from dvclive import Live

    model = _new_model(settings, len(tokenizer)).to(device)
    optimiser = _optimiser(model, settings)
    losses = _load_state(scratch / _STATE, model, optimiser)
    precision = torch.autocast(device.type, torch.bfloat16, enabled=settings.compute_dtype == "bfloat16")
    saved = time.monotonic()
    with (
        Live(str(scratch / "dvclive"), save_dvc_exp=False, dvcyaml=None, report=None) as live,
        progress(range(settings.save_at[-1]), description="pretrain", unit="step") as bar,
    ):
        # A new dvclive's curve has nothing of what was trained before.
        for done, loss in enumerate(losses):
            _log(live, done + 1, loss)
        bar.update(len(losses))
        while True:
            step = len(losses)
            if step in settings.save_at:
                _save_checkpoint(scratch / f"step-{step}", step, model, tokenizer, settings)
            if step == settings.save_at[-1]:
                return
            if step in settings.save_at or time.monotonic() - saved > save_state_every:
                _save_state(scratch / _STATE, model, optimiser, losses)
                saved = time.monotonic()
            batch = streams.batch(step).to(device)
            with precision:
                loss = model(input_ids=batch, labels=batch).loss
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), _MAX_GRADIENT_NORM)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, settings)
            optimiser.step()
            optimiser.zero_grad()
            losses.append(loss.item())
            _log(live, step + 1, losses[-1])
            bar.update()
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)


def _new_model(settings: Pretrain, vocabulary: int) -> Any:
    from transformers.models.bloom.configuration_bloom import BloomConfig
    from transformers.models.bloom.modeling_bloom import BloomForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # ours tells more
    torch.manual_seed(derive_seed(settings.seed, "weights"))
    config = BloomConfig(
        vocab_size=vocabulary,
        hidden_size=settings.width,
        n_layer=settings.blocks,
        n_head=settings.heads,
        seq_length=settings.sequence_length,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        use_cache=False,
        unk_token_id=0,
        bos_token_id=1,
        eos_token_id=END,
        pad_token_id=PADDING,
    )
    model = BloomForCausalLM(config)
    for block in model.transformer.h:
        # The same function as transformers' own, in one fused kernel: a third less time per step.
        block.mlp.gelu_impl = nn.GELU(approximate="tanh")
    return model.train()


def _optimiser(model: nn.Module, settings: Pretrain) -> torch.optim.AdamW:
    """Return AdamW, under which biases and layer norms do not decay."""
    parameters = list(model.parameters())
    groups = [
        {"params": [weight for weight in parameters if weight.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [weight for weight in parameters if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.95), fused=True)


def _save_checkpoint(folder: Path, step: int, model: Any, tokenizer: Any, settings: Pretrain) -> None:
    with new_folder(folder) as fresh:
        model.save_pretrained(fresh)
        tokenizer.save_pretrained(fresh)
        tokens = step * settings.batch_size * settings.sequence_length
        write_json(fresh / "training.json", {"step": step, "tokens_seen": tokens})


def _save_state(file: Path, model: nn.Module, optimiser: torch.optim.AdamW, losses: list[float]) -> None:
    from safetensors.torch import save_file

    tensors = {"losses": torch.tensor(losses, dtype=torch.float64)}
    for name, weight in model.named_parameters():
        tensors[f"weight.{name}"] = weight.detach()
        for part, value in optimiser.state.get(weight, {}).items():
            tensors[f"optimiser.{part}.{name}"] = value
    with new_file(file) as temporary:
        save_file(tensors, temporary)


def _load_state(file: Path, model: nn.Module, optimiser: torch.optim.AdamW) -> list[float]:
    """Bring model and optimiser to the state in `file`, where there is one, and return the losses so far.

    Args:
        file: as `_save_state` writes it.
        model: takes the weights.
        optimiser: takes the moments.

    Returns:
        The loss of each step so far in nats per sub-word; none where there is no file.
    """
    from safetensors.torch import load_file

    if not file.exists():
        return []
    tensors = load_file(file)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(tensors[f"weight.{name}"])
            for part in ("step", "exp_avg", "exp_avg_sq"):
                if (value := tensors.get(f"optimiser.{part}.{name}")) is not None:
                    optimiser.state[weight][part] = value.to(weight.device)
    losses: list[float] = tensors["losses"].tolist()
    return losses


def _tokenizer(texts: Texts, settings: Pretrain, scratch: Path) -> Any:
    """Return the tokenizer, trained once per scratch folder.

    Args:
        texts: the training text.
        settings: the section of params.yaml.
        scratch: the folder.

    Raises:
        BadInputError: a language has no text, or the vocabulary is too small.
    """
    from transformers import PreTrainedTokenizerFast

    folder = scratch / "tokenizer"
    if not folder.exists():
        with new_folder(folder) as fresh:
            train_tokenizer(texts, settings.vocabulary, settings.sequence_length).save_pretrained(fresh)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def _equal_shares(texts: Texts) -> Iterator[str]:
    lengths = {
        language: sum(len(text) for document in documents for text in document) for language, documents in texts.items()
    }
    for language, length in lengths.items():
        if not length:
            raise BadInputError(f"{language}: no text to train on")
    for documents in texts.values():
        missing = min(max(lengths.values()), _TOKENIZER_CHARACTERS)
        for text in cycle(chain.from_iterable(documents)):
            yield text
            missing -= len(text)
            if missing <= 0:
                break


def _log(live: Any, step: int, loss: float) -> None:
    """Add a loss to dvclive's curve, in which step n is the n-th update.

    Args:
        live: dvclive's `Live`.
        step: the number of the update, from 1.
        loss: in nats per sub-word.
    """
    live.step = step
    live.log_metric("loss", loss)
