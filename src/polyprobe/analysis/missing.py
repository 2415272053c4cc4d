"""Files that a study lacks: what they would hold is left out, and said."""

import sys
from collections.abc import Sequence
from pathlib import Path


def files_there(files: Sequence[Path]) -> list[Path]:
    """Those of the files that exist, in their order; one warning line on stderr names the others."""
    found = [file for file in files if file.exists()]
    if lacking := [str(file) for file in files if file not in found]:
        print(f"warning: left out, no such file: {', '.join(lacking)}", file=sys.stderr)
    return found
