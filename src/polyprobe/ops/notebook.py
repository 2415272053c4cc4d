"""Runs notebooks and keeps what they show: `python -m polyprobe.ops.notebook docs/example.ipynb`.

The cells run in the notebook's folder, in a fresh kernel that is reached through sockets in a folder of its own, no
network, and reads no settings of the user's. Times and versions are left out of what is written, so that the same
tables give the same bytes.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file

if TYPE_CHECKING:
    from nbformat import NotebookNode

_LANGUAGE: Final = "python"
_METADATA: Final = {
    "kernelspec": {"display_name": "Python 3", "language": _LANGUAGE, "name": "python3"},
    "language_info": {"name": _LANGUAGE},
}


def run_notebook(path: Path) -> None:
    """Runs every cell of a notebook and writes it back with what they show.

    Raises:
        BadInputError: it is no notebook, or a cell fails; nothing is written then.
    """
    import nbformat

    notebook = _read(path)
    _execute(notebook, path)
    notebook["metadata"] = _METADATA
    with new_file(path) as temporary:
        nbformat.write(notebook, temporary)  # type: ignore[no-untyped-call]


def _read(path: Path) -> "NotebookNode":
    import nbformat

    if not path.is_file():
        raise BadInputError(f"{path}: no such file, expected a notebook")
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        if written["nbformat"] != 4:
            raise ValueError(f"its format is {written['nbformat']}")
        # Cells have names since 4.5; nbformat would draw those that are missing or double at random.
        written["nbformat_minor"] = max(written["nbformat_minor"], 5)
        names = [cell.setdefault("id", f"cell-{place}") for place, cell in enumerate(written["cells"], 1)]
        if len(set(names)) < len(names):
            raise ValueError("two of its cells have one name")
        notebook: NotebookNode = nbformat.v4.reads_json(json.dumps(written))  # type: ignore[no-untyped-call]
        nbformat.validate(notebook)
    except (KeyError, TypeError, ValueError, nbformat.ValidationError) as error:
        raise BadInputError(f"{path}: not a notebook of format 4: {str(error).splitlines()[0]}") from None
    return notebook


def _execute(notebook: "NotebookNode", path: Path) -> None:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    with TemporaryDirectory(prefix="polyprobe-") as folder:
        kernel = AsyncKernelManager(
            # No folders of kernels: this interpreter's own, whatever else is installed under its name.
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            connection_file=f"{folder}/kernel.json",
            transport="ipc",
            ip=f"{folder}/kernel",
        )
        failed: list[int] = []
        client = NotebookClient(
            notebook,
            km=kernel,
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            coalesce_streams=True,
            on_cell_error=lambda cell, cell_index, execute_reply: failed.append(cell_index + 1),
        )
        try:
            client.execute(env=_environment(folder), cleanup_kc=True)
        except CellExecutionError as error:
            raise BadInputError(f"{path}: cell {failed[0]}: {error.ename}: {error.evalue}") from None


def _environment(folder: str) -> dict[str, str]:
    return {**os.environ, "IPYTHONDIR": folder, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m polyprobe.ops.notebook", description=__doc__)
    parser.add_argument("notebooks", type=Path, nargs="+", metavar="NOTEBOOK", help="run and written back")
    arguments = parser.parse_args()
    try:
        for path in arguments.notebooks:
            run_notebook(path)
            print(f"{path}: run, {path.stat().st_size:,} bytes")
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name}: not installed; notebooks are run with what `pip install -e '.[dev]'` installs")
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
