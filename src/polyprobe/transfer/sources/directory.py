"""Task files in folders on disk."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from polyprobe.study import Study


@contextmanager
def from_directory(study: Study) -> Iterator[Mapping[str, Path]]:
    """Yield the folders that `inputs` names."""
    xnli, pos = str(study.transfer.xnli.folder), str(study.transfer.pos.folder)
    yield {"xnli": study.inputs[xnli], "pos": study.inputs[pos]}
