"""CoNLL-U files, sentence by sentence: parsed by the `conllu` library, and checked.

Blocks of lines are found here, so that an error names file, line and sentence, and a bad sentence can be left out.
Checked is what the rest of the project leans on: ten columns, none of them empty, ids in order, heads that exist,
ranges within the sentence, features with values, one `# sent_id` per sentence and each of them once per file.
Characters are left as they are: no normalisation.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Final, Literal, NamedTuple

import conllu

from polyprobe.running.errors import BadInputError

OnError = Literal["fail", "skip_sentence"]

_AS_WRITTEN: Final = {name: lambda columns, number: columns[number] for name in conllu.parser.DEFAULT_FIELDS}
_WITHOUT_VALUE: Final = {"newdoc": lambda key, value: (key, value or "")}
"""Comments that the library would drop for want of a value."""
_BYTE_ORDER_MARK: Final = "\ufeff"
# Numbers that Python reads: it refuses those of thousands of digits, and no sentence has so many words.
_RANGE: Final = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY: Final = re.compile(r"(0|[1-9][0-9]{0,8})\.([1-9][0-9]{0,8})")


class Token(NamedTuple):
    """One line of a sentence, its ten columns as written: a word, a multiword range (1-2) or an empty node (8.1)."""

    id: str
    form: str
    lemma: str
    upos: str
    xpos: str
    feats: str
    head: str
    deprel: str
    deps: str
    misc: str

    @property
    def is_range(self) -> bool:
        """Whether this is the surface token of several words."""
        return "-" in self.id

    @property
    def is_empty(self) -> bool:
        """Whether this is an empty node, which has no place in the text."""
        return "." in self.id

    @property
    def space_after(self) -> bool:
        """Whether a space follows in the text."""
        return not ("SpaceAfter=No" in self.misc and "SpaceAfter=No" in self.misc.split("|"))


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence."""

    file: Path
    line: int
    """The line of its first token, from 1."""
    sent_id: str
    stated_text: str | None
    """What `# text` says."""
    starts_document: bool
    """Whether `# newdoc` stands before it."""
    comments: tuple[str, ...]
    """The comment lines as written."""
    tokens: tuple[Token, ...]
    """Every token line, ranges and empty nodes too."""

    @property
    def text(self) -> str:
        """The sentence as written: `# text`, or its words joined as SpaceAfter says."""
        return self.rebuilt_text if self.stated_text is None else self.stated_text

    @property
    def rebuilt_text(self) -> str:
        """The words joined as SpaceAfter says; no space after the last one."""
        words = (word.form + " " if word.space_after else word.form for word, _ in self.surface_words())
        return "".join(words).rstrip(" ")

    def surface_words(self) -> Iterator[tuple[Token, tuple[Token, ...]]]:
        """Yield each word of the text with its syntactic words: a range with its parts, any other word with itself.

        Empty nodes are left out.
        """
        tokens = (token for token in self.tokens if not token.is_empty)
        for token in tokens:
            if token.is_range:
                last = token.id.partition("-")[2]
                parts = [next(tokens)]
                while parts[-1].id != last:
                    parts.append(next(tokens))
                yield token, tuple(parts)
            else:
                yield token, (token,)


class Problem(NamedTuple):
    """What is wrong with a sentence."""

    file: Path
    line: int
    sent_id: str | None
    message: str

    def __str__(self) -> str:
        sentence = f" sentence {self.sent_id}:" if self.sent_id else ""
        # What a file holds may end the line, or steer the terminal.
        printable = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in f"{sentence} {self.message}")
        return f"{self.file}:{self.line}:{printable}"


def read_sentences(file: Path, on_error: OnError = "fail", skipped: list[Problem] | None = None) -> Iterator[Sentence]:
    """Yield the sentences of a file in order.

    Args:
        file: a CoNLL-U file.
        on_error: what happens at a malformed sentence.
        skipped: a list to which the problems of skipped sentences are appended; None to forget them.

    Raises:
        BadInputError: a malformed sentence, where `on_error` is `fail`; a file that is missing or no UTF-8 always.
    """
    for item in scan(file):
        if isinstance(item, Sentence):
            yield item
        else:
            handle(item, on_error, skipped)


def handle(problem: Problem, on_error: OnError, skipped: list[Problem] | None) -> None:
    """Refuse a sentence that has a problem, or keep the problem in `skipped`, as `on_error` says.

    Args:
        problem: what is wrong with the sentence.
        on_error: what happens at a malformed sentence.
        skipped: a list to which the problem is appended; None to forget it.

    Raises:
        BadInputError: `on_error` is `fail`.
    """
    if on_error == "fail":
        raise BadInputError(str(problem))
    if skipped is not None:
        skipped.append(problem)


def scan(file: Path) -> Iterator[Sentence | Problem]:
    """Yield each sentence of a file, or what is wrong with it, in order.

    Raises:
        BadInputError: the file is missing or no UTF-8.
    """
    seen: set[str] = set()
    for first_line, lines in _blocks(file):
        item = _parse(file, first_line, lines)
        if isinstance(item, Sentence):
            if item.sent_id in seen:
                item = Problem(file, first_line, item.sent_id, "this sent_id stands in the file twice")
            else:
                seen.add(item.sent_id)
        yield item


def _blocks(file: Path) -> Iterator[tuple[int, list[str]]]:
    # A byte-order mark and CR LF are no part of CoNLL-U, but editors leave them behind and they change nothing.
    # Split as bytes: a line ends at a line feed and nowhere else, whatever else Unicode calls a line separator.
    lines: list[str] = []
    number = 0
    try:
        with file.open("rb") as opened:
            for number, raw in enumerate(opened, 1):
                line = raw.decode("utf-8").rstrip("\r\n")
                if number == 1:
                    line = line.removeprefix(_BYTE_ORDER_MARK)
                if line:
                    lines.append(line)
                elif lines:
                    yield number - len(lines), lines
                    lines = []
        if lines:
            yield number - len(lines) + 1, lines
    except FileNotFoundError:
        raise BadInputError(f"{file}: no such file, expected a CoNLL-U file") from None
    except UnicodeDecodeError as error:
        raise BadInputError(f"{file}:{number}: no UTF-8: {error.reason}") from None


