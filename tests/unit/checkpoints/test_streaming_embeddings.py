"""Embeddings written as they come: the same bytes, memory that does not grow, and what happens when it does not fit."""

import errno
import json
import os
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file

from polyprobe.artefacts import embeddings
from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints import extraction
from polyprobe.checkpoints.embedding import EmbeddedWords, word_embeddings
from polyprobe.checkpoints.extraction import Subwords, embed_selected_words
from polyprobe.checkpoints.layer_states import LayerStates
from polyprobe.checkpoints.sentences import chunks
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file, new_folder, space_for
from support.small_models import SENTENCES, WIDTH, small_model, small_tokenizer

METADATA = {"weights_sha256": "a" * 64, "tokenisation": "natural"}


@pytest.mark.parametrize("words", [0, 1, 57, 1000])
def test_the_bytes_are_those_of_the_safetensors_library(tmp_path: Path, words: int) -> None:
    generator = np.random.default_rng(words)
    states = {layer: generator.normal(size=(words, 5)).astype(np.float16) for layer in (3, 17)}
    rows = np.arange(0, 2 * words, 2, dtype=np.int32)
    with embeddings.writing(tmp_path, [3, 17], "qaa", rows, 5, METADATA) as writer:
        for start in range(0, words, 20):
            writer.append({layer: state[start : start + 20] for layer, state in states.items()})
    for layer, state in states.items():
        text = json.dumps(METADATA | {"layer": str(layer)}, sort_keys=True)
        save_file({"embeddings": state, "row": rows}, tmp_path / "expected", {"polyprobe": text})
        file = embeddings.path(tmp_path, layer, "qaa")
        assert file.read_bytes() == (tmp_path / "expected").read_bytes()
        assert embeddings.metadata(file)["layer"] == str(layer)
        np.testing.assert_array_equal(embeddings.read(file)[0], state)


@pytest.mark.parametrize("metadata", [{}, {"layer": "2"}, {"long": "x" * 3000}])
def test_a_file_written_at_once_is_the_librarys_too(tmp_path: Path, metadata: dict[str, str]) -> None:
    states, rows = np.ones((3, 4), dtype=np.float16), np.arange(3, dtype=np.int32)
    embeddings.write(tmp_path / "ours", states, rows, metadata)
    save_file({"embeddings": states, "row": rows}, tmp_path / "expected", {"polyprobe": json.dumps(metadata)})
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "expected").read_bytes()


