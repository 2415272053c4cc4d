"""Every causal or masked model that transformers knows: equal to a plain loop, or refused as docs/data.md says."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForMaskedLM
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.embedding import word_embeddings
from polyprobe.checkpoints.loading import load_model
from polyprobe.checkpoints.location import locate
from polyprobe.checkpoints.resolving import resolve
from polyprobe.checkpoints.sentences import Sentence
from polyprobe.checkpoints.tokenizer import load_tokenizer
from polyprobe.running.errors import BadInputError
from support import ROOT, sections
from support.small_models import small_tokenizer
from support.tiny_architectures import tiny_config

KINDS = sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES | MODEL_FOR_MASKED_LM_MAPPING_NAMES)


def _refused() -> list[str]:
    page = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    rows = page.partition("| `model_type` |")[2].partition("\n\n")[0].splitlines()[2:]
    return [kind for row in rows for kind in re.findall(r"`([^`]+)`", row.split("|")[1])]


REFUSED = _refused()
READ = [kind for kind in KINDS if kind not in REFUSED]

QUICK = {"distilbert", "falcon_h1", "flaubert", "gpt2", "hy_v4", "llama4", "marian", "mixtral", "mobilebert", "rwkv"}
QUICK |= {"trocr", "xlm", "xlnet", "zamba2"}
"""What is no matter of course, each in its own way."""

SENTENCES = [
    Sentence(("the", "old", "cats", "sat"), (True, True, True, False)),
    Sentence(("yes",), (True,)),
    Sentence(("she", "said", "no", "and", "he", "said", "yes", "."), (True, True, True, True, True, True, False, True)),
]


def _each(kinds: list[str]) -> list[Any]:
    return [pytest.param(kind, marks=[] if kind in QUICK else pytest.mark.slow) for kind in kinds]


def test_what_is_refused_is_listed_once_and_known() -> None:
    assert len(REFUSED) == len(set(REFUSED))
    assert set(REFUSED) < set(KINDS)


@pytest.mark.parametrize("kind", _each(READ))
def test_the_states_of_words_are_those_of_a_plain_loop(tmp_path: Path, kind: str) -> None:
    whole = _save(tmp_path, kind)
    expected = _plain_loop(whole)
    found = _resolve(tmp_path)
    place = locate(tmp_path, None)
    states = word_embeddings(load_model(place), load_tokenizer(place), SENTENCES, range(1, found.layers + 1))
    assert len(expected) == found.layers
    for layer, rows in enumerate(expected, 1):
        assert rows.shape[1] == found.width
        np.testing.assert_allclose(states[layer], rows, rtol=1e-4, atol=1e-4)
        assert rows.std() > 1e-3


@pytest.mark.parametrize("kind", _each(REFUSED))
def test_what_is_listed_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    settings = {"model_type": kind, "is_encoder_decoder": False}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")
    small_tokenizer("xlm-roberta").save_pretrained(tmp_path)
    with pytest.raises(BadInputError) as error:
        _resolve(tmp_path)
    assert str(error.value).startswith(str(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["deepseek_v4", "funnel", "gemma3n_text", "hy_v4", "qwen4_exp_text"])
def test_layers_that_are_not_one_state_of_each_subword_are_not_averaged(kind: str) -> None:
    model = AutoModel.from_config(tiny_config(kind)).eval()
    with pytest.raises(BadInputError, match=r"expected (one state of each sub-word|layers of one width)"):
        word_embeddings(model, small_tokenizer("xlm-roberta"), SENTENCES, [1, 2, 3])


def _save(folder: Path, kind: str) -> Any:
    """A model with its head and its tokenizer, as transformers saves them; no weight is what it begins with."""
    config = tiny_config(kind)
    if hasattr(config, "text_config") and kind in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        head = AutoModelForImageTextToText
    else:
        head = AutoModelForMaskedLM if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES else AutoModelForCausalLM
    torch.manual_seed(0)
    model = head.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.05 * torch.randn_like(weight)
    model.save_pretrained(folder)
    small_tokenizer("xlm-roberta").save_pretrained(folder)
    return model


def _resolve(folder: Path) -> Manifest:
    entry = sections.checkpoint(model="m", weights=folder, step=1)
    return resolve(sections.study_of({"one": entry}), "one")


def _plain_loop(model: Any) -> list[np.ndarray]:
    """For each layer a row per word: the model that was saved, one sentence at a time, no padding."""
    rows: list[torch.Tensor] = []
    for sentence in SENTENCES:
        encoded = small_tokenizer("xlm-roberta")(sentence.text, return_offsets_mapping=True)
        ids = torch.tensor([encoded["input_ids"]])
        with torch.inference_mode():
            states = torch.stack(model(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states)
        start = 0
        for form, space in zip(sentence.forms, sentence.space_after, strict=True):
            end = start + len(form)
            offsets = enumerate(encoded["offset_mapping"])
            members = [place for place, (first, last) in offsets if first < end and last > start]
            rows.append(states[:, 0, members].mean(1))
            start = end + space
    return list(torch.stack(rows, 1).float().numpy())
