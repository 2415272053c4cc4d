"""Treebanks in a folder on disk."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Study
from polyprobe.treebanks.sources.origin import Origin


@contextmanager
def from_directory(study: Study, wanted: Collection[str]) -> Iterator[Origin]:
    """The folder `treebanks.dir`.

    Raises:
        BadInputError: there is no such folder.
    """
    folder = study.treebanks.dir
    if folder is None or not folder.is_dir():
        raise BadInputError(f"{PARAMS}: treebanks.dir: no folder {folder}, expected one that holds UD_* folders")
    yield Origin(folder, f"folder {folder.as_posix()}")
