"""How a stage's module becomes a command: `python -m polyprobe.stages.NAME [KEY]`."""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from polyprobe.running.errors import BadInputError
from polyprobe.running.run_log import logged
from polyprobe.study import PARAMS, Study, load_study


def run_stage(stage: Callable[[Study], None]) -> None:
    """Run a stage that is there once.

    Bad input ends in one readable line and exit code 1.

    Raises:
        SystemExit: the command line is not as its usage says, the input is bad, or python does not find the code of
            this folder.
    """
    _run(lambda arguments, study: stage(study), "")


def run_keyed_stage(
    stage: Callable[[Study, str], None], *, section: Literal["checkpoints", "pretrain", "inputs"]
) -> None:
    """Run a stage that is there once per key of a section of params.yaml, such as per checkpoint.

    Args:
        stage: called with the study and the key that the command line names.
        section: the section that has the keys.

    Raises:
        SystemExit: as for `run_stage`, or the section has no such key.
    """

    def keyed(arguments: list[str], study: Study) -> None:
        keys = getattr(study, section)
        if arguments[0] not in keys:
            raise BadInputError(f"{PARAMS}: {section}.{arguments[0]}: no such key, expected {', '.join(keys)}")
        stage(study, arguments[0])

    _run(keyed, "KEY")


def parameters_digest(study: Study) -> str:
    """Return a digest of all parameters: the same for the same study, however its file is written."""
    return hashlib.sha256(study.model_dump_json().encode()).hexdigest()[:16]


def _run(call: Callable[[list[str], Study], None], key: str) -> None:
    arguments = sys.argv[1:]
    name = Path(sys.argv[0]).stem
    _use_the_code_of_this_folder(name)
    usage = f"usage: python -m polyprobe.stages.{name} {key}".rstrip()
    if arguments in (["--help"], ["-h"]):
        print(f"{usage}\n\n{sys.modules['__main__'].__doc__}\n\n`dvc repro {name}` runs it where it is not up to date.")
        return
    if len(arguments) != len(key.split()):
        sys.exit(usage)
    try:
        study = load_study()
        with logged(study.study, parameters_digest(study), name, arguments):
            call(arguments, study)
    except BadInputError as error:
        sys.exit(f"error: {error}")


def _use_the_code_of_this_folder(name: str) -> None:
    """Start anew where python has found the package in another folder than this repository's `src`.

    DVC hashes the code that lies here. In the folder of a queued experiment or in a worktree, python finds the code of
    the workspace that was installed, which may have been edited since: results would go by the wrong code's hash.

    Raises:
        SystemExit: python, told to look in `src` first, finds the package elsewhere all the same.
    """
    here = Path("src/polyprobe")
    if not here.is_dir() or here.samefile(Path(__file__).parent):
        return
    path = str(here.parent.resolve())
    if os.environ.get("PYTHONPATH", "").split(os.pathsep)[0] == path:
        sys.exit(f"error: python finds polyprobe in {Path(__file__).parent}, expected {here.resolve()}")
    paths = os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", f"polyprobe.stages.{name}", *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": paths})
