"""Brings the study's treebanks to `data/treebanks` and records what they are."""

from pathlib import Path

from polyprobe.running.files import new_folder, write_json
from polyprobe.stage import run_stage
from polyprobe.study import Study


def fetch_ud(study: Study) -> None:
    """Copy each language's treebanks from the study's source, and write `metrics/treebanks.json`."""
    from polyprobe.treebanks.copying import copy_treebanks, wanted_treebanks
    from polyprobe.treebanks.sources import SOURCES
    from polyprobe.treebanks.treebank import FOLDER

    wanted = wanted_treebanks(study.languages, study.treebanks.folders, study.parallel.folders)
    names = sorted({name for treebanks in wanted.values() for name in treebanks})
    with SOURCES[study.treebanks.source](study, names) as source, new_folder(FOLDER) as target:
        report = copy_treebanks(source, wanted, target, study.treebanks.on_error)
        for entry in (entry for entries in report.values() for entry in entries if entry["withheld_sentences"]):
            print(f"{entry['treebank']}: left out {entry['withheld_sentences']:,} sentences without their text")
        write_json(Path("metrics/treebanks.json"), report)


if __name__ == "__main__":
    run_stage(fetch_ud)
