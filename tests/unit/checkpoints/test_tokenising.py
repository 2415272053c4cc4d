"""Sub-words of words, against the definition read character by character."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from polyprobe.checkpoints.sentences import Sentence
from polyprobe.checkpoints.tokenising import tokenise
from polyprobe.running.errors import BadInputError
from support.small_models import small_tokenizer

FORMS = st.text(alphabet='the cats."«»我们\u00a0\u3000\t1🙂é\u0301', min_size=1, max_size=6)
WORDS = st.lists(st.tuples(FORMS, st.booleans()), min_size=1, max_size=6)


def _slowly(sentence: Sentence) -> tuple[list[int], list[list[int]], int]:
    encoding = small_tokenizer("bloom")(sentence.text, add_special_tokens=False, return_offsets_mapping=True)
    solid = [
        {place for place in range(start, end) if not sentence.text[place].isspace()}
        for start, end in encoding["offset_mapping"]
    ]
    stretches = [range(min(places), max(places) + 1) if places else range(0) for places in solid]
    words, before, owners = [], 0, [0] * len(solid)
    for start, end in sentence.spans:
        mine = [n for n, stretch in enumerate(stretches) if set(stretch) & set(range(start, end))]
        for number in mine:
            owners[number] += 1
        words.append(mine or [before])
        before = words[-1][-1]
    return encoding["input_ids"], words, sum(owner > 1 for owner in owners)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=5))
def test_subwords_of_words(drawn: list[list[tuple[str, bool]]]) -> None:
    sentences = [Sentence(tuple(form for form, _ in words), tuple(space for _, space in words)) for words in drawn]
    assume(all(sentence.text for sentence in sentences))
    for sentence, found in zip(sentences, tokenise(small_tokenizer("bloom"), sentences, "natural"), strict=True):
        ids, words, shared = _slowly(sentence)
        assert found.ids.tolist() == ids
        assert found.words.tolist() == [word for word, places in enumerate(words) for _ in places]
        assert found.positions.tolist() == [place for places in words for place in places]
        assert found.shared == shared


def test_a_sentence_without_words_has_no_subwords() -> None:
    empty, other = tokenise(small_tokenizer("bloom"), [Sentence((), ()), Sentence(("cats",), (True,))], "natural")
    assert len(empty.ids) == len(empty.words) == 0
    assert other.words[0] == 0
    assert np.array_equal(np.unique(other.positions), np.arange(len(other.ids)))


def test_a_sentence_of_spaces_is_refused() -> None:
    for tokenisation in ("natural", "isolated"):
        with pytest.raises(BadInputError, match="no sub-word"):
            tokenise(small_tokenizer("bloom"), [Sentence(("",), (False,))], tokenisation)
