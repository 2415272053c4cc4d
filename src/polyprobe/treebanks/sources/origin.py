"""What a source gives."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from polyprobe.treebanks.sources.renamed import find_folder


@dataclass(frozen=True)
class Origin:
    """Folders of treebanks, and where they are from."""

    folders: Mapping[str, Path]
    """By the names that the study gives them; a folder need not be there."""
    description: str
    """One line for the metrics: a URL, a release's tag, a folder, a seed."""

    @classmethod
    def below(cls, root: Path, wanted: Collection[str], description: str) -> "Origin":
        """Return the folders below one root, found by the treebanks' names of any release.

        Args:
            root: a folder that holds `UD_*` folders.
            wanted: names of treebanks.
            description: where they are from.
        """
        return cls({name: find_folder(root, name) for name in wanted}, description)
