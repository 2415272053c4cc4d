"""Words per second of `word_embeddings`: `python benchmarks/extraction.py [--model 1b7] [--treebanks FOLDER] [--tiny]`.

Layers 13 and 17 of a BLOOM of the published shape with random weights (but a small vocabulary: looking up takes no
time), on sentences as long as those of treebanks: synthetic ones, or some of each treebank in a folder of `UD_*`
folders. The plain loop is what one writes first: one sentence at a time through the whole model in float32, all hidden
states kept, a mean per word. It runs over some of the sentences, `word_embeddings` over all of them, in turns; the best
round of each counts, as other work on the machine only slows them. In float32 the embeddings must equal the plain
loop's within 1e-4 of each word's length.
"""

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from _machine import machine
from polyprobe.checkpoints.embedding import word_embeddings
from polyprobe.checkpoints.sentences import Sentence
from polyprobe.running.knobs import knobs
from polyprobe.running.machine import use_threads
from polyprobe.treebanks.conllu import read_sentences
from polyprobe.treebanks.treebank import treebank_files

SHAPES: Final = {"tiny": (64, 4, 4), "560m": (1024, 24, 16), "1b1": (1536, 24, 16), "1b7": (2048, 24, 16)}
"""Width, blocks and heads."""
LAYERS: Final = {"tiny": [2, 3]}
VOCABULARY: Final = 8192
TOLERANCE: Final = 1e-4


def synthetic(count: int) -> list[Sentence]:
    """Make up sentences of random words.

    Half of them have more than 18 words, few more than 50; frequent words are short, rare ones long.
    """
    generator = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    lexicon = ["".join(generator.choice(letters, 1 + generator.poisson(2 + place / 1500))) for place in range(6000)]
    sentences = []
    for length in np.clip(np.exp(generator.normal(np.log(18), 0.6, count)), 2, 120).astype(int):
        words = [lexicon[int(place)] for place in 6000 ** generator.random(length - 1) - 1]
        sentences.append(Sentence((*words, "."), (*[True] * (length - 2), False, False)))
    return sentences


