"""Which study is in force: `python -m polyprobe.ops.study list | show | use NAME`.

A study is a whole params file, `studies/NAME.yaml`; the one in force is its copy, `params.yaml`.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file
from polyprobe.study import PARAMS, load_study

STUDIES: Final = Path("studies")


def studies() -> dict[str, Path]:
    """The named studies by name."""
    return {file.stem: file for file in sorted(STUDIES.glob("*.yaml"), key=lambda file: file.stem)}


def in_force() -> str | None:
    """The name of the study whose file params.yaml equals, if there is one."""
    current = PARAMS.read_bytes() if PARAMS.exists() else None
    return next((name for name, file in studies().items() if file.read_bytes() == current), None)


def use(name: str) -> None:
    """Puts a study in force: copies its file to params.yaml.

    Outputs that the new study lacks are taken away: stages that sum up a folder would count them in. `dvc repro` brings
    them back from the cache.

    Raises:
        BadInputError: there is no such study, its file is not valid, or params.yaml has edits that neither the last
            commit nor a study's file holds.
    """
    if name not in studies():
        raise BadInputError(f"{STUDIES}: no study {name!r}, expected one of {', '.join(studies())}")
    load_study(studies()[name])
    if PARAMS.exists() and in_force() is None and PARAMS.read_bytes() != _committed(PARAMS):
        raise BadInputError(
            f"{PARAMS}: has edits that neither the last commit nor a study's file holds; "
            f"commit it or keep it as {STUDIES}/NAME.yaml first"
        )
    before = _restorable_outputs()
    with new_file(PARAMS) as temporary:
        temporary.write_bytes(studies()[name].read_bytes())
    for path in before - _outputs():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _outputs() -> set[Path]:
    """The outputs of the study in force."""
    from dvc.repo import Repo

    with Repo() as repo:
        return {Path(out.fs_path) for out in repo.index.outs}


def _restorable_outputs() -> set[Path]:
    """Those of the outputs of the study in force that are as dvc.lock and the cache have them."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            return {Path(out.fs_path) for out in repo.index.outs if out.use_cache and not out.status()}
    except DvcException:  # without a repository or a valid params.yaml there is nothing to take away
        return set()


def _committed(path: Path) -> bytes | None:
    shown = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True, check=False)
    return shown.stdout if shown.returncode == 0 else None


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m polyprobe.ops.study", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the studies; a star marks the one in force")
    commands.add_parser("show", help="name the study in force")
    commands.add_parser("use", help="put a study in force").add_argument("name")
    arguments = parser.parse_args()
    try:
        if arguments.command == "use":
            use(arguments.name)
            print(f"{PARAMS} is now {STUDIES}/{arguments.name}.yaml; `dvc repro` runs or restores it")
        elif arguments.command == "show":
            print(in_force() or f"{PARAMS} equals no study's file")
        else:
            for name in studies():
                print(f"{'*' if name == in_force() else ' '} {name}")
    except BadInputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
