"""The study's parallel sentences, from treebanks and from text files: the rows of `data/parallel.parquet`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Parallel
from polyprobe.treebanks.aligned_files import aligned_sentences
from polyprobe.treebanks.conllu import OnError
from polyprobe.treebanks.treebank import read_treebank_sentences, treebank_files, treebank_path

_Row = tuple[int, str, str, str]


def parallel_table(
    folder: Path,
    parallel: Parallel,
    inputs: Mapping[str, Path],
    languages: Sequence[str],
    source_language: str,
    on_error: OnError,
) -> pd.DataFrame:
    """Return the study's parallel sentences, one row per sentence and language.

    Treebanks share their pairs, in the order of the first language's files. Each target language's text files are pairs
    of their own, numbered on, with rows for the source language's side.

    Args:
        folder: what `fetch_ud` wrote.
        parallel: which sentences are parallel.
        inputs: where files of parallel text lie, by their names.
        languages: the study's; others are left out.
        source_language: the one on the source side of the files.
        on_error: what happens at a malformed sentence of a treebank.

    Returns:
        The columns pair (a number from 0), sent_id (of text files, file and line), language and text.

    Raises:
        BadInputError: a treebank or a file is missing or malformed, no sentence is there in every treebank, or the
            source language has text files as if it were a target language.
    """
    treebanks = {code: name for code, name in parallel.folders.items() if code in languages}
    rows = _from_treebanks(folder, treebanks, parallel.max_pairs, on_error)
    pairs = 1 + max((pair for pair, *_ in rows), default=-1)
    for language, names in parallel.files.items():
        if language == source_language:
            raise BadInputError(
                f"{PARAMS}: parallel.files.{language}: expected a target language, this is the source language"
            )
        if language in languages:
            files = [inputs[name] for name in names]
            sentences = aligned_sentences(files, parallel.max_pairs)
            for side, code in enumerate((source_language, language)):
                rows += [
                    (pairs + number, f"{files[-1].name}:{number + 1}", code, sentence[side])
                    for number, sentence in enumerate(sentences)
                ]
            pairs += len(sentences)
    return pd.DataFrame(rows, columns=["pair", "sent_id", "language", "text"])


def _from_treebanks(folder: Path, treebanks: Mapping[str, str], max_pairs: int, on_error: OnError) -> list[_Row]:
    sides = {language: _texts(folder, language, name, on_error) for language, name in treebanks.items()}
    first, *others = sides.values() or [{}]
    shared = [sent_id for sent_id in first if all(sent_id in other for other in others)][:max_pairs]
    if sides and not shared:
        raise BadInputError(
            f"{folder}: parallel.folders: no sent_id is there in all of {', '.join(treebanks.values())}"
        )
    return [
        (pair, sent_id, language, sides[language][sent_id]) for language in sides for pair, sent_id in enumerate(shared)
    ]


def _texts(folder: Path, language: str, name: str, on_error: OnError) -> dict[str, str]:
    return {
        sentence.sent_id: sentence.text
        for file in treebank_files(treebank_path(language, name, folder))
        for sentence in read_treebank_sentences(file, language, on_error)
    }
