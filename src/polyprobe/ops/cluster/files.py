"""Outputs that DVC's cache does not hold, small files in git, on their way between folders."""

import shutil
from pathlib import Path, PurePosixPath

from polyprobe.ops.cluster.orders import Files
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file


def read_files(root: Path, outputs: tuple[str, ...]) -> Files:
    """The files of the outputs that are there.

    Args:
        root: of the repository.
        outputs: paths in it, of files or folders.
    """
    found: Files = {}
    for output in outputs:
        path = root / output
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != ".gitignore")
            found[output] = {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
        elif path.is_file():
            found[output] = {"": path.read_bytes()}
    return found


def write_files(root: Path, files: Files) -> None:
    """Writes outputs; a folder then holds nothing else.

    Raises:
        BadInputError: a path leads out of the repository.
    """
    for output, members in sorted(files.items()):
        for name in members:
            parts = PurePosixPath(output, name)
            if parts.is_absolute() or ".." in parts.parts:
                raise BadInputError(f"{parts}: leads out of the repository")
        if read_files(root, (output,)).get(output) == members:
            continue
        path = root / output
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        for name, content in sorted(members.items()):
            with new_file(path / name if name else path) as temporary:
                temporary.write_bytes(content)
