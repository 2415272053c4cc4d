"""A study's treebanks, copied from where their source put them, and what was copied."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polyprobe.languages.withheld import NO_FORM
from polyprobe.running.errors import BadInputError
from polyprobe.running.progress import progress
from polyprobe.study import PARAMS
from polyprobe.treebanks.conllu import OnError, Problem
from polyprobe.treebanks.sources.origin import Origin
from polyprobe.treebanks.treebank import licence, own_files, read_treebank_sentences, treebank_files, treebank_path


def wanted_treebanks(
    languages: Sequence[str], folders: Mapping[str, Sequence[str]], parallel: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return each language's treebanks, those to probe before the one with parallel sentences, none twice.

    Args:
        languages: ISO codes, in the order wanted.
        folders: per language, the names of its treebanks to probe.
        parallel: per language, the name of its treebank with parallel sentences; not every language has one.
    """
    sides = {language: [name] for language, name in parallel.items()}
    return {language: list(dict.fromkeys([*folders[language], *sides.get(language, [])])) for language in languages}


def copy_treebanks(
    source: Origin, wanted: Mapping[str, Sequence[str]], target: Path, on_error: OnError
) -> dict[str, list[dict[str, Any]]]:
    """Copy CoNLL-U files, README and licence of each treebank to `target`/language/treebank.

    Args:
        source: where the treebanks are.
        wanted: per language, the names of its treebanks.
        target: the folder to copy to, in which no treebank is yet.
        on_error: what happens at a malformed sentence.

    Returns:
        Per language, an entry for each of its treebanks: its name, its source, its folder's name there, its files (name
        and sha256), the numbers of sentences and words as they will be read (a multiword token is one word, malformed
        sentences are skipped where `on_error` says so), of sentences skipped, of sentences withheld (those without
        their text) and of sentences whose words do not join to their `# text`, and its licence in one line.

    Raises:
        BadInputError: a folder is missing, has no CoNLL-U file, or comes without the text of its sentences; a sentence
            is malformed, where `on_error` is `fail`.
    """
    report: dict[str, list[dict[str, Any]]] = {}
    for language in progress(list(wanted), description="treebanks", unit="language"):
        for name in wanted[language]:
            folder = source.folders[name]
            if not folder.is_dir():
                raise BadInputError(f"{PARAMS}: treebanks.folders: no treebank {name} in {source.description}")
            described = _describe(folder, language, on_error)
            copy = treebank_path(language, name, target)
            copy.mkdir(parents=True)
            for file in own_files(folder):
                shutil.copyfile(file, copy / file.name)
            report.setdefault(language, []).append({"treebank": name, "source": source.description} | described)
    return report


def _describe(folder: Path, language: str, on_error: OnError) -> dict[str, Any]:
    import pooch

    files, skipped, withheld = treebank_files(folder), list[Problem](), list[str]()
    sentences = words = differing = 0
    for file in files:
        for sentence in read_treebank_sentences(file, language, on_error, skipped, withheld):
            sentences += 1
            words += sum(1 for _ in sentence.surface_words())
            differing += sentence.stated_text not in (None, sentence.rebuilt_text)
    if withheld and not sentences:
        raise BadInputError(
            f"{folder}: {folder.name} comes without its text, expected sentences whose words are not `{NO_FORM}` "
            f"({len(withheld):,} withheld)"
        )
    return {
        "folder": folder.name,
        "files": [{"name": file.name, "sha256": pooch.file_hash(file)} for file in files],
        "sentences": sentences,
        "words": words,
        "skipped_sentences": len(skipped),
        "withheld_sentences": len(withheld),
        "text_differs": differing,
        "licence": licence(folder),
    }
