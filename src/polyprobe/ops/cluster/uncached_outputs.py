"""Outputs that DVC's cache does not hold, small files in git, on their way between folders."""

import shutil
from pathlib import Path, PurePosixPath

from polyprobe.ops.cluster.assignments import Files
from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file


def read_outputs(root: Path, outputs: tuple[str, ...]) -> Files:
    """Return the files of the outputs that are there.

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


def write_outputs(root: Path, files: Files) -> None:
    """Write outputs; a folder then holds nothing else.

    Raises:
        BadInputError: a path leads out of the repository.
    """
    for output, members in sorted(files.items()):
        for name in members:
            path = PurePosixPath(output, name)
            if path.is_absolute() or ".." in path.parts:
                raise BadInputError(f"{path}: leads out of the repository")
        if read_outputs(root, (output,)).get(output) == members:
            continue
        target = root / output
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        for name, content in sorted(members.items()):
            with new_file(target / name) as temporary:
                temporary.write_bytes(content)
