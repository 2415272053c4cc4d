"""A treebank is a folder in UD's layout: `<code>-ud-<split>.conllu` files, a README, a licence."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyprobe.languages.withheld import is_withheld
from polyprobe.running.errors import BadInputError
from polyprobe.treebanks.conllu import OnError, Problem, Sentence, handle, read_sentences
from polyprobe.treebanks.unimorph import analyse

FOLDER: Final = Path("data/treebanks")
FILE_SPLITS: Final = ("train", "dev", "test")
"""The reading order of a treebank's files."""

_FILE: Final = re.compile(r"[^.].*-ud-(train|dev|test)\b.*\.conllu")
_LICENCE: Final = re.compile(r"License: *(\S.*?)\s*", re.IGNORECASE)
_NOT_EMPTY: Final = re.compile(r"\s*(\S.*?)\s*")
_README: Final = ("README",)
_LICENCES: Final = ("LICENSE", "LICENCE")


def treebank_path(language: str, name: str, root: Path = FOLDER) -> Path:
    """Return the folder in which a language's treebank lies once `fetch_ud` has run.

    Args:
        language: ISO code.
        name: the treebank's name in the study.
        root: what `fetch_ud` wrote.
    """
    return root / language / name


def treebank_files(folder: Path, splits: tuple[str, ...] = FILE_SPLITS) -> list[Path]:
    """Return the CoNLL-U files of a treebank: train, dev, test, and by name where a split has several.

    Args:
        folder: the treebank.
        splits: which of train, dev and test, in any order.

    Raises:
        BadInputError: there is no such folder, it has no CoNLL-U file at all, or one is a link that leads nowhere.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder, expected a treebank")
    found = [(match[1], file) for file in own_files(folder) if (match := _FILE.fullmatch(file.name))]
    if not found:
        raise BadInputError(f"{folder}: no CoNLL-U file, expected names such as en-ud-train.conllu")
    found.sort(key=lambda entry: (FILE_SPLITS.index(entry[0]), entry[1].name))
    return [file for split, file in found if split in splits]


def belongs(name: str) -> bool:
    """Return whether a file of this name is kept of a treebank: CoNLL-U files, README, licence."""
    return bool(_FILE.fullmatch(name)) or name.startswith(_README + _LICENCES)


def own_files(folder: Path) -> list[Path]:
    """Return the files of a folder that are kept of a treebank, sorted by name.

    Links are followed; folders are left out.

    Raises:
        BadInputError: a CoNLL-U file is a link that leads nowhere.
    """
    named = sorted(file for file in folder.iterdir() if belongs(file.name))
    for file in named:
        if _FILE.fullmatch(file.name) and not file.exists():
            raise BadInputError(f"{file}: a link that leads nowhere, expected a CoNLL-U file")
    return [file for file in named if file.is_file()]


def licence(folder: Path) -> str | None:
    """Return the licence that a treebank states; None where it states none.

    That is what the README's `License:` line says, else the first line of the licence file that is not empty.

    Raises:
        BadInputError: a CoNLL-U file is a link that leads nowhere.
    """
    files = own_files(folder)
    for names, wanted in ((_README, _LICENCE), (_LICENCES, _NOT_EMPTY)):
        for file in (file for file in files if file.name.startswith(names)):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            if stated := next(filter(None, map(wanted.fullmatch, lines)), None):
                return stated[1]
    return None


def read_treebank_sentences(
    file: Path,
    language: str,
    on_error: OnError = "fail",
    skipped: list[Problem] | None = None,
    withheld: list[str] | None = None,
) -> Iterator[Sentence]:
    """Yield the sentences of a treebank file that come with their text, all of whose words have a UniMorph reading.

    Args:
        file: a CoNLL-U file.
        language: ISO code of the language whose UniMorph rules apply.
        on_error: what happens at a malformed sentence; one with a word without a UniMorph reading counts as such.
        skipped: a list to which the problems of skipped sentences are appended; None to forget them.
        withheld: a list to which the sent_id of each sentence without its text is appended; None to forget them.

    Raises:
        BadInputError: a malformed sentence, where `on_error` is `fail`; a file that is missing or no UTF-8 always.
    """
    for sentence in read_sentences(file, on_error, skipped):
        if is_withheld([word.form for word, _ in sentence.surface_words()]):
            if withheld is not None:
                withheld.append(sentence.sent_id)
        elif problem := _unreadable(sentence, language):
            handle(problem, on_error, skipped)
        else:
            yield sentence


def _unreadable(sentence: Sentence, language: str) -> Problem | None:
    for line, token in enumerate(sentence.tokens, sentence.line):
        try:
            analyse(token.upos, token.feats, language, token.form)
        except ValueError as error:
            return Problem(sentence.file, line, sentence.sent_id, f"id {token.id}: {error}")
    return None
