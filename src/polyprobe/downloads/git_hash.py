"""Git's hash of a file, by which GitHub and the hub list theirs."""

import hashlib
from pathlib import Path


def git_hash(file: Path) -> str:
    """Return the SHA-1 of a file as a blob of Git, in 40 hexadecimal digits."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
