"""Which entries of `inputs` a stage reads."""

from polyprobe.study import Study


def treebank_inputs(study: Study) -> list[str]:
    """Return the entries that `fetch_ud` reads: treebanks of source dir, those of parallel text among them."""
    if study.treebanks.source != "dir":
        return []
    probed = [name for code in study.languages for name in study.treebanks.folders[code]]
    return [*probed, *(name for code, name in study.parallel.folders.items() if code in study.languages)]


def parallel_inputs(study: Study) -> list[str]:
    """Return the entries that `convert_unimorph` reads: files of parallel text."""
    return [name for code, names in study.parallel.files.items() if code in study.languages for name in names]


def task_inputs(study: Study) -> list[str]:
    """Return the entries that `fetch_transfer` reads: the folders of tasks of source dir."""
    if study.transfer.source != "dir":
        return []
    return [str(study.transfer.xnli.folder), str(study.transfer.pos.folder)]
