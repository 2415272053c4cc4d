"""What the study reads from disk, by its contents: names of files with SHA-256, whatever folder they lie in.

`metrics/watched/<name>.json`: the files of one entry of `inputs`. `data/inputs/<reader>.json`: those of every entry
that one stage reads, by the entries' names; none where it reads nothing from disk. DVC cannot make a stage depend on a
list: so each entry is watched by a stage of its own, and the readers depend on what these found.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import write_json

WATCHED: Final = Path("metrics/watched")
FOLDER: Final = Path("data/inputs")

_LEFT_BY_SYSTEMS: Final = ("thumbs.db", "desktop.ini")
"""What Windows puts into folders, in small letters; other systems' names begin with a dot."""

Files = dict[str, str]


def files_of(path: Path) -> Files:
    """Return the SHA-256 of a file, or of each file of a folder, by their names; links are followed.

    Folders inside a folder are left out, and so are names that begin with a dot and what Windows puts there: no stage
    reads them.

    Raises:
        BadInputError: there is neither file nor folder.
    """
    import pooch

    if not path.exists():
        raise BadInputError(f"{path}: no such file or folder, expected an input of the study")
    files = sorted(filter(_is_read, path.iterdir())) if path.is_dir() else [path]
    return {file.name: pooch.file_hash(file) for file in files}


def _is_read(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".") and file.name.lower() not in _LEFT_BY_SYSTEMS


def write_watched(name: str, files: Files) -> None:
    """Write what an entry of `inputs` holds.

    Args:
        name: the entry's.
        files: the SHA-256 of each of its files.
    """
    write_json(WATCHED / f"{name}.json", files)


def write_read(reader: str, names: Collection[str]) -> None:
    """Write what a stage reads.

    Args:
        reader: a name for the stage.
        names: entries of `inputs`, all of them watched.
    """
    found = {name: json.loads((WATCHED / f"{name}.json").read_text(encoding="utf-8")) for name in sorted(set(names))}
    write_json(FOLDER / f"{reader}.json", found)
