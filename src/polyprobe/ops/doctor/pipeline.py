"""params.yaml, dvc.yaml and dvc.lock: whole, and understood."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.doctor.findings import Finding, fault, ok, quarantine, warning
from polyprobe.ops.doctor.repository import git, open_repository
from polyprobe.ops.listing import first_few
from polyprobe.ops.study import in_force
from polyprobe.running.errors import BadInputError, one_line
from polyprobe.running.files import new_file
from polyprobe.study import PARAMS, load_study

LOCK: Final = Path("dvc.lock")
PIPELINE: Final = Path("dvc.yaml")
_CONFLICT_MARKER: Final = re.compile(r"^(<<<<<<<|>>>>>>>)( |$)", re.MULTILINE)


def check(deep: bool) -> Iterator[Finding]:
    """Look at the three files that say what is run and what was run."""
    sources = [*_conflicts()] or [_study()]
    yield from sources
    try:
        locked = _parse_lock(LOCK.read_text(encoding="utf-8", errors="replace")) if LOCK.exists() else {}
    except ValueError as error:
        advice = f"`git checkout {LOCK}`, then `dvc repro`, which restores what was computed since from the run-cache"
        yield fault(str(LOCK), one_line(error), advice, _recover_lock)
        # DVC reads dvc.yaml together with it.
        return
    if all(finding.level == "ok" for finding in sources):
        yield _pipeline(locked)


def _conflicts() -> Iterator[Finding]:
    for file in (PARAMS, PIPELINE):
        if file.exists() and (conflict := _conflict(file.read_text(encoding="utf-8", errors="replace"))):
            advice = f"edit it, or take one side: `git checkout --ours {file}` or `--theirs`; then `git add {file}`"
            yield fault(str(file), conflict, advice)


def _conflict(text: str) -> str | None:
    """Return at which line the first conflict marker is."""
    marker = _CONFLICT_MARKER.search(text)
    if marker is None:
        return None
    line = text.count("\n", 0, marker.start()) + 1
    return f"line {line} is a conflict marker of a merge"


def _study() -> Finding:
    try:
        study = load_study()
    except BadInputError as error:
        return fault("study", one_line(error), f"edit it, or `git checkout {PARAMS}`")
    name = in_force()
    return ok("study", f"{study.study}, " + (f"as in studies/{name}.yaml" if name else f"{PARAMS} was edited"))


def _pipeline(locked: dict[str, Any]) -> Finding:
    from polyprobe.ops.dvc_internals import DvcException

    try:
        with open_repository() as repository:
            stages = [str(stage.addressing) for stage in repository.index.stages]
    except DvcException as error:
        return fault(str(PIPELINE), one_line(error), f"edit it, or `git checkout {PIPELINE}`")
    if missing := [name for name in stages if name not in locked]:
        message = f"{len(missing)} of {len(stages)} stages are not in it: {first_few(missing)}"
        return warning(str(LOCK), message, "`dvc repro` runs them, or restores them where the run-cache has them")
    return ok(str(LOCK), f"has all {len(stages)} stages of {PIPELINE}")


def _parse_lock(text: str) -> dict[str, Any]:
    """Return the stages of a dvc.lock.

    Raises:
        ValueError: it is damaged.
    """
    from voluptuous import Invalid

    from polyprobe.ops.dvc_internals import COMPILED_LOCKFILE_SCHEMA, ParseError, parse_yaml

    if conflict := _conflict(text):
        raise ValueError(conflict)
    if not text.strip():
        raise ValueError("half-written or damaged: it is empty")
    try:
        lock: dict[str, Any] = COMPILED_LOCKFILE_SCHEMA(parse_yaml(text, str(LOCK)))
    except (ParseError, Invalid) as error:
        raise ValueError(f"half-written or damaged: not what DVC writes: {one_line(error)}") from None
    return lock.get("stages") or {}


def _recover_lock() -> str:
    """Put back the last committed dvc.lock that can be read."""
    damaged = quarantine(LOCK)
    for commit in git("log", "--format=%H", "-n", "50", "--", str(LOCK)).stdout.split():
        committed = git("show", f"{commit}:./{LOCK}").stdout
        try:
            _parse_lock(committed)
        except ValueError:
            continue
        with new_file(LOCK) as temporary:
            temporary.write_text(committed, encoding="utf-8")
        return f"took {LOCK} from commit {commit[:10]} (the damaged one: {damaged}); now `dvc repro`"
    return f"no commit has a whole {LOCK}: moved it to {damaged}; `dvc repro` restores what the run-cache has"