class _MalformedError(Exception):
    """What is wrong with a block of lines; its arguments are the line's index in the block, and the message."""


def _parse(file: Path, first_line: int, lines: list[str]) -> Sentence | Problem:
    comments = tuple(takewhile(lambda line: line[0] == "#", lines))
    sent_id = None
    try:
        sent_id = _sent_id(comments)
        _check_lines(lines, len(comments))
        parsed = conllu.parser.parse_token_and_metadata(
            "\n".join(lines), field_parsers=_AS_WRITTEN, metadata_parsers=_WITHOUT_VALUE
        )
        tokens = tuple(Token._make(token.values()) for token in parsed)
        _check_ids(tokens, len(comments))
        _check_heads(tokens, len(comments))
    except _MalformedError as error:
        index, message = error.args
        return Problem(file, first_line + index, sent_id, message)
    return Sentence(
        file=file,
        line=first_line + len(comments),
        sent_id=sent_id,
        stated_text=parsed.metadata.get("text"),
        starts_document="newdoc" in parsed.metadata or "newdoc id" in parsed.metadata,
        comments=comments,
        tokens=tokens,
    )


def _sent_id(comments: tuple[str, ...]) -> str:
    """Return what `# sent_id` says.

    Raises:
        _MalformedError: it is not there, or there twice.
    """
    pairs = [conllu.parser.parse_pair_value(comment[1:]) for comment in comments]
    found = [(index, value) for index, (key, value) in enumerate(pairs) if key == "sent_id"]
    if not found or not found[0][1]:
        raise _MalformedError(0, "expected a comment `# sent_id = ...` above the sentence")
    if len(found) > 1:
        raise _MalformedError(found[1][0], "expected one comment `# sent_id = ...` above the sentence")
    return str(found[0][1])


def _check_lines(lines: list[str], start: int) -> None:
    """Check that every token line of a block has ten columns, none of them empty, and features with values.

    Args:
        lines: the block.
        start: the index of the first token line.

    Raises:
        _MalformedError: a line breaks one of these rules, or there is none.
    """
    if start == len(lines):
        raise _MalformedError(0, "expected words below the sentence's comments")
    for index, line in enumerate(lines[start:], start):
        columns = line.split("\t")
        if len(columns) != 10:
            raise _MalformedError(index, f"expected 10 columns separated by tabs, found {len(columns)}")
        if "" in columns:
            name = Token._fields[columns.index("")].upper()
            raise _MalformedError(index, f"id {columns[0]}: empty {name}, expected `_` where there is nothing")
        # Both as UD's own validation says; the library would strip the one and take the other for the end of a column.
        if line != line.strip():
            raise _MalformedError(index, f"id {columns[0]}: white space at an end of the line, expected none")
        if "  " in line:
            raise _MalformedError(index, f"id {columns[0]}: two spaces in a row, expected no more than one")
        if (item := _malformed_feature(columns[5])) is not None:
            raise _MalformedError(index, f"id {columns[0]}: FEATS item {item!r}, expected Feature=Value")


@lru_cache(maxsize=1 << 16)
def _malformed_feature(feats: str) -> str | None:
    """Return the first item of FEATS that is no Feature=Value; None where all are."""
    if feats == "_":
        return None
    return next((item for item in feats.split("|") if not all(item.partition("=")[::2])), None)


def _check_ids(tokens: tuple[Token, ...], start: int) -> None:
    """Check that ids count up from 1, empty nodes follow their word and ranges precede theirs.

    Args:
        tokens: a sentence's token lines.
        start: the first one's index in the sentence's block of lines.

    Raises:
        _MalformedError: a line breaks one of these rules.
    """
    word, empty, range_end = 0, 0, 0
    for index, token in enumerate(tokens, start):
        if token.id == str(word + 1):
            word, empty = word + 1, 0
        elif found := _RANGE.fullmatch(token.id):
            first, last = int(found[1]), int(found[2])
            if first <= range_end:
                raise _MalformedError(index, f"id {token.id}: expected a range after word {range_end}")
            if first != word + 1 or last <= first:
                raise _MalformedError(index, f"id {token.id}: expected a range that starts with word {word + 1}")
            range_end = last
        elif found := _EMPTY.fullmatch(token.id):
            if (int(found[1]), int(found[2])) != (word, empty + 1):
                raise _MalformedError(index, f"id {token.id}: expected empty node {word}.{empty + 1}")
            empty += 1
        else:
            raise _MalformedError(index, f"id {token.id}: expected {word + 1}")
    if range_end > word:
        raise _MalformedError(len(tokens) + start - 1, f"the range to {range_end} goes beyond the last word {word}")


def _check_heads(tokens: tuple[Token, ...], start: int) -> None:
    """Check that every word's head is one of its sentence or 0.

    Args:
        tokens: a sentence's token lines, with ids in order.
        start: the first one's index in the sentence's block of lines.

    Raises:
        _MalformedError: one is not.
    """
    heads = {"0", *(token.id for token in tokens if not token.is_range and not token.is_empty)}
    for index, token in enumerate(tokens, start):
        if token.head not in heads and not (token.head == "_" and (token.is_range or token.is_empty)):
            last = len(heads) - 1
            raise _MalformedError(index, f"id {token.id}: head {token.head}, expected a number from 0 to {last}")
