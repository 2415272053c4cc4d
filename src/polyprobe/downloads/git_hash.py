"""Git's hash of a file, by which GitHub and the hub list theirs."""

import hashlib
from pathlib import Path


def git_hash(file: Path) -> str:
    """The SHA-1 of the file as a blob of Git, hexadecimal."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
