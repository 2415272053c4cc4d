"""What is wrong with the environment or the repository, and what to do: `python -m polyprobe.ops.doctor`.

One line per check: ok, warning or fault. A fault keeps the study from running or makes its results wrong; the
exit code is 1 where there is one. Nothing is changed without --fix.
"""

import argparse
import sys
from collections.abc import Sequence

from polyprobe.ops.doctor.findings import Asked
from polyprobe.running.errors import BadInputError


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m polyprobe.ops.doctor", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fix", action="store_true", help="mend what is safe to mend, and say what was done")
    parser.add_argument("--network", action="store_true", help="ask the hub and the remote, too")
    parser.add_argument("--deep", action="store_true", help="read every object of the study, however large it is")
    options = parser.parse_args(arguments)
    from polyprobe.ops.doctor.examining import examine, mend

    asked = Asked(network=options.network, deep=options.deep)
    if options.fix:
        try:
            for finding, did in mend(asked):
                print(f"mended   {finding.subject}: {did}", flush=True)
        except BadInputError as error:
            sys.exit(f"error: {error}")
    counts = {"ok": 0, "warning": 0, "fault": 0}
    for finding in examine(asked):
        counts[finding.level] += 1
        print(finding.line(), flush=True)
    print(", ".join(f"{count} {level}" for level, count in counts.items()))
    if counts["fault"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
