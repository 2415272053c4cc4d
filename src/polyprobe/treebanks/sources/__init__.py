"""Where treebanks come from.

A source is a context manager over a study's parameters: inside it there is a folder that holds `UD_*` folders in UD's
layout, ready to be copied. `SOURCES` knows them by the name that `treebanks.source` gives.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from polyprobe.study import Study
from polyprobe.treebanks.sources.directory import from_directory
from polyprobe.treebanks.sources.pocket import from_pocket

Source = Callable[[Study], AbstractContextManager[Path]]

SOURCES: Final[dict[str, Source]] = {
    "pocket": from_pocket,
    "dir": from_directory,
}

__all__ = ["SOURCES", "Source"]
