"""A checkpoint's tokenizer: what `tokenizer.json` says, which is what the model was trained with, and its hash."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from polyprobe.checkpoints.boundary import library_errors, quiet_transformers
from polyprobe.checkpoints.layout import TOKENIZER, TOKENIZER_FILES, alone, read_json
from polyprobe.checkpoints.location import Location
from polyprobe.running.errors import BadInputError

_OF_THE_LAST_CALL: Final = ("truncation", "padding")


def load_tokenizer(location: Location) -> Any:
    """Load the fast tokenizer, which knows each sub-word's characters; it pads on the right.

    It is the one of `tokenizer.json`, with the added and special tokens of the files beside it. The class that
    `tokenizer_config.json` names is not asked: that of some models replaces the normaliser or the pre-tokenizer.

    Raises:
        BadInputError: there is none, or its files are malformed.
    """
    folder = location.tokenizer
    for name in TOKENIZER_FILES:
        if name == TOKENIZER or (folder / name).exists():
            read_json(folder / name, "a fast tokenizer, here or in the repository that `tokenizer` names")
    problem = f"{folder / TOKENIZER}: the tokenizers library cannot load it; expected a tokenizer as it saves one"
    with alone(folder, TOKENIZER_FILES) as files, quiet_transformers(), library_errors(problem):
        from transformers import PreTrainedTokenizerFast

        tokenizer = PreTrainedTokenizerFast.from_pretrained(files, local_files_only=True, padding_side="right")
        tokenizer.name_or_path = str(folder)
        tokenizer("a")
        _check_special(tokenizer, folder)
    return tokenizer


def _check_special(tokenizer: Any, folder: Path) -> None:
    """Check that every special token has a number; transformers would look for a missing one without end.

    Args:
        tokenizer: a fast tokenizer.
        folder: where it lies, for errors.

    Raises:
        BadInputError: one has none.
    """
    for role, token in tokenizer.special_tokens_map.items():
        if tokenizer.backend_tokenizer.token_to_id(str(token)) is None:
            raise BadInputError(f"{folder}: {role} {token!r}, expected one of the tokenizer's sub-words")


def tokenizer_hash(tokenizer: Any) -> str:
    """Return the SHA-256 of what runs: sub-words, how a text becomes sub-words, special ones and the longest input.

    Truncation and padding are left out: they are settings of the last call, not of the tokenizer.
    """
    parts: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    for name in _OF_THE_LAST_CALL:
        parts.pop(name, None)
    special = {role: str(token) for role, token in tokenizer.special_tokens_map.items()}
    settings = {"special": special, "split_special": tokenizer.split_special_tokens}
    kept = parts | settings | {"longest": tokenizer.model_max_length, "inputs": tokenizer.model_input_names}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
