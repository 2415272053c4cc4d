"""Hidden states of words, held against a slow and obvious way of getting them."""

import copy
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from polyprobe.artefacts.dimensions import dimensions
from polyprobe.artefacts.manifest import Manifest
from polyprobe.checkpoints.embedding import embed_words, sentence_embeddings, word_embeddings
from polyprobe.checkpoints.extraction import embed_selected_words
from polyprobe.checkpoints.pooling import Groups, _windows, length_limit
from polyprobe.checkpoints.selection import select_words
from polyprobe.checkpoints.sentences import Sentence
from polyprobe.checkpoints.tokenising import TokenisedSentence, tokenise
from polyprobe.running.errors import BadInputError
from support.small_models import ARCHITECTURES, BLOCKS, SENTENCES, WIDTH, small_model, small_tokenizer


def _states(architecture: str, ids: Sequence[int], layer: int) -> np.ndarray:
    """One sentence through the model alone; special sub-words put on and taken off again."""
    encoder = architecture == "xlm-roberta"
    whole = [0, *ids, 2] if encoder else list(ids)
    with torch.inference_mode():
        output = small_model(architecture)(input_ids=torch.tensor([whole]), output_hidden_states=True)
    states: np.ndarray = output.hidden_states[layer - 1][0].numpy()
    return states[1:-1] if encoder else states


