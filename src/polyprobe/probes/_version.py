"""What code computed a probe."""

import hashlib
from functools import cache
from pathlib import Path

import torch


@cache
def version() -> str:
    """The hash of this package's source and torch's version: results of another version are not to be gone on with."""
    digest = hashlib.sha256(torch.__version__.encode())
    for file in sorted(file for file in Path(__file__).parent.iterdir() if file.suffix in (".py", ".cpp")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
