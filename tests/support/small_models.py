"""Small models with random weights and a tokenizer, one per architecture, and sentences for them."""

from functools import cache
from typing import Any

import torch
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

from polyprobe.checkpoints.sentences import Sentence

ARCHITECTURES = ("bloom", "gpt_neox", "llama", "xlm-roberta")

WIDTH = 16
BLOCKS = 2

SENTENCES = [
    Sentence(("The", "old", "cats", "sat", "."), (True, True, True, False, False)),
    Sentence(("«", "Ñandúes", "»", ",", "said", "she", "."), (False, False, False, True, True, False, True)),
    Sentence(("我们", "看见", "猫", "。"), (False, False, False, False)),
    Sentence(("Yes",), (True,)),
    Sentence(("He", "said", '"', "no", '."'), (True, True, False, False, True)),
    Sentence(("1 000", "cats", "  ", "and", "old"), (True, True, True, True, False)),
    Sentence(("cats",) * 9, (True,) * 9),
]


@cache
def small_tokenizer(architecture: str) -> Any:
    """Byte-level BPE whose sub-words run over the borders of words: `." he` is split at spaces only."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Steps([Split(Regex(r"\s?\S+|\s+"), "isolated"), ByteLevel(False, use_regex=False)])
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    texts = ['she said "no." and "yes." he said', "the old cats sat. the old cats", "1 000 cats", "我们看见猫。"] * 5
    trainer = BpeTrainer(
        vocab_size=330, special_tokens=special, initial_alphabet=sorted(ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    if architecture == "xlm-roberta":
        tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


@cache
def small_model(architecture: str, blocks: int = BLOCKS) -> Any:
    from transformers import AutoConfig, AutoModel

    common = {"vocab_size": len(small_tokenizer(architecture)), "pad_token_id": 1, "hidden_size": WIDTH}
    names = {"num_hidden_layers": blocks, "num_attention_heads": 2, "intermediate_size": 32}
    config = {
        "bloom": {"n_layer": blocks, "n_head": 2},
        "gpt_neox": names | {"max_position_embeddings": 64},
        "llama": names | {"max_position_embeddings": 64, "num_key_value_heads": 2},
        "xlm-roberta": names | {"max_position_embeddings": 66, "type_vocab_size": 1},
    }[architecture]
    torch.manual_seed(0)
    model = AutoModel.from_config(AutoConfig.for_model(architecture, **common, **config)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return model
