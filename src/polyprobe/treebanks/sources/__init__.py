"""Where treebanks come from.

A source is a context manager over a study's parameters and the names of the treebanks wanted: inside it there is a
folder of each in UD's layout, ready to be copied, under the name asked for or that of another release (`renamed`).
`SOURCES` knows them by the name that `treebanks.source` gives.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final

from polyprobe.study import Study
from polyprobe.treebanks.sources.archive import from_archive
from polyprobe.treebanks.sources.directory import from_directory
from polyprobe.treebanks.sources.github import from_github
from polyprobe.treebanks.sources.origin import Origin
from polyprobe.treebanks.sources.pocket import from_pocket

Source = Callable[[Study, Collection[str]], AbstractContextManager[Origin]]

SOURCES: Final[dict[str, Source]] = {
    "pocket": from_pocket,
    "dir": from_directory,
    "archive": from_archive,
    "github": from_github,
}

__all__ = ["SOURCES", "Origin", "Source"]
