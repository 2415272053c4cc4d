"""Copies a study's treebanks from where their source put them, and says what was copied."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polyprobe.running.progress import progress
from polyprobe.treebanks.conllu import OnError, Problem
from polyprobe.treebanks.treebank import licence, read_treebank_sentences, treebank_files, treebank_path


def wanted_treebanks(
    languages: Sequence[str], folders: Mapping[str, Sequence[str]], parallel: Mapping[str, str]
) -> dict[str, list[str]]:
    """Each language's treebanks, those to probe before the one with parallel sentences, none twice."""
    sides = {language: [name] for language, name in parallel.items()}
    return {language: list(dict.fromkeys([*folders[language], *sides.get(language, [])])) for language in languages}


def copy_treebanks(
    source: Path, wanted: Mapping[str, Sequence[str]], target: Path, on_error: OnError
) -> dict[str, list[dict[str, Any]]]:
    """Copies CoNLL-U files, README and licence of each treebank to `target`/language/treebank.

    Returns:
        Per language, its treebanks: treebank, files (name and sha256), sentences and words as they will be read
        (a multiword token is one word, malformed sentences are skipped where `on_error` says so), sentences skipped,
        and the licence's first line.

    Raises:
        BadInputError: a folder is missing or has no CoNLL-U file; a sentence is malformed.
    """
    report: dict[str, list[dict[str, Any]]] = {}
    for language in progress(list(wanted), description="treebanks", unit="language"):
        for name in wanted[language]:
            folder = source / name
            files = [*treebank_files(folder), *_about(folder)]
            copy = treebank_path(language, name, target)
            copy.mkdir(parents=True)
            for file in files:
                shutil.copyfile(file, copy / file.name)
            report.setdefault(language, []).append(_describe(folder, language, on_error))
    return report


def _about(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name.startswith(("README", "LICENSE", "LICENCE")))


def _describe(folder: Path, language: str, on_error: OnError) -> dict[str, Any]:
    files, skipped = treebank_files(folder), list[Problem]()
    sentences = words = 0
    for file in files:
        for sentence in read_treebank_sentences(file, language, on_error, skipped):
            sentences += 1
            words += sum(1 for _ in sentence.surface_words())
    return {
        "treebank": folder.name,
        "files": [{"name": file.name, "sha256": _sha256(file)} for file in files],
        "sentences": sentences,
        "words": words,
        "skipped_sentences": len(skipped),
        "licence": licence(folder),
    }


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
