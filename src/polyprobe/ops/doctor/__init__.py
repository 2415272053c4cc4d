"""What is wrong with the environment or the repository, and what to do: `polyprobe doctor`.

Each module with a function `check` looks at one group of things and yields a finding for each; what they mean is in
docs/troubleshooting.md.
"""

from polyprobe.ops.doctor.examination import CHECKS, examine, fix
from polyprobe.ops.doctor.findings import Finding, Level

__all__ = ["CHECKS", "Finding", "Level", "examine", "fix"]
