"""What code computes: half-done work of other code is not to be gone on with."""

import hashlib
from functools import cache
from pathlib import Path


@cache
def code_version(*packages: str) -> str:
    """Return a hash of the source of some of polyprobe's packages and of torch's version.

    Args:
        *packages: their names, such as probes.
    """
    import torch

    digest = hashlib.sha256(torch.__version__.encode())
    root = Path(__file__).parents[1]
    for package in packages:
        for file in sorted((root / package).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()
