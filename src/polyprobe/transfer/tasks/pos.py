"""Part-of-speech tagging: the universal tag of each word (XTREME's UDPOS).

A file has one word per line, `word<TAB>tag`, and an empty line after each sentence. It carries no spacing: words are
joined by single spaces, and by none in a language that is written without them. A word is classified at its first or
last sub-word (`transfer.pos.label_on`). Words cut off by `max_length` are lost: they count as wrong.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyprobe.languages import language as language_of
from polyprobe.running.errors import BadInputError
from polyprobe.study import POSTask
from polyprobe.transfer.examples import (
    LOST,
    NO_TARGET,
    WITHOUT_LABELS,
    Encoded,
    Example,
    checked_label,
    not_empty,
    numbered_lines,
    word_form,
)

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

LABELS: Final = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
METRICS: Final = ("f1", "f1_macro", "accuracy", "f1_xtreme")
HEAD: Final = "AutoModelForTokenClassification"
ADAPTER_KIND: Final = "TOKEN_CLS"


def read(file: Path) -> list[Example]:
    """Read the sentences of a file; a word with nothing in it is `_`.

    Raises:
        BadInputError: the file is missing or without sentences, a line is not `word<TAB>tag`, or a tag is missing or
            none of the 17 UPOS.
    """
    examples: list[Example] = []
    words: list[str] = []
    tags: list[str] = []

    def end_sentence() -> None:
        if words:
            examples.append(Example(tuple(words), tuple(tags)))
            words.clear()
            tags.clear()

    for number, line in numbered_lines(file):
        if not line.strip():
            end_sentence()
            continue
        columns = line.split("\t")
        if len(columns) != 2:
            raise BadInputError(
                f"{file}:{number}: expected a word and its tag separated by one tab, "
                f"found {len(columns)} column{'s' * (len(columns) != 1)}" + f"; {WITHOUT_LABELS}" * (len(columns) == 1)
            )
        words.append(word_form(columns[0]))
        tags.append(checked_label(columns[1], LABELS, file, number))
    end_sentence()
    return not_empty(examples, file)


def sentences(example: Example) -> tuple[str, ...]:
    """Return the sentence as one text, its words joined by spaces."""
    return (" ".join(example.texts),)


def encode(examples: list[Example], tokenizer: Any, settings: POSTask, language: str) -> list[Encoded]:
    """Return the sentences as sub-words, words located by character offsets; a sub-word may belong to two words.

    Args:
        examples: sentences of one language.
        tokenizer: a fast one, which knows each sub-word's characters.
        settings: says how many sub-words a sentence may have, and which of a word's sub-words carries its label.
        language: the language's code, which says whether spaces separate words.
    """
    separator = " " if language_of(language).spaces else ""
    texts = [separator.join(example.texts) for example in examples]
    # Whole sentences, cut afterwards: from a cut one it could not be told whether a word's last sub-word is there.
    rows = tokenizer(texts, return_offsets_mapping=True, verbose=False)
    encoded = []
    for example, ids, offsets in zip(examples, rows["input_ids"], rows["offset_mapping"], strict=True):
        positions = [
            position if position < settings.max_length else LOST
            for position in _positions(_spans(example.texts, len(separator)), offsets, settings.label_on)
        ]
        labels = [LABELS.index(tag) for tag in example.labels]
        encoded.append(Encoded(ids[: settings.max_length], labels, positions))
    return encoded


def targets(example: Encoded) -> list[int]:
    """Return the words' label numbers at their sub-words, and -100 at all other sub-words.

    Where two words share a sub-word, it has the first one's label.
    """
    row = [NO_TARGET] * len(example.input_ids)
    for position, label in zip(reversed(example.positions), reversed(example.labels), strict=True):
        if position != LOST:
            row[position] = label
    return row


def predictions(logits: "Float[Tensor, 'example subword label']", batch: list[Encoded]) -> list[list[int]]:
    """Return the number of each word's predicted tag.

    Args:
        logits: of each label at each sub-word, padding included.
        batch: the sentences.

    Returns:
        A number per word of each sentence, LOST where truncation cut the word off or the tokenizer leaves it out.
    """
    rows = logits.argmax(-1).tolist()
    return [
        [LOST if position == LOST else row[position] for position in example.positions]
        for row, example in zip(rows, batch, strict=True)
    ]


def _spans(words: tuple[str, ...], gap: int) -> list[tuple[int, int]]:
    spans = []
    start = 0
    for word in words:
        spans.append((start, start + len(word)))
        start += len(word) + gap
    return spans


def _positions(words: list[tuple[int, int]], subwords: list[tuple[int, int]], label_on: str) -> list[int]:
    """Return the first or last sub-word that overlaps each word; LOST for a word that the tokenizer leaves out.

    Args:
        words: [start, end) of each in characters, in the order of the text.
        subwords: [start, end) of each in characters, in the order of the text; special tokens are empty.
        label_on: which of a word's sub-words to take: first or last.
    """
    positions = []
    candidate = 0
    for start, end in words:
        while candidate < len(subwords) and subwords[candidate][1] <= start:
            candidate += 1
        overlapping = []
        following = candidate
        while following < len(subwords) and subwords[following][0] < end:
            if subwords[following][0] < subwords[following][1]:
                overlapping.append(following)
            following += 1
        end = 0 if label_on == "first" else -1
        positions.append(overlapping[end] if overlapping else LOST)
    return positions
