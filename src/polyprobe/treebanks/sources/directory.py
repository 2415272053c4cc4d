"""Treebanks in a folder on disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Study


@contextmanager
def from_directory(study: Study) -> Iterator[Path]:
    """The folder `treebanks.dir`.

    Raises:
        BadInputError: there is no such folder.
    """
    folder = study.treebanks.dir
    if folder is None or not folder.is_dir():
        raise BadInputError(f"{PARAMS}: treebanks.dir: no folder {folder}, expected one that holds UD_* folders")
    yield folder
