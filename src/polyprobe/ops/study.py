"""Which study is in force.

A study is a whole params file, `studies/NAME.yaml`; the one in force is its copy, `params.yaml`.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from polyprobe.running.errors import BadInputError
from polyprobe.running.files import new_file
from polyprobe.study import PARAMS, load_study

STUDIES: Final = Path("studies")


def studies() -> dict[str, Path]:
    """Return the file of each named study, by name."""
    return {file.stem: file for file in sorted(STUDIES.glob("*.yaml"), key=lambda file: file.stem)}


def in_force() -> str | None:
    """Return the name of the study whose file params.yaml equals, if there is one."""
    current = PARAMS.read_bytes() if PARAMS.exists() else None
    return next((name for name, file in studies().items() if file.read_bytes() == current), None)


def use(name: str) -> None:
    """Put a study in force: copy its file to params.yaml.

    Outputs that the new study lacks are taken away: stages that sum up a folder would count them in. `dvc repro` brings
    them back from the cache.

    Args:
        name: of its file in `studies/`, without the ending.

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
    """Return the outputs of the study in force."""
    from polyprobe.ops.dvc_internals import Repo

    with Repo() as repo:
        return {Path(out.fs_path) for out in repo.index.outs}


def _restorable_outputs() -> set[Path]:
    """Return those of the outputs of the study in force that are as dvc.lock and the cache have them."""
    from polyprobe.ops.dvc_internals import DvcException, Repo

    try:
        with Repo() as repo:
            return {Path(out.fs_path) for out in repo.index.outs if out.use_cache and not out.status()}
    except DvcException:  # without a repository or a valid params.yaml there is nothing to take away
        return set()


def _committed(path: Path) -> bytes | None:
    shown = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True, check=False)
    return shown.stdout if shown.returncode == 0 else None
