"""Turns treebanks into words with UniMorph labels and a lemma split, and into parallel sentences."""

from functools import partial
from pathlib import Path
from typing import Any

from polyprobe.running.fanout import fan_out
from polyprobe.running.files import new_folder
from polyprobe.running.knobs import knobs
from polyprobe.stage import run_stage
from polyprobe.study import Study


def convert_unimorph(study: Study) -> None:
    """Write each language's words, what it offers for each category, what the mapping lost; and parallel sentences."""
    from polyprobe.artefacts import corpus, mapping, parallel, words
    from polyprobe.treebanks.parallel import parallel_table
    from polyprobe.treebanks.treebank import FOLDER

    with new_folder(words.TABLE.path.parent) as folder:
        convert = partial(_convert, study, folder)
        entries = list(fan_out(convert, study.languages, workers=knobs().workers, description="words", tensors=False))
        pairs = parallel_table(
            FOLDER, study.parallel, study.inputs, study.languages, study.source_language, study.treebanks.on_error
        )
        parallel.TABLE.write(pairs)
        corpus.TABLE.write([entry for offered, _ in entries for entry in offered])
        mapping.TABLE.write([lost for _, lost in entries])


def _convert(study: Study, folder: Path, language: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Write one language's words, and return its entries of the metrics.

    Args:
        study: the parameters.
        folder: where its words go.
        language: the language's code.

    Returns:
        What the language offers for each category, an entry each; and what the mapping lost.
    """
    from polyprobe.artefacts import words
    from polyprobe.treebanks.inventory import inventory
    from polyprobe.treebanks.losses import losses
    from polyprobe.treebanks.treebank import FOLDER
    from polyprobe.treebanks.words import read_words

    treebanks = study.treebanks.folders[language]
    table = read_words(FOLDER, language, treebanks, study.words, study.treebanks.on_error)
    words.TABLE.write_frames(table.frames(), folder / f"{language}.parquet")
    return inventory(language, table.labels(), study.words.min_label_count), losses(language, table)


if __name__ == "__main__":
    run_stage(convert_unimorph)
