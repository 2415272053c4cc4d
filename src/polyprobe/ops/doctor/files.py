"""params.yaml, dvc.yaml and dvc.lock: whole, and understood."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.doctor.aside import put_aside
from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, some, warning
from polyprobe.ops.doctor.repository import git, opened
from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.files import new_file

LOCK: Final = Path("dvc.lock")
PIPELINE: Final = Path("dvc.yaml")
_MARKER: Final = re.compile(r"^(<<<<<<<|>>>>>>>)( |$)", re.MULTILINE)


def check(asked: Asked) -> Iterator[Finding]:
    """The three files that say what is run and what was run."""
    from polyprobe.ops.study import in_force
    from polyprobe.study import PARAMS, load_study

    sound = True
    for file in (PARAMS, PIPELINE):
        if (line := _conflict(file)) is not None:
            sound = False
            yield fault(
                str(file),
                f"line {line} is a conflict marker of a merge",
                f"edit it, or take one side: `git checkout --ours {file}` or `--theirs`; then `git add {file}`",
            )
    if sound:
        try:
            study = load_study()
            name = in_force()
            yield ok(str(PARAMS), f"study {study.study}, " + (f"as in studies/{name}.yaml" if name else "edited"))
        except BadInputError as error:
            sound = False
            yield fault("study", one_line(error), f"edit it, or `git checkout {PARAMS}`")
    locked = _locked()
    if isinstance(locked, str):
        yield fault(
            str(LOCK),
            locked,
            f"`git checkout {LOCK}`, then `dvc repro`, which restores what was computed since from the run-cache",
            _recover,
        )
    if sound:
        yield _pipeline(locked)


def _pipeline(locked: dict[str, Any] | str) -> Finding:
    from dvc.exceptions import DvcException

    try:
        names = None if isinstance(locked, str) else _stages()
    except DvcException as error:
        return fault(str(PIPELINE), one_line(error), f"edit it, or `git checkout {PIPELINE}`")
    if names is None or isinstance(locked, str):
        return warning(str(PIPELINE), f"not checked: DVC reads it together with {LOCK}", f"mend {LOCK} first")
    if waiting := [name for name in names if name not in locked]:
        return warning(
            str(LOCK),
            f"{len(waiting)} of {len(names)} stages are not in it: {some(waiting)}",
            "`dvc repro` runs them, or restores them where the run-cache has them",
        )
    return ok(str(LOCK), f"has all {len(names)} stages of {PIPELINE}")


def _stages() -> list[str]:
    with opened() as repository:
        return [str(stage.addressing) for stage in repository.index.stages]


def _conflict(file: Path) -> int | None:
    """The line of the first conflict marker."""
    if not file.exists():
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    found = _MARKER.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else None


def _locked() -> dict[str, Any] | str:
    """The stages that dvc.lock has, or what is wrong with it; none where it is not there."""
    if not LOCK.exists():
        return {}
    if (line := _conflict(LOCK)) is not None:
        return f"line {line} is a conflict marker of a merge"
    try:
        return _parsed(LOCK.read_text(encoding="utf-8"))
    except ValueError as error:
        return f"half-written or damaged: {one_line(error)}"


def _parsed(text: str) -> dict[str, Any]:
    """The stages of a dvc.lock.

    Raises:
        ValueError: it is none.
    """
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML, YAMLError
    from voluptuous import Invalid

    try:
        value = YAML(typ="safe").load(text)
    except YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        raise ValueError(f"no valid YAML{f' at line {mark.line + 1}' if mark else ''}: {problem or error}") from None
    if value is None:
        raise ValueError("it is empty")
    try:
        COMPILED_LOCKFILE_SCHEMA(value)
    except Invalid as error:
        raise ValueError(f"not what DVC writes: {one_line(error)}") from None
    stages: dict[str, Any] = value.get("stages") or {}
    return stages


def _recover() -> str:
    """Puts back the last committed dvc.lock that can be read."""
    commits = git("log", "--format=%H", "-n", "50", "--", str(LOCK)).stdout.split()
    for commit in commits:
        shown = git("show", f"{commit}:./{LOCK}")
        try:
            _parsed(shown.stdout if shown.returncode == 0 else "")
        except ValueError:
            continue
        kept = put_aside(LOCK)
        with new_file(LOCK) as temporary:
            temporary.write_text(shown.stdout, encoding="utf-8")
        return f"took {LOCK} from commit {commit[:10]} (the damaged one: {kept}); now `dvc repro`"
    kept = put_aside(LOCK)
    return f"no commit has a {LOCK} that can be read: moved it to {kept}; `dvc repro` restores what the run-cache has"