def test_words_that_are_missing_or_of_another_width_leave_nothing(tmp_path: Path) -> None:
    states = np.zeros((2, 5), dtype=np.float16)

    def write(parts: dict[int, np.ndarray]) -> None:
        with embeddings.writing(tmp_path, [3], "qaa", np.arange(4, dtype=np.int32), 5, {}) as writer:
            writer.append(parts)

    for parts, message in (
        ({3: states}, "expected 4 words, got 2"),
        ({3: np.concatenate([states, states, states])}, "expected 4 words, got 6"),
        ({3: states[:, 1:]}, r"expected float16 \[word, 5\]"),
        ({4: states}, r"expected the layers \[3\], got \[4\]"),
    ):
        with pytest.raises(ValueError, match=message):
            write(parts)
    assert [entry for entry in tmp_path.rglob("*") if not entry.is_dir()] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    file = embeddings.path(tmp_path / "new", 3, "qaa")
    file.parent.mkdir(parents=True)
    # Whatever is written under the temporary name goes to a full disk.
    file.with_name(f".{file.name}.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(BadInputError) as caught:
        embeddings.write(file, np.ones((9000, 8), dtype=np.float16), np.arange(9000, dtype=np.int32), {})
    assert str(caught.value) == f"{file}: no space left on the disk; nothing of it was written"
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_keeps_what_was_there(tmp_path: Path, code: int) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/old").write_text("old")
    (tmp_path / "file").write_text("old")

    def fill_folder() -> None:
        with new_folder(tmp_path / "folder") as new:
            (new / "half").write_text("half")
            raise OSError(code, os.strerror(code))

    def fill_file() -> None:
        with new_file(tmp_path / "file") as temporary:
            temporary.write_text("half")
            raise RuntimeError(f"I/O error: No space left on device (os error {code})")

    with pytest.raises(BadInputError, match="folder: no space left on the disk"):
        fill_folder()
    with pytest.raises(BadInputError, match="file: no space left on the disk"):
        fill_file()
    assert {entry.name: entry.is_dir() for entry in tmp_path.iterdir()} == {"folder": True, "file": False}
    assert (tmp_path / "file").read_text() == (tmp_path / "folder/old").read_text() == "old"
    with (
        pytest.raises(BadInputError, match="scratch: no space left on the disk; what is done is kept"),
        space_for(Path("scratch"), "what is done is kept"),
    ):
        torch.save(torch.zeros(100_000), "/dev/full")
    with pytest.raises(PermissionError), new_file(tmp_path / "file"):
        raise PermissionError(errno.EACCES, "denied")


def _table(sentences: int, length: int = 8) -> pd.DataFrame:
    forms = ["the", "old", "cats", "sat", "yes", "said", "and", "no"]
    count = sentences * length
    return pd.DataFrame(
        {
            "sentence": np.repeat(np.arange(sentences, dtype=np.int32), length),
            "form": [forms[number * number % 8] for number in range(count)],
            "space_after": np.arange(count) % 3 > 0,
        }
    )


def _embedded(words: pd.DataFrame, rows: np.ndarray, **settings: Any) -> tuple[list[Any], Subwords]:
    parts: list[Any] = []
    manifest = Manifest(
        "step-1", "m", None, None, "f", "0" * 64, "2" * 64, "1" * 64, 1, 3, WIDTH, "float32", 1, None, False
    )
    cut = embed_selected_words(
        small_model("bloom"), small_tokenizer("bloom"), words, rows, [2, 3], manifest=manifest, language="qaa",
        tokenisation="natural", batch_tokens=200, append=settings.pop("append", parts.append), **settings,
    )  # fmt: skip
    return parts, cut


def test_chunks_have_no_influence_beyond_rounding() -> None:
    words = _table(60)
    rows = np.flatnonzero(np.arange(len(words)) % 7 < 3)
    (whole,), cut = _embedded(words, rows)
    assert (cut.sentences, cut.words, cut.split_sentences) == (60, len(rows), 0)
    for words_at_once in (1, 20, 64):
        parts, same = _embedded(words, rows, chunk_bytes=4 * WIDTH * 2 * words_at_once)
        assert len(parts) > 1
        assert same == cut
        for layer in (2, 3):
            found = np.concatenate([part[layer] for part in parts]).astype(float)
            np.testing.assert_allclose(found, whole[layer].astype(float), rtol=2e-3, atol=2e-3)


def test_chunks_hold_every_wanted_word_once_and_whole_sentences() -> None:
    words = _table(50, length=5)
    rows = np.array([3, 4, 12, 13, 14, 70, 101, 102, 103, 104, 249])
    for most_words, most_sentences in ((1, 9), (3, 9), (100, 2), (100, 100)):
        found = list(chunks(words, rows, most_words=most_words, most_sentences=most_sentences))
        assert np.concatenate([chunk.rows for chunk in found]).tolist() == rows.tolist()
        for chunk in found:
            assert len(chunk.sentences) <= most_sentences
            assert len(chunk.rows) <= most_words or len(chunk.sentences) == 1
            wanted = zip(chunk.sentences, chunk.words, strict=True)
            forms = [sentence.forms[place] for sentence, places in wanted for place in places]
            assert forms == words["form"].iloc[chunk.rows].tolist()
            assert all(len(sentence.forms) == 5 for sentence in chunk.sentences)
    assert list(chunks(words, rows[:0], most_words=1, most_sentences=1)) == []
    assert list(chunks(words[:0], rows[:0], most_words=1, most_sentences=1)) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_treebank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the treebank: as many words at a time, and no more memory for them."""

    def embed(
        model: Any, tokenizer: Any, sentences: Sequence[Any], layers: Sequence[int], *, words: Any, **_: Any
    ) -> EmbeddedWords:
        count = sum(map(len, words))
        held.append((len(sentences), count))
        return EmbeddedWords({layer: torch.zeros(count, WIDTH) for layer in layers}, count, 0, 0)

    monkeypatch.setattr(extraction, "embed_words", embed)
    monkeypatch.setattr(extraction, "CHUNK_SENTENCES", 500)
    peaks = []
    for sentences in (3_000, 12_000):
        held: list[tuple[int, int]] = []
        words = _table(sentences)
        rows = np.arange(len(words))
        tracemalloc.start()
        _embedded(words, rows, chunk_bytes=4 * WIDTH * 2 * 10_000, append=lambda part: None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert max(held) == (500, 4000)
        assert sum(count for _, count in held) == len(words)
    # What grows are a few integers per sentence; the words' states would be 64 bytes per word and layer here.
    assert peaks[1] - peaks[0] < 9_000 * 8 * 30


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: …"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_batch_that_is_too_large_is_halved_once(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    model, tokenizer = small_model("bloom"), small_tokenizer("bloom")
    expected = word_embeddings(model, tokenizer, SENTENCES, [3])
    fits = _limited(monkeypatch, error)
    fits.append(4)
    found = word_embeddings(model, tokenizer, SENTENCES, [3])
    np.testing.assert_allclose(found[3], expected[3], rtol=1e-4, atol=1e-5)
    fits.append(1)
    with pytest.raises(BadInputError) as caught:
        word_embeddings(model, tokenizer, SENTENCES, [3], batch_tokens=4000)
    assert str(caught.value) == (
        "out of memory: half of a batch of 4000 sub-words is still too large; "
        "expected batch_tokens (POLYPROBE_BATCH_TOKENS) below 2000"
    )


def test_one_sentence_that_does_not_fit_has_no_half(monkeypatch: pytest.MonkeyPatch) -> None:
    _limited(monkeypatch, MemoryError()).append(0)
    with pytest.raises(BadInputError, match="out of memory"):
        word_embeddings(small_model("bloom"), small_tokenizer("bloom"), SENTENCES[:1], [3])


def test_another_error_is_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    _limited(monkeypatch, RuntimeError("shapes do not match")).append(0)
    with pytest.raises(BadInputError, match="shapes do not match"):
        word_embeddings(small_model("bloom"), small_tokenizer("bloom"), SENTENCES, [3])


def _limited(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[int]:
    """So many sentences go through the model at once: the last of the list returned."""
    whole, fits = LayerStates.__call__, [1 << 30]

    def limited(self: LayerStates, ids: torch.Tensor, mask: torch.Tensor) -> Any:
        if len(ids) > fits[-1] and ids.shape[1] > 2:
            raise error
        return whole(self, ids, mask)

    monkeypatch.setattr(LayerStates, "__call__", limited)
    return fits