def _slowly(architecture: str, sentence: Sentence, layer: int) -> np.ndarray:
    """A sub-word belongs to a word if they share a character that is no space."""
    text, words = "", []
    for form, space in zip(sentence.forms, sentence.space_after, strict=True):
        words.append(set(range(len(text), len(text) + len(form))))
        text += form + (" " if space else "")
    text = text.rstrip()
    solid = {place for place, character in enumerate(text) if not character.isspace()}
    encoding = small_tokenizer(architecture)(text, add_special_tokens=False, return_offsets_mapping=True)
    states = _states(architecture, encoding["input_ids"], layer)
    rows = []
    for word in words:
        mine = [
            number
            for number, (start, end) in enumerate(encoding["offset_mapping"])
            if set(range(start, end)) & word & solid
        ]
        rows.append(states[mine].mean(axis=0) if mine else np.full(WIDTH, np.nan))
    return np.stack(rows)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_words_are_the_means_of_their_subwords(architecture: str) -> None:
    layers = [1, 2, 3]
    found = word_embeddings(
        small_model(architecture), small_tokenizer(architecture), SENTENCES, layers, batch_tokens=40
    )
    for layer in layers:
        expected = np.concatenate([_slowly(architecture, sentence, layer) for sentence in SENTENCES])
        empty = np.isnan(expected).any(axis=1)
        assert empty.sum() == 1  # the word of spaces
        assert found[layer].dtype == np.float32
        np.testing.assert_allclose(found[layer][~empty], expected[~empty], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_isolated_words_are_tokenised_alone_and_strung_together(architecture: str) -> None:
    tokenizer = small_tokenizer(architecture)
    found = word_embeddings(
        small_model(architecture), tokenizer, SENTENCES, [2], tokenisation="isolated", batch_tokens=40
    )
    expected = []
    for sentence in SENTENCES:
        parts = [tokenizer(form, add_special_tokens=False)["input_ids"] for form in sentence.forms]
        states = _states(architecture, list(chain.from_iterable(parts)), 2)
        ends = np.cumsum([len(part) for part in parts])
        expected += [states[end - len(part) : end].mean(axis=0) for part, end in zip(parts, ends, strict=True)]
    np.testing.assert_allclose(found[2], np.stack(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_batch_has_no_influence(architecture: str) -> None:
    model, tokenizer = small_model(architecture), small_tokenizer(architecture)
    alone = word_embeddings(model, tokenizer, SENTENCES, [3], batch_tokens=1)
    for budget in (20, 64, 10_000):
        together = word_embeddings(model, tokenizer, SENTENCES, [3], batch_tokens=budget)
        np.testing.assert_allclose(together[3], alone[3], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("dtype", "bits"), [(torch.bfloat16, 8), (torch.float16, 11)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_batch_has_the_influence_of_rounding_in_16_bits(architecture: str, dtype: torch.dtype, bits: int) -> None:
    """And so has the number format: a few units in its last place, of each word's length."""
    model, tokenizer = copy.deepcopy(small_model(architecture)).to(dtype), small_tokenizer(architecture)
    exact = word_embeddings(small_model(architecture), tokenizer, SENTENCES, [3])[3]
    alone = word_embeddings(model, tokenizer, SENTENCES, [3], batch_tokens=1)[3]
    together = word_embeddings(model, tokenizer, SENTENCES, [3], batch_tokens=10_000)[3]
    lengths = np.linalg.norm(exact, axis=1)
    for one, other in ((together, alone), (together, exact)):
        assert (np.linalg.norm(one - other, axis=1) < 16 * 2.0**-bits * lengths).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_last_layer_is_the_models_own_output(architecture: str) -> None:
    sentence = Sentence(("cats",), (False,))
    ids = small_tokenizer(architecture)("cats", add_special_tokens=False)["input_ids"]
    found = word_embeddings(small_model(architecture), small_tokenizer(architecture), [sentence], [BLOCKS + 1])
    whole = [0, *ids, 2] if architecture == "xlm-roberta" else ids
    with torch.inference_mode():
        output = small_model(architecture)(input_ids=torch.tensor([whole])).last_hidden_state[0]
    inner = output[1:-1] if architecture == "xlm-roberta" else output
    np.testing.assert_allclose(found[BLOCKS + 1][0], inner.mean(0).numpy(), rtol=1e-4, atol=1e-5)


def test_wanted_words_are_those_rows_of_all() -> None:
    model, tokenizer = small_model("bloom"), small_tokenizer("bloom")
    wanted = [[0, 3], [], [2], [0], [1, 4], [], [8]]
    starts = np.cumsum([0, *(len(sentence.forms) for sentence in SENTENCES)])
    rows = [start + word for start, words in zip(starts, wanted, strict=False) for word in words]
    found = word_embeddings(model, tokenizer, SENTENCES, [2], words=wanted)
    np.testing.assert_allclose(found[2], word_embeddings(model, tokenizer, SENTENCES, [2])[2][rows], atol=1e-6)


def test_no_sentences_give_no_rows() -> None:
    assert word_embeddings(small_model("bloom"), small_tokenizer("bloom"), [], [1])[1].shape == (0, WIDTH)


def _subwords(found: TokenisedSentence, words: int) -> list[list[int]]:
    """The positions of each word's sub-words."""
    assert (np.diff(found.words) >= 0).all()
    return [found.positions[found.words == word].tolist() for word in range(words)]


def test_a_subword_over_two_words_counts_for_both_and_a_leading_space_for_none() -> None:
    tokenizer = small_tokenizer("bloom")
    sentence = Sentence(("said", '"', "no", ".", '"', "and"), (True, False, False, False, True, False))
    (found,) = tokenise(tokenizer, [sentence], "natural")
    tokens = tokenizer.convert_ids_to_tokens(found.ids)
    assert tokens[-2:] == ['Ġ"no."', "Ġand"]
    quotation, last = len(tokens) - 2, len(tokens) - 1
    words = _subwords(found, 6)
    assert words == [list(range(quotation)), *[[quotation]] * 4, [last]]
    assert found.shared == sum(sum(position in word for word in words) > 1 for position in range(len(found.ids)))
    counted = embed_words(small_model("bloom"), tokenizer, [sentence, SENTENCES[0]], [1])
    assert counted.subwords == len(found.ids) + len(tokenizer(SENTENCES[0].text)["input_ids"])
    assert counted.shared_subwords >= found.shared >= 1


def test_a_word_without_subwords_takes_the_one_before() -> None:
    (found,) = tokenise(small_tokenizer("bloom"), [SENTENCES[5]], "natural")
    words = _subwords(found, 5)
    assert words[2] == words[1][-1:]


LONG = Sentence(("the", "old", "cats", "sat", ".") * 12, (True, True, True, False, True) * 12)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_long_sentence_is_split_and_each_subword_has_context_on_both_sides(architecture: str) -> None:
    model, tokenizer = small_model(architecture), small_tokenizer(architecture)
    room = 16
    limit = room + 2 * (architecture == "xlm-roberta")
    found = embed_words(model, tokenizer, [SENTENCES[0], LONG], [1, 3], max_length=limit)
    assert found.split_sentences == 1
    assert len(found.states[3]) == 65
    (tokenised,) = tokenise(tokenizer, [LONG], "natural")
    length = len(tokenised.ids)
    words = _subwords(tokenised, len(LONG.forms))
    states = np.full((length, WIDTH), np.nan, dtype=np.float32)
    for start in range(0, length, room // 2):
        first = start + room // 4 if start else 0
        part = tokenised.ids[start : start + room].tolist()
        states[first : start + room] = _states(architecture, part, 3)[first - start :]
        if start + room >= length:
            break
    expected = np.stack([states[word].mean(axis=0) for word in words])
    np.testing.assert_allclose(found.states[3][5:].numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("length", "room"), [(1, 8), (8, 8), (9, 8), (100, 8), (57, 7), (30, 1), (31, 2), (200, 64)])
def test_windows_use_every_subword_once(length: int, room: int) -> None:
    sentence = Groups(np.arange(length), np.arange(length), np.zeros(length, dtype=np.int64))
    windows = list(_windows(0, sentence, room))
    used = [place for window in windows for place in range(window.use_from, window.use_to)]
    assert used == list(range(length))
    for window in windows:
        assert window.start <= window.use_from < window.use_to <= window.stop <= window.start + room
        margin = (room - max(1, room // 2)) // 2
        assert window.use_from - window.start >= margin or window.start == 0
        assert window.stop - window.use_to >= margin or window.stop == length


def test_the_limit_is_what_model_and_tokenizer_say() -> None:
    limits = [length_limit(small_model(architecture), small_tokenizer(architecture)) for architecture in ARCHITECTURES]
    assert limits == [None, 64, 64, 64]  # RoBERTa's positions start behind the padding index
    longer = Sentence(LONG.forms * 2, LONG.space_after * 2)
    longest = embed_words(small_model("xlm-roberta"), small_tokenizer("xlm-roberta"), [longer], [3])
    assert longest.split_sentences == 1


def test_sentences_are_pooled_without_special_subwords() -> None:
    texts = ["the old cats sat.", "yes", "我们看见猫。"]
    for architecture in ARCHITECTURES:
        found = sentence_embeddings(
            small_model(architecture), small_tokenizer(architecture), texts, [1, 3], ["mean", "last"], batch_tokens=12
        )
        assert set(found) == {(1, "mean"), (1, "last"), (3, "mean"), (3, "last")}
        for number, text in enumerate(texts):
            ids = small_tokenizer(architecture)(text, add_special_tokens=False)["input_ids"]
            states = _states(architecture, ids, 3)
            np.testing.assert_allclose(found[3, "mean"][number], states.mean(0), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(found[3, "last"][number], states[-1], rtol=1e-4, atol=1e-5)


def test_an_empty_sentence_is_refused() -> None:
    with pytest.raises(BadInputError, match="no sub-word"):
        sentence_embeddings(small_model("bloom"), small_tokenizer("bloom"), ["yes", ""], [1], ["mean"])


def test_bfloat16_states_are_averaged_in_float32() -> None:
    model = copy.deepcopy(small_model("bloom")).to(torch.bfloat16)
    found = word_embeddings(model, small_tokenizer("bloom"), SENTENCES, [1])[1]
    expected = word_embeddings(small_model("bloom"), small_tokenizer("bloom"), SENTENCES, [1])[1]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0.1, atol=0.05)
    assert not np.array_equal(found, torch.from_numpy(found).to(torch.bfloat16).float().numpy())


def _words(sentences: int, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = []
    for sentence in range(sentences):
        for position in range(generator.integers(1, 7)):
            rows.append(
                {
                    "sentence": sentence,
                    "position": position,
                    "form": str(generator.choice(["the", "old", "cats", "sat", "yes"])),
                    "space_after": bool(generator.integers(2)),
                    "split": str(generator.choice(["train", "dev", "test"], p=[0.6, 0.2, 0.2])),
                    "Number": generator.choice(np.array(["SG", "SG", "SG", "PL", None])),
                    "Case": generator.choice(np.array([None] * 30 + ["NOM", "ACC"])),
                }
            )
    words = pd.DataFrame(rows)
    for name in dimensions():
        words[name] = pd.Categorical(words[name] if name in words else [None] * len(words))
    return words


CAPS = {"train": 40, "dev": 20, "test": 20}


def test_selected_words_keep_every_label_and_the_cap() -> None:
    words = _words(150)
    rows = select_words(words, CAPS, 4, seed=0, language="qaa")
    assert rows.tolist() == sorted(set(rows.tolist()))
    chosen = words.iloc[rows]
    assert chosen[["Number", "Case"]].notna().any(axis=1).all()
    for split, cap in CAPS.items():
        mine, all_of_split = chosen[chosen["split"] == split], words[words["split"] == split]
        for name in ("Number", "Case"):
            there = all_of_split[name].value_counts()
            assert (mine[name].value_counts() >= there.clip(upper=4)).all()
        assert len(mine) == cap


def test_labels_may_exceed_the_cap() -> None:
    words = _words(150)
    chosen = words.iloc[select_words(words, {"train": 1, "dev": 1, "test": 1}, 5, seed=0, language="qaa")]
    train = chosen[chosen["split"] == "train"]
    assert train["Number"].value_counts().min() >= 5
    assert 5 <= len(train) <= 20


def test_without_caps_every_labelled_word_is_kept() -> None:
    words = _words(30)
    expected = np.flatnonzero(words[["Number", "Case"]].notna().any(axis=1))
    assert select_words(words, None, 4, seed=0, language="qaa").tolist() == expected.tolist()
    wide = dict.fromkeys(CAPS, 10_000)
    assert select_words(words, wide, 4, seed=0, language="qaa").tolist() == expected.tolist()


def test_selection_depends_on_seed_and_language_and_needs_few_sentences() -> None:
    words = _words(400)
    rows = select_words(words, CAPS, 1, seed=0, language="qaa")
    assert rows.tolist() == select_words(words, CAPS, 1, seed=0, language="qaa").tolist()
    assert rows.tolist() != select_words(words, CAPS, 1, seed=1, language="qaa").tolist()
    assert rows.tolist() != select_words(words, CAPS, 1, seed=0, language="qab").tolist()
    assert words["sentence"].iloc[rows].nunique() < 60


def _manifest() -> Manifest:
    return Manifest(
        "step-1", "m", None, None, "f", "0" * 64, "2" * 64, "1" * 64, 1, 3, WIDTH, "float32", 1, None, False
    )


def _selected(words: pd.DataFrame, rows: np.ndarray, model: Any, **settings: Any) -> Any:
    """The embeddings by layer."""
    parts: list[dict[int, np.ndarray]] = []
    embed_selected_words(
        model, small_tokenizer("bloom"), words, rows, [2, 3],
        manifest=_manifest(), language="qaa", tokenisation="natural", batch_tokens=100, append=parts.append, **settings,
    )  # fmt: skip
    empty = np.zeros((0, WIDTH), dtype=np.float16)
    return {layer: np.concatenate([empty, *(part[layer] for part in parts)]) for layer in (2, 3)}


def test_selected_words_are_the_rows_of_the_whole_table() -> None:
    words = _words(60)
    rows = select_words(words, CAPS, 1, seed=0, language="qaa")
    every = _selected(words, np.arange(len(words)), small_model("bloom"))
    some = _selected(words, rows, small_model("bloom"))
    for layer in (2, 3):
        assert some[layer].dtype == np.float16
        expected = every[layer][rows].astype(float)
        np.testing.assert_allclose(some[layer].astype(float), expected, rtol=2e-3, atol=2e-3)
    assert _selected(words, rows[:0], small_model("bloom"))[2].shape == (0, WIDTH)


@pytest.mark.parametrize("layer", [2, 3])
def test_states_too_large_for_float16_are_refused(layer: int) -> None:
    model = copy.deepcopy(small_model("bloom"))
    with torch.no_grad():
        if layer == 3:
            model.ln_f.bias[5] = 1e5
        else:
            model.h[0].mlp.dense_4h_to_h.bias[5] = -1e5
    words = _words(10)
    with pytest.raises(BadInputError, match=rf"step-1: qaa: layer {layer}: word '\w+' \(row 2\): neuron 5 is -?\d+"):
        _selected(words, np.array([2, 4]), model)


def test_a_large_state_of_a_later_chunk_names_its_own_word() -> None:
    model, words = copy.deepcopy(small_model("bloom")), _words(30)
    rows = np.arange(len(words))
    parts: list[Any] = []

    def poison(part: Any) -> None:
        parts.append(part)
        if len(parts) == 3:
            with torch.no_grad():
                model.ln_f.bias[7] = 1e5

    with pytest.raises(BadInputError) as caught:
        embed_selected_words(
            model, small_tokenizer("bloom"), words, rows, [3],
            manifest=_manifest(), language="qaa", tokenisation="natural", batch_tokens=100, append=poison,
            chunk_bytes=4 * WIDTH * 20,
        )  # fmt: skip
    row = sum(len(part[3]) for part in parts)
    assert f"layer 3: word {words['form'][row]!r} (row {row}): neuron 7 is" in str(caught.value)
