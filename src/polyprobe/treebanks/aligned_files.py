"""Sentences and their translations from text files, as XTREME's Tatoeba and OPUS publish them."""

from collections.abc import Sequence
from pathlib import Path

from polyprobe.running.errors import BadInputError


def aligned_sentences(files: Sequence[Path], most: int) -> list[tuple[str, str]]:
    """Return the first pairs (source, target) of aligned sentences, without the spaces around them.

    Args:
        files: one whose lines are `source<TAB>target`, or two that are aligned line by line, the source's first.
        most: the number of pairs at most.

    Raises:
        BadInputError: a file is missing or no UTF-8, a line does not have two sides or has an empty one, two files
            differ in their number of lines, or there are fewer than two pairs.
    """
    sides = [_lines(file) for file in files]
    if len({len(side) for side in sides}) > 1:
        expected = " and ".join(f"{file} has {len(side)}" for file, side in zip(files, sides, strict=True))
        raise BadInputError(f"{files[0]}: expected files of equally many lines, {expected}")
    pairs = []
    for number, line in enumerate(zip(*sides, strict=True), start=1):
        texts = line[0].split("\t") if len(files) == 1 else list(line)
        if len(texts) != 2:
            raise BadInputError(f"{files[0]}:{number}: expected `source<TAB>target`, got {len(texts)} column(s)")
        for file, text in zip((files[0], files[-1]), texts, strict=True):
            if not text.strip():
                raise BadInputError(f"{file}:{number}: expected a sentence, got none")
        pairs.append((texts[0].strip(), texts[1].strip()))
    if len(pairs) < 2:
        raise BadInputError(f"{files[0]}: expected at least two pairs of sentences, got {len(pairs)}")
    return pairs[:most]


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise BadInputError(f"{file}: expected a file of parallel sentences: {error.strerror}") from None
    if not lines[-1]:
        lines.pop()
    decoded = []
    for number, line in enumerate(lines, start=1):
        try:
            decoded.append(line.removesuffix(b"\r").decode("utf-8"))
        except UnicodeDecodeError as error:
            raise BadInputError(f"{file}:{number}: no valid UTF-8 at byte {error.start + 1} of the line") from None
    return decoded