def from_treebanks(folder: Path, count: int) -> list[Sentence]:
    """Return as many sentences of each treebank, from all over it, in random order.

    Args:
        folder: of `UD_*` folders.
        count: sentences in all, about.
    """
    treebanks = sorted(path for path in folder.iterdir() if path.name.startswith("UD_"))
    found = []
    for treebank in treebanks:
        own = [sentence for file in treebank_files(treebank) for sentence in read_sentences(file)]
        for sentence in own[:: max(1, len(own) * len(treebanks) // count)][: -(-count // len(treebanks))]:
            words = [word for word, _ in sentence.surface_words()]
            found.append(Sentence(tuple(word.form for word in words), tuple(word.space_after for word in words)))
    return [found[place] for place in np.random.default_rng(0).permutation(len(found))]


def tokenizer_of(sentences: list[Sentence]) -> Any:
    """Train byte-level BPE on the sentences."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    bpe = ByteLevelBPETokenizer()
    texts = [sentence.text for sentence in sentences]
    bpe.train_from_iterator(texts, vocab_size=VOCABULARY, special_tokens=["<pad>"], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, pad_token="<pad>")


def model_of(shape: str, device: str) -> Any:
    """Return a base model with random weights whose states vary from layer to layer.

    Args:
        shape: a key of `SHAPES`.
        device: where the model is.
    """
    from transformers import BloomConfig, BloomModel

    width, blocks, heads = SHAPES[shape]
    torch.manual_seed(0)
    config = BloomConfig(vocab_size=VOCABULARY, hidden_size=width, n_layer=blocks, n_head=heads, pad_token_id=0)
    return BloomModel(config).eval().to(device)


def plain(model: Any, tokenizer: Any, sentences: list[Sentence], layers: list[int]) -> dict[int, np.ndarray]:
    """Return the embeddings of words, one sentence at a time.

    Args:
        model: a base model.
        tokenizer: its fast tokenizer.
        sentences: whole sentences, all of whose words are embedded.
        layers: numbered from 1, the embedding output.

    Returns:
        By layer, [word, neuron] in the order of sentences and words.
    """
    rows: dict[int, list[np.ndarray]] = {layer: [] for layer in layers}
    for sentence in sentences:
        encoding = tokenizer(sentence.text, return_offsets_mapping=True)
        with torch.no_grad():
            output = model(torch.tensor([encoding["input_ids"]], device=model.device), output_hidden_states=True)
        for start, end in sentence.spans:
            mine = [n for n, (first, last) in enumerate(encoding["offset_mapping"]) if first < end and last > start]
            for layer in layers:
                rows[layer].append(output.hidden_states[layer - 1][0, mine].float().mean(0).cpu().numpy())
    return {layer: np.stack(states) for layer, states in rows.items()}


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how many seconds a call takes, and what it returns."""
    _wait()
    start = time.perf_counter()
    result = work()
    _wait()
    return time.perf_counter() - start, result


def peak(width: int, dtype: torch.dtype, device: str) -> float:
    """Return what a large product of matrices reaches, in operations per second.

    Args:
        width: of the model; the matrices are [4096, width] and [width, 4 * width].
        dtype: of the matrices.
        device: where they are.
    """
    left, right = (
        torch.randn(4096, width, device=device).to(dtype),
        torch.randn(width, 4 * width, device=device).to(dtype),
    )
    return max(8 * 4096 * width * width / seconds(lambda: left @ right)[0] for _ in range(8))


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def dtypes(device: str) -> list[torch.dtype]:
    """Return the precisions to be measured: bfloat16 only where the processor multiplies it."""
    able = torch.cpu.get_capabilities()
    fast = device != "cpu" or able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16")
    return [torch.float32, torch.bfloat16] if fast else [torch.float32]


def main() -> None:
    """Measure and print.

    Raises:
        AssertionError: in float32 the embeddings differ from the plain loop's.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=[*SHAPES], default="560m")
    parser.add_argument("--treebanks", type=Path, help="a folder of UD_* folders")
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--plain-sentences", type=int, default=30, help="those that the plain loop runs over")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch-tokens", type=int, help="by default 1024 on a CPU, else the knob")
    parser.add_argument("--tiny", action="store_true", help="a tiny model and few sentences")
    options = parser.parse_args()
    if options.tiny:
        options.model, options.sentences, options.plain_sentences, options.rounds = "tiny", 20, 10, 1
    machine_knobs = knobs()
    use_threads(machine_knobs.threads)
    device, layers = machine_knobs.torch_device(), LAYERS.get(options.model, [13, 17])
    width, _, _ = SHAPES[options.model]
    batch_tokens = options.batch_tokens or (1024 if device == "cpu" else machine_knobs.batch_tokens)
    count = options.sentences
    sentences = from_treebanks(options.treebanks, count) if options.treebanks else synthetic(count)
    some = sentences[: options.plain_sentences]
    tokenizer, model = tokenizer_of(sentences), model_of(options.model, device)
    words, some_words = (sum(len(sentence.forms) for sentence in part) for part in (sentences, some))
    lengths = np.array([len(ids) for ids in tokenizer([sentence.text for sentence in sentences])["input_ids"]])
    # Products with the weights, and the two of attention.
    operations = (layers[-1] - 1) * (24 * width * width * lengths + 4 * width * lengths**2).sum()
    print(machine())
    print(
        f"bloom-{options.model}, layers {', '.join(map(str, layers))}: {len(sentences)} sentences, {words} words, "
        f"{lengths.sum()} sub-words (median {np.median(lengths):.0f} a sentence, longest {lengths.max()}); "
        f"batches of {batch_tokens}; plain loop: {len(some)} sentences, {some_words} words"
    )
    plain(model, tokenizer, some[:2], layers)
    loop, expected = float("inf"), {}
    for dtype in dtypes(device):
        model, ours, top = model.to(dtype), float("inf"), 0.0
        for _ in range(options.rounds):
            if dtype == torch.float32:
                took, expected = seconds(partial(plain, model, tokenizer, some, layers))
                loop = min(loop, took)
            top = max(top, peak(width, dtype, device))
            run = partial(word_embeddings, model, tokenizer, sentences, layers, batch_tokens=batch_tokens)
            took, found = seconds(run)
            ours, top = min(ours, took), max(top, peak(width, dtype, device))
        off = max(
            float((np.linalg.norm(found[layer][:some_words] - states, axis=1) / np.linalg.norm(states, axis=1)).max())
            for layer, states in expected.items()
        )
        if dtype == torch.float32:
            assert off < TOLERANCE, f"float32 differs from the plain loop by {off:.1e}"
            print(f"plain loop, float32: {some_words / loop:.1f} words per second")
        print(
            f"word_embeddings, {str(dtype).removeprefix('torch.')}: {words / ours:.1f} words per second; "
            f"{operations / ours / 1e9:.0f} of {top / 1e9:.0f} billion operations per second "
            f"({operations / ours / top:.0%}); farthest from the plain loop: {off:.1e}"
        )
        print(f"ratio: {words / ours * loop / some_words:.1f}")
    print(f"largest memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    if device != "cpu":
        print(f"largest memory of the GPU: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()
