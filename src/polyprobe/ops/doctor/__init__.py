"""What is wrong with the environment or the repository, and what to do: `python -m polyprobe.ops.doctor`.

Each module with a function `check` looks at one group of things and yields a finding for each; what they mean is in
docs/troubleshooting.md.
"""

from polyprobe.ops.doctor.examining import GROUPS, examine, mend
from polyprobe.ops.doctor.findings import Asked, Finding, Level

__all__ = ["GROUPS", "Asked", "Finding", "Level", "examine", "mend"]
