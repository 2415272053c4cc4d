"""Pretraining: the same weights whatever interrupts it, and a data order that depends on seed and step alone."""

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from polyprobe.pocket import pretraining
from polyprobe.pocket.pretraining import SPECIAL_TOKENS, Streams, encode, learning_rate, pretrain, train_tokenizer
from polyprobe.running.errors import BadInputError
from polyprobe.study import Pretrain

SETTINGS = Pretrain(
    vocabulary=300,
    blocks=1,
    width=16,
    heads=2,
    sequence_length=16,
    batch_size=5,
    learning_rate=1e-2,
    warmup_steps=2,
    weight_decay=0.1,
    compute_dtype="float32",
    save_at=[0, 2, 6],
    files=["train"],
    seed=0,
)


def _texts() -> dict[str, list[list[str]]]:
    generator = np.random.default_rng(0)
    texts = {}
    for language, size, alphabet in (("qaa", 30, "abde"), ("qab", 12, "mnou")):
        words = ["".join(generator.choice(list(alphabet), 3)) for _ in range(20)]
        texts[language] = [
            [" ".join(generator.choice(words, 6)) + " ." for _ in range(3)] for _ in range(size)
        ]  # fmt: skip
    return texts


def _hashes(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYPROBE_THREADS", "1")
    monkeypatch.setenv("POLYPROBE_DEVICE", "cpu")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYPROBE_SCRATCH", str(root / "scratch"))
        patch.setenv("POLYPROBE_THREADS", "1")
        patch.setenv("POLYPROBE_DEVICE", "cpu")
        pretrain(_texts(), SETTINGS, folder=root / "out" / "pocket", curve=root / "out" / "loss.tsv")
    assert not any((root / "scratch").iterdir())
    return _hashes(root / "out")


def _run(save_state_every: float = 60.0) -> dict[str, str]:
    pretrain(
        _texts(), SETTINGS, folder=Path("out/pocket"), curve=Path("out/loss.tsv"), save_state_every=save_state_every
    )
    return _hashes(Path("out"))


def test_each_step_is_an_ordinary_folder_of_transformers(unbroken: dict[str, str]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert _run() == unbroken
    for step in SETTINGS.save_at:
        folder = Path(f"out/pocket/step-{step}")
        model = AutoModelForCausalLM.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert (model.config.model_type, model.config.n_layer, model.config.hidden_size) == ("bloom", 1, 16)
        assert tokenizer.is_fast
        assert json.loads((folder / "training.json").read_text()) == {"step": step, "tokens_seen": step * 5 * 16}
    curve = np.loadtxt("out/loss.tsv", skiprows=1)
    assert Path("out/loss.tsv").read_text().splitlines()[0] == "step\tloss"
    assert curve[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert curve[0, 1] == pytest.approx(math.log(300), abs=0.1)
    assert curve[-1, 1] < curve[0, 1]


def test_step_0_is_the_random_model(unbroken: dict[str, str]) -> None:
    _run()
    step_0 = pretraining._new_model(SETTINGS, 300)
    loaded = type(step_0).from_pretrained("out/pocket/step-0")
    trained = type(step_0).from_pretrained("out/pocket/step-2")
    for (name, weight), saved, later in zip(
        step_0.named_parameters(), loaded.parameters(), trained.parameters(), strict=True
    ):
        assert torch.equal(weight, saved), name
        assert not torch.equal(weight, later), name


@pytest.mark.parametrize("at", [1, 4])
def test_a_run_that_broke_ends_with_the_same_bytes(
    unbroken: dict[str, str], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    whole = Streams.batch

    def breaking(self: Streams, step: int) -> torch.Tensor:
        if step == at:
            raise KeyboardInterrupt
        return whole(self, step)

    monkeypatch.setattr(Streams, "batch", breaking)
    with pytest.raises(KeyboardInterrupt):
        _run(save_state_every=0.0)
    assert not Path("out").exists()
    steps: list[int] = []

    def counting(self: Streams, step: int) -> torch.Tensor:
        steps.append(step)
        return whole(self, step)

    monkeypatch.setattr(Streams, "batch", counting)
    assert _run() == unbroken
    assert steps == list(range(at, 6))


@pytest.mark.slow
def test_a_run_that_was_killed_ends_with_the_same_bytes(unbroken: dict[str, str]) -> None:
    script = """
import os, signal
from pathlib import Path
from test_pretraining import SETTINGS, Streams, _texts, pretrain
whole = Streams.batch
def killing(self, step):
    if step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, step)
Streams.batch = killing
pretrain(_texts(), SETTINGS, folder=Path("out/pocket"), curve=Path("out/loss.tsv"))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not Path("out").exists()
    assert list(Path(".scratch").glob("*/state.safetensors"))
    assert _run() == unbroken


def test_other_settings_do_not_go_on_from_this_state(unbroken: dict[str, str]) -> None:
    other = SETTINGS.model_copy(update={"seed": 1})
    pretrain(_texts(), other, folder=Path("other/pocket"), curve=Path("other/loss.tsv"))
    weights = "pocket/step-6/model.safetensors"
    assert _hashes(Path("other"))[weights] != unbroken[weights]


def test_products_are_computed_in_the_number_format_that_is_asked_for(unbroken: dict[str, str]) -> None:
    losses = {}
    for dtype in ("float32", "bfloat16"):
        settings = SETTINGS.model_copy(update={"compute_dtype": dtype})
        pretrain(_texts(), settings, folder=Path(dtype) / "pocket", curve=Path(dtype) / "loss.tsv")
        losses[dtype] = np.loadtxt(f"{dtype}/loss.tsv", skiprows=1)[:, 1]
    assert _hashes(Path("float32")) == unbroken
    assert not np.array_equal(losses["bfloat16"], losses["float32"])
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=1e-2)


def test_the_tokenizer_is_laid_out_as_blooms_and_knows_offsets() -> None:
    tokenizer = train_tokenizer(_texts(), 300, 16)
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == [0, 1, 2, 3]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.padding_side) == (3, 2, "right")
    assert len(tokenizer) == 300
    text = "abd  ñandú, mno 好."
    encoding = tokenizer(text, return_offsets_mapping=True)
    assert tokenizer.decode(encoding["input_ids"]) == text
    assert encoding["offset_mapping"][0][0] == 0
    assert {character for start, end in encoding["offset_mapping"] for character in range(start, end)} == set(
        range(len(text))
    )


def test_a_language_with_little_text_has_the_same_say_in_the_tokenizer() -> None:
    texts = {"qaa": [["aaaa"] * 1000], "qab": [["bcbc"]]}
    vocabulary = train_tokenizer(texts, 262, 16).get_vocab()
    assert {"aa", "bc"} <= set(vocabulary)


def test_documents_end_with_the_end_token() -> None:
    tokenizer = train_tokenizer(_texts(), 300, 16)
    stream = encode(tokenizer, [["abd mno.", "nou"], [], ["bad"]])
    assert tokenizer.decode(stream) == "abd mno. nou</s>bad</s>"


def _streams(seed: int = 0) -> Streams:
    numbers = {"qaa": np.arange(100, 148), "qab": np.arange(1000, 1016), "qac": np.arange(5000, 5005)}
    settings = SETTINGS.model_copy(update={"sequence_length": 8, "batch_size": 4, "seed": seed})
    return Streams(numbers, settings)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    forwards = [_streams().batch(step) for step in range(12)]
    streams = _streams()
    assert all(torch.equal(streams.batch(step), forwards[step]) for step in reversed(range(12)))
    assert not all(torch.equal(_streams(1).batch(step), forwards[step]) for step in range(12))


def test_languages_share_each_batch_and_go_through_all_their_sequences() -> None:
    batches = [_streams().batch(step) for step in range(18)]
    for batch in batches:
        share = Counter(len(str(int(sequence[0]))) + int(sequence[0] // 5000) for sequence in batch)
        assert max(share.values()) - min(share.values()) <= 1
        assert len(share) == 3
    sequences = [tuple(sequence.tolist()) for batch in batches for sequence in batch]
    large = Counter(sequence for sequence in sequences if sequence[0] < 1000)
    assert set(large.values()) == {4}
    assert len(large) == 6
    short = {sequence for sequence in sequences if sequence[0] >= 5000}
    assert short == {(5000, 5001, 5002, 5003, 5004, 5000, 5001, 5002)}


def test_the_learning_rate_rises_linearly_and_falls_to_a_tenth() -> None:
    settings = SETTINGS.model_copy(update={"learning_rate": 1.0, "warmup_steps": 10, "save_at": [110]})
    assert [learning_rate(step, settings) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert learning_rate(60, settings) == pytest.approx(0.55)
    assert learning_rate(110, settings) == pytest.approx(0.1)


def test_the_fused_activation_is_blooms() -> None:
    from transformers.models.bloom.modeling_bloom import BloomGelu

    inputs = torch.linspace(-6, 6, 1001)
    torch.testing.assert_close(
        pretraining._new_model(SETTINGS, 300).transformer.h[0].mlp.gelu_impl(inputs), BloomGelu()(inputs)
    )


@pytest.mark.parametrize(
    ("texts", "vocabulary", "message"),
    [
        ({"qaa": [["abc"]], "qab": []}, 300, "qab: no text to train on"),
        ({"qaa": [["abc"]]}, 100, r"vocabulary: expected at least 260 .* got 100"),
    ],
)
def test_bad_input(texts: dict[str, list[list[str]]], vocabulary: int, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        pretrain(
            texts,
            SETTINGS.model_copy(update={"vocabulary": vocabulary}),
            folder=Path("out/pocket"),
            curve=Path("out/loss.tsv"),
        )
    assert not Path("out").exists()
