"""What a source gives."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """A folder of `UD_*` folders, and where it is from."""

    folder: Path
    description: str
    """One line for the metrics: a URL and its hash, a release, a folder."""
