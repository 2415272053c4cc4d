"""The sentences that are there in every language, matched by sent_id: the rows of `data/parallel.parquet`."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from polyprobe.running.errors import BadInputError
from polyprobe.treebanks.conllu import OnError
from polyprobe.treebanks.treebank import read_treebank_sentences, treebank_files, treebank_path


def parallel_table(folder: Path, treebanks: Mapping[str, str], max_pairs: int, on_error: OnError) -> pd.DataFrame:
    """One row per sentence and language, in the order of the first language's file.

    Args:
        folder: what `fetch_ud` wrote.
        treebanks: per language, the treebank that holds its side.
        max_pairs: at most so many sentences.
        on_error: what a malformed sentence does.

    Raises:
        BadInputError: a treebank is missing or malformed, or no sentence is there in every language.
    """
    sides = {language: _texts(folder, language, name, on_error) for language, name in treebanks.items()}
    first, *others = sides.values() or [{}]
    shared = [sent_id for sent_id in first if all(sent_id in other for other in others)][:max_pairs]
    if sides and not shared:
        raise BadInputError(
            f"{folder}: parallel.folders: no sent_id is there in all of {', '.join(treebanks.values())}"
        )
    rows = [
        (pair, sent_id, language, sides[language][sent_id]) for language in sides for pair, sent_id in enumerate(shared)
    ]
    return pd.DataFrame(rows, columns=["pair", "sent_id", "language", "text"])


def _texts(folder: Path, language: str, name: str, on_error: OnError) -> dict[str, str]:
    return {
        sentence.sent_id: sentence.text
        for file in treebank_files(treebank_path(language, name, folder))
        for sentence in read_treebank_sentences(file, language, on_error)
    }
