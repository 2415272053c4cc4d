"""All checks in their order, and the fixing of what they find."""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from polyprobe.ops.doctor import cache, disk, environment, leftovers, locks, pipeline, remotes, repository, run_cache
from polyprobe.ops.doctor.findings import Finding, warning
from polyprobe.running.errors import BadInputError, one_line

CHECKS: Final[dict[str, Callable[[bool], Iterator[Finding]]]] = {
    "environment": environment.check,
    "repository": repository.check,
    "pipeline": pipeline.check,
    "locks": locks.check,
    "leftovers": leftovers.check,
    "disk": disk.check,
    "run-cache": run_cache.check,
    "cache": cache.check,
    "remotes": remotes.check,
}
"""Each takes whether every byte of the study is to be read."""


def examine(groups: Collection[str] = tuple(CHECKS), *, deep: bool = False) -> Iterator[Finding]:
    """Yield the findings of some groups of checks for the repository in the current folder.

    Args:
        groups: keys of `CHECKS`.
        deep: read every byte of the study.
    """
    for name, check in CHECKS.items():
        if name in groups:
            try:
                yield from check(deep)
            except Exception as error:
                # What is broken in one place keeps no other check from being made.
                yield warning(name, f"could not be checked: {one_line(error)}", "put right what is named above first")


def fix(groups: Collection[str] = tuple(CHECKS), *, deep: bool = False) -> Iterator[tuple[Finding, str]]:
    """Fix what is safe to fix, and yield each finding with what was done.

    What one fix uncovers is fixed too: the checks are made again until they find nothing new.

    Args:
        groups: keys of `CHECKS`.
        deep: read every byte of the study.

    Raises:
        BadInputError: a dvc or git is at work here.
    """
    for finding in examine(["locks"]):
        if finding.advice == locks.WAIT:
            raise BadInputError(f"nothing is fixed while others work here: {finding.message}")
    attempted: set[tuple[str, str]] = set()
    while True:
        findings = [each for each in examine(groups, deep=deep) if (each.subject, each.message) not in attempted]
        fixable = [(finding, finding.fix) for finding in findings if finding.fix]
        if not fixable:
            return
        for finding, fix_it in fixable:
            attempted.add((finding.subject, finding.message))
            try:
                yield finding, fix_it()
            except Exception as error:
                yield finding, f"could not be fixed: {one_line(error)}"
