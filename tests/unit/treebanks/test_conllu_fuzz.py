"""The CoNLL-U reader on made-up files, valid and damaged, against the `conllu` library."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import conllu
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polyprobe.running.errors import BadInputError
from polyprobe.treebanks import Sentence, read_sentences
from polyprobe.treebanks.conllu import Problem, scan

quick = settings(derandomize=True, deadline=None, database=None, max_examples=40)

Block = list[str]
"""The lines of one sentence."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conllu") / "file.conllu"


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """A reader that never comes back fails its test."""

    def stop(*_: object) -> None:
        raise TimeoutError("the reader hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# Letters of several scripts, composed or not; and what may stand between letters, line ends for all but CoNLL-U.
LETTERS = ["a", "B", "é", "e\u0301", "ा", "क्ष", "中", "🙂", "ß", "\u0301", "_", "-", "=", "#", ":", "1", "|", "'"]
BETWEEN = [
    " ",
    "\u00a0",
    "\u2028",
    "\u2029",
    "\x85",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1e",
    "\u3000",
    "\u200b",
    "\ufeff",
    "\r",
]


@st.composite
def texts(draw: st.DrawFn, letters: list[str] = LETTERS) -> str:
    """A form: it neither starts nor ends with white space and has no two spaces in a row, where conllu would cut it."""
    parts = [draw(st.sampled_from(letters))]
    for _ in range(draw(st.integers(0, 3))):
        parts += [draw(st.sampled_from(["", "", *BETWEEN])), draw(st.sampled_from(letters))]
    return "".join(parts)


VALUES = texts([letter for letter in LETTERS if letter not in "=|#_"])
FEATURES = st.lists(
    st.builds("{}={}".format, st.sampled_from(["Case", "Number", "Number[psor]", "Typo"]), VALUES), max_size=3
).map(lambda items: "|".join(items) or "_")
DEPS = st.sampled_from(["_", "0:root", "1:nsubj:pass", "0:root|1.1:conj:and", "weird", "1:dep|"])
MISC = st.sampled_from(["_", "SpaceAfter=No", "Gloss=a b|SpaceAfter=No", "SpaceAfter=Yes", "Translit=\u00a0x", "Key"])
COMMENTS = st.sampled_from(
    ["# text = a\u2028b", "# newdoc", "# newdoc id = a=b", "# newpar", "#", "# no value", "#global.x=1", "# é = ü"]
)
LEMMAS = st.sampled_from(["_", "a", "New York", "e\u0301", "\ufeffa"])


@st.composite
def sentences(draw: st.DrawFn, sent_id: str) -> Block:
    """A valid sentence, with ranges and empty nodes."""
    words = draw(st.integers(1, 6))

    def line(identifier: str, head: str) -> str:
        columns = [identifier, draw(texts()), draw(LEMMAS), draw(st.sampled_from(["NOUN", "X", "_"])), draw(LEMMAS)]
        columns += [draw(FEATURES), head, draw(st.sampled_from(["dep", "nsubj:pass", "_"])), draw(DEPS), draw(MISC)]
        return "\t".join(columns)

    lines = [line("0.1", "_")] if draw(st.sampled_from([False] * 4 + [True])) else []
    covered = 0
    for word in range(1, words + 1):
        if covered < word < words and draw(st.sampled_from([False] * 2 + [True])):
            covered = draw(st.integers(word + 1, words))
            lines.append(line(f"{word}-{covered}", "_"))
        lines.append(line(str(word), str(draw(st.integers(0, words)))))
        lines += [line(f"{word}.{node}", "_") for node in range(1, draw(st.sampled_from([0, 0, 0, 1, 2])) + 1)]
    comments = draw(st.permutations([f"# sent_id = {sent_id}", *draw(st.lists(COMMENTS, unique=True, max_size=3))]))
    return [*comments, *lines]


@st.composite
def documents(draw: st.DrawFn) -> list[Block]:
    return [draw(sentences(f"s{number}")) for number in range(1, draw(st.integers(1, 4)) + 1)]


@st.composite
def files(draw: st.DrawFn) -> tuple[list[Block], bytes]:
    """Valid sentences, and a file of them as some editor may leave it."""
    blocks = draw(documents())
    blank = [draw(st.sampled_from([0, 0, 0, 1, 3])) for _ in range(len(blocks) + 1)]
    text = "\n" * blank[0]
    for block, more in zip(blocks, blank[1:], strict=True):
        text += "\n".join(block) + "\n\n" + "\n" * more
    text = draw(st.sampled_from([text, text.rstrip("\n"), text.rstrip("\n") + "\n"]))
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return blocks, draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


def as_conllu_has_it(sentence: Sentence) -> list[dict[str, Any]]:
    """Our tokens with each column in the library's types."""
    parsers = conllu.parser.DEFAULT_FIELD_PARSERS
    return [
        {name: parsers[name]([value], 0) if name in parsers else value for name, value in token._asdict().items()}
        for token in sentence.tokens
    ]


def lines_of(sentence: Sentence) -> Block:
    return [*sentence.comments, *map("\t".join, sentence.tokens)]


@quick
@given(drawn=files())
def test_a_valid_file_equals_the_conllu_library_token_by_token(file: Path, drawn: tuple[list[Block], bytes]) -> None:
    blocks, data = drawn
    file.write_bytes(data)
    ours = list(read_sentences(file))
    theirs = conllu.parse(data.decode("utf-8-sig").replace("\r\n", "\n"))
    assert len(ours) == len(theirs) == len(blocks)
    for sentence, expected, block in zip(ours, theirs, blocks, strict=True):
        assert as_conllu_has_it(sentence) == [dict(token) for token in expected]
        assert lines_of(sentence) == block
        assert sentence.sent_id == expected.metadata["sent_id"]
        assert sentence.stated_text == expected.metadata.get("text")
        assert sentence.starts_document == any(key.startswith("newdoc") for key in expected.metadata)
        spaces = [(token.get("misc") or {}).get("SpaceAfter") != "No" for token in expected]
        assert [token.space_after for token in sentence.tokens] == spaces


@st.composite
def damaged_files(draw: st.DrawFn) -> tuple[list[Block], bytes]:
    """The sentences of a valid file, and the file after up to three accidents."""
    blocks, data = draw(files())
    for _ in range(draw(st.integers(1, 3))):
        data = draw(st.sampled_from(ACCIDENTS))(draw, data)
    return blocks, data


def _some_line(draw: st.DrawFn, lines: list[bytes], holding: bytes = b"") -> int:
    return draw(st.sampled_from([place for place, line in enumerate(lines) if holding in line] or [0]))


def lose_a_line(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.split(b"\n")
    lines.pop(_some_line(draw, lines))
    return b"\n".join(lines)


def double_a_line(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.split(b"\n")
    place = _some_line(draw, lines)
    return b"\n".join([*lines[:place], lines[place], *lines[place:]])


def swap_two_lines(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.split(b"\n")
    one, other = _some_line(draw, lines), _some_line(draw, lines)
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def change_a_tab(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.split(b"\n")
    place = _some_line(draw, lines, b"\t")
    columns = lines[place].split(b"\t")
    if len(columns) > 1:
        at = draw(st.integers(1, len(columns) - 1))
        joint = draw(st.sampled_from([b"", b" ", b"\t\t"]))
        lines[place] = b"\t".join(columns[:at]) + joint + b"\t".join(columns[at:])
    return b"\n".join(lines)


def change_a_column(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.split(b"\n")
    place = _some_line(draw, lines, b"\t")
    columns = lines[place].split(b"\t")
    new = [b"", b"_", b"0", b"1", b"2", b"1-2", b"2-1", b"01", b"1.1", b"7", b"-1", b"x", "٣".encode(), b"a=b=c"]
    columns[draw(st.integers(0, len(columns) - 1))] = draw(st.sampled_from(new))
    lines[place] = b"\t".join(columns)
    return b"\n".join(lines)


def flip_bits(draw: st.DrawFn, data: bytes) -> bytes:
    if not data:
        return data
    place = draw(st.integers(0, len(data) - 1))
    flipped = data[place] ^ draw(st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]))
    return data[:place] + bytes([flipped]) + data[place + 1 :]


def truncate(draw: st.DrawFn, data: bytes) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


ACCIDENTS = [lose_a_line, double_a_line, swap_two_lines, change_a_tab, change_a_column, flip_bits, truncate]


def blocks_of(text: str) -> list[tuple[int, Block]]:
    """The blocks of lines between empty lines, each with the number of its first line."""
    blocks: list[tuple[int, Block]] = []
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if stripped := line.rstrip("\r"):
            if not inside:
                blocks.append((number, []))
            blocks[-1][1].append(stripped)
        inside = bool(stripped)
    return blocks


def hidden(text: str) -> str:
    """White space but tab and line end as letters: conllu strips lines and cuts at two spaces, CoNLL-U does not."""
    return re.sub(r"[^\S\t\n]", lambda found: chr(0xF0000 + ord(found[0])), text)


def assert_equals_conllu(sentence: Sentence, block: Block) -> None:
    words = [hidden(line) for line in block[len(sentence.comments) :]]
    (theirs,) = conllu.parse("\n".join([*sentence.comments, *words]))
    ours = Sentence(**{name: getattr(sentence, name) for name in Sentence.__slots__} | {"tokens": tuple(
        type(token)._make(map(hidden, token)) for token in sentence.tokens
    )})  # fmt: skip
    assert as_conllu_has_it(ours) == [dict(token) for token in theirs]
    assert sentence.sent_id == theirs.metadata["sent_id"]


def assert_names_its_line(problem: Problem, first: int, block: Block) -> None:
    """The problem lies within its block, on a line that has it."""
    assert first <= problem.line < first + len(block)
    assert problem.message
    assert "\n" not in str(problem)
    assert str(problem).startswith(f"{problem.file}:{problem.line}:")
    line = block[problem.line - first]
    if "columns separated by tabs" in problem.message:
        assert len(line.split("\t")) != 10
    if named := re.match(r"id (.*?): ", problem.message, re.DOTALL):
        assert line.split("\t")[0] == named[1]
    if "empty" in problem.message and "empty node" not in problem.message:
        assert "" in line.split("\t")


def first_undecodable(data: bytes) -> int:
    """The number of the first line that is no UTF-8."""
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return number
    raise AssertionError


def check(file: Path, data: bytes, valid: list[Block]) -> None:
    """Each block of a file is a sentence that equals conllu's or a problem; sentences that were left alone are read."""
    file.write_bytes(data)
    try:
        blocks = blocks_of(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        with pytest.raises(BadInputError, match=rf"file\.conllu:{first_undecodable(data)}: no UTF-8"):
            list(scan(file))
        return
    items = list(scan(file))
    assert len(items) == len(blocks)
    seen: set[str] = set()
    for item, (first, block) in zip(items, blocks, strict=True):
        assert item.file == file
        if isinstance(item, Sentence):
            assert lines_of(item) == block
            assert item.line == first + len(item.comments)
            assert item.sent_id not in seen
            seen.add(item.sent_id)
            assert_equals_conllu(item, block)
        else:
            assert_names_its_line(item, first, block)
            assert block not in valid or item.sent_id in seen
    problems = [item for item in items if isinstance(item, Problem)]
    skipped: list[Problem] = []
    read = list(read_sentences(file, "skip_sentence", skipped))
    assert read == [item for item in items if isinstance(item, Sentence)]
    assert skipped == problems
    if problems:
        with pytest.raises(BadInputError) as caught:
            list(read_sentences(file))
        assert str(caught.value) == str(problems[0])


@settings(quick, max_examples=80)
@given(drawn=damaged_files())
def test_a_damaged_file_is_read_or_its_problems_are_told(file: Path, drawn: tuple[list[Block], bytes]) -> None:
    blocks, data = drawn
    check(file, data, blocks)


PIECES = [
    b"\n", b"\n\n", b"\r", b"\t", b" ", b"_", b"#", b"\xc3", b"\xef\xbb\xbf", b"\x00", b"\xe2\x80\xa8",
    b"# sent_id = a\n", b"# sent_id = b\n", b"1\ta\ta\tX\t_\t_\t0\tdep\t_\t_\n", b"2\tb\tb\tX\t_\tA=B\t1\tdep\t_\t_\n",
    b"1-2\ta\t_\t_\t_\t_\t_\t_\t_\t_\n", b"1.1\t_\t_\t_\t_\t_\t_\t_\t_\t_\n",
]  # fmt: skip


@settings(quick, max_examples=100)
@given(data=st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join) | st.binary(max_size=40))
@example(data=b"")
@example(data=b"\xef\xbb\xbf")
@example(data=b"\n\n\r\n")
@example(data=b" \n")
@example(data=b"#")
def test_any_bytes_are_read_or_their_problems_are_told(file: Path, data: bytes) -> None:
    check(file, data, [])
