"""Turns treebanks into words with UniMorph labels and a lemma split, and into parallel sentences."""

from polyprobe.running.files import new_folder
from polyprobe.running.progress import progress
from polyprobe.running.stage import run_stage
from polyprobe.study import Study


def convert_unimorph(study: Study) -> None:
    """Writes the words of each language, the parallel sentences, and what each language offers for each category."""
    from polyprobe.artefacts import corpus, parallel, words
    from polyprobe.treebanks.inventory import inventory
    from polyprobe.treebanks.parallel import parallel_table
    from polyprobe.treebanks.treebank import FOLDER
    from polyprobe.treebanks.words import word_table

    on_error = study.treebanks.on_error
    sides = {code: name for code, name in study.parallel.folders.items() if code in study.languages}
    entries: list[corpus.Entry] = []
    with new_folder(words.FOLDER) as folder:
        for language in progress(study.languages, description="words", unit="language"):
            table = word_table(FOLDER, language, study.treebanks.folders[language], study.words, on_error)
            words.write(folder / f"{language}.parquet", table)
            entries += inventory(language, table, study.words.min_label_count)
        pairs = parallel_table(FOLDER, sides, study.parallel.max_pairs, on_error)
        parallel.write(parallel.PATH, pairs)
        corpus.write(corpus.PATH, entries)


if __name__ == "__main__":
    run_stage(convert_unimorph)
