"""All checks in their order, and the mending of what they find."""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from polyprobe.ops.doctor import (
    cache,
    clock,
    compiler,
    devices,
    disk,
    files,
    hub,
    leftovers,
    locks,
    packages,
    plots,
    remotes,
    repository,
    run_cache,
)
from polyprobe.ops.doctor.findings import Asked, Finding, warning
from polyprobe.running.errors import BadInputError, one_line

GROUPS: Final[dict[str, Callable[[Asked], Iterator[Finding]]]] = {
    "packages": packages.check,
    "repository": repository.check,
    "files": files.check,
    "locks": locks.check,
    "leftovers": leftovers.check,
    "clock": clock.check,
    "disk": disk.check,
    "run-cache": run_cache.check,
    "cache": cache.check,
    "plots": plots.check,
    "remotes": remotes.check,
    "hub": hub.check,
    "compiler": compiler.check,
    "devices": devices.check,
}
_ROUNDS: Final = 4


def examine(asked: Asked, groups: Collection[str] = tuple(GROUPS)) -> Iterator[Finding]:
    """The findings of some groups of checks, or of all, for the repository in the current folder."""
    for name in GROUPS:
        if name in groups:
            try:
                yield from GROUPS[name](asked)
            except Exception as error:
                # What is broken in one place keeps no other check from being made.
                yield warning(name, f"could not be checked: {one_line(error)}", "mend what is named above first")


def mend(asked: Asked, groups: Collection[str] = tuple(GROUPS)) -> Iterator[tuple[Finding, str]]:
    """Mends what is safe to mend, and yields each finding with what was done. What one mending uncovers, the next
    round mends.

    Raises:
        BadInputError: a dvc or git is at work here.
    """
    for finding in examine(asked, ["locks"]):
        if finding.advice == locks.WAIT:
            raise BadInputError(f"nothing is mended while others work here: {finding.says}")
    tried: set[tuple[str, str]] = set()
    for _ in range(_ROUNDS):
        found = [each for each in examine(asked, groups) if each.mend and (each.subject, each.says) not in tried]
        if not found:
            return
        for finding in found:
            tried.add((finding.subject, finding.says))
            if finding.mend:
                try:
                    yield finding, finding.mend()
                except Exception as error:
                    yield finding, f"could not be mended: {one_line(error)}"
