"""Task files in a folder on disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Study


@contextmanager
def from_directory(study: Study) -> Iterator[Path]:
    """The folder `transfer.dir`.

    Raises:
        BadInputError: there is no such folder.
    """
    folder = study.transfer.dir
    if folder is None or not folder.is_dir():
        raise BadInputError(f"{PARAMS}: transfer.dir: no such folder: {folder}, expected one that holds task folders")
    yield folder
