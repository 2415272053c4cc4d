"""The command `polyprobe doctor`."""

from collections import Counter

import typer

from polyprobe.ops.doctor.examination import examine
from polyprobe.ops.doctor.examination import fix as fix_findings


def run(*, fix: bool, deep: bool) -> None:
    """Print one line per check, and how many are ok, warnings and faults.

    Args:
        fix: first fix what is safe to fix, and print what was done.
        deep: read every object of the study, however large it is.

    Raises:
        BadInputError: something is to be fixed while a dvc or git is at work here.
        typer.Exit: there is a fault.
    """
    if fix:
        for finding, result in fix_findings(deep=deep):
            print(f"fixed    {finding.subject}: {result}", flush=True)
    levels: Counter[str] = Counter()
    for finding in examine(deep=deep):
        levels[finding.level] += 1
        print(finding.line(), flush=True)
    print(", ".join(f"{levels[level]} {level}" for level in ("ok", "warning", "fault")))
    if levels["fault"]:
        raise typer.Exit(1)
