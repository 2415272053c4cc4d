"""Where the transfer tasks' files come from.

A source is a context manager over a study's parameters: inside it there is a folder of each task in XTREME's layout,
`<split>-<language>.tsv`, ready to be checked and copied. `SOURCES` knows them by the name that `transfer.source` gives.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from polyprobe.study import Study
from polyprobe.transfer.sources.archive import from_archive
from polyprobe.transfer.sources.directory import from_directory
from polyprobe.transfer.sources.hub import from_hub
from polyprobe.transfer.sources.pocket import from_pocket

Source = Callable[[Study], AbstractContextManager[Mapping[str, Path]]]
"""From a study to its tasks' folders, by the tasks' names."""

SOURCES: Final[dict[str, Source]] = {
    "pocket": from_pocket,
    "dir": from_directory,
    "hub": from_hub,
    "archive": from_archive,
}

__all__ = ["SOURCES", "Source"]
