"""The text of treebanks, for training a model on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from polyprobe.running.errors import BadInputError
from polyprobe.treebanks.treebank import read_treebank_sentences, treebank_files, treebank_path


def training_texts(
    folder: Path, languages: Sequence[str], folders: Mapping[str, Sequence[str]], files: Sequence[str]
) -> dict[str, list[list[str]]]:
    """Return the documents of each language, each a list of its sentences' texts as written.

    A document ends before the next `# newdoc` and at the file's end. Malformed sentences and those without their text
    are left out: `fetch_ud` has refused or counted them.

    Args:
        folder: what `fetch_ud` wrote.
        languages: ISO codes, in the order wanted.
        folders: per language, the names of its treebanks.
        files: which of train, dev and test.

    Raises:
        BadInputError: a treebank is missing, or a language has none of the files.
    """
    texts = {}
    for language in languages:
        chosen = [
            file
            for name in folders[language]
            for file in treebank_files(treebank_path(language, name, folder), tuple(files))
        ]
        if not chosen:
            raise BadInputError(f"{folder / language}: none of the files {', '.join(files)} to train on")
        texts[language] = [document for file in chosen for document in _documents(file, language)]
    return texts


def _documents(file: Path, language: str) -> list[list[str]]:
    documents: list[list[str]] = []
    for sentence in read_treebank_sentences(file, language, on_error="skip_sentence"):
        if sentence.starts_document or not documents:
            documents.append([])
        documents[-1].append(sentence.text)
    return documents
