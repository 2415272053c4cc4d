"""A tiny BLOOM with random weights and a byte-level tokenizer trained on given texts, as a checkpoint on disk."""

from collections.abc import Sequence
from pathlib import Path

from polyprobe.artefacts.manifest import Manifest


def tiny_bloom(
    folder: Path, texts: Sequence[str], *, blocks: int = 2, width: int = 64, heads: int = 4, vocabulary: int = 320
) -> Manifest:
    """Writes model and tokenizer to `folder` and returns the checkpoint's manifest (its hashes are made up)."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import BloomConfig, BloomForCausalLM, PreTrainedTokenizerFast

    bpe = ByteLevelBPETokenizer()
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    bpe.train_from_iterator(texts, vocab_size=vocabulary, min_frequency=2, special_tokens=special, show_progress=False)
    names = dict(zip(("unk_token", "bos_token", "eos_token", "pad_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(0)
    config = BloomConfig(
        vocab_size=bpe.get_vocab_size(), hidden_size=width, n_layer=blocks, n_head=heads,
        unk_token_id=0, bos_token_id=1, eos_token_id=2, pad_token_id=3,
    )  # fmt: skip
    model = BloomForCausalLM(config)
    model.save_pretrained(folder)
    return Manifest(
        checkpoint="tiny", model="tiny", repository=None, commit=None, folder=str(folder), weights_sha256="0" * 64,
        config_sha256="2" * 64, tokenizer_sha256="1" * 64, parameters=model.num_parameters(), layers=blocks + 1,
        width=width, dtype="float32", step=0, tokens_seen=0, converged=False,
    )  # fmt: skip
