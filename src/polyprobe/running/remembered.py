"""Results remembered by everything that determines them, so that a killed stage goes on where it was."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from polyprobe.running.files import new_file


def remembered(folder: Path, determines: Any, compute: Callable[[], Any]) -> Any:
    """Return what `compute` returned when it was called for this `determines`; call it where nothing is remembered.

    Args:
        folder: where results lie, one small file each.
        determines: everything that determines the result, as JSON-able data; digests of arrays among it.
        compute: called where nothing is remembered; returns JSON-able data.
    """
    digest = hashlib.sha256(json.dumps(determines, sort_keys=True).encode()).hexdigest()[:32]
    file = folder / f"{digest}.json.gz"
    if not file.exists():
        with new_file(file) as temporary:
            temporary.write_bytes(gzip.compress(json.dumps(compute()).encode(), mtime=0))
    return json.loads(gzip.decompress(file.read_bytes()))
