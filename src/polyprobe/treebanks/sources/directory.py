"""Treebanks in folders on disk."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Study
from polyprobe.treebanks.sources.origin import Origin


@contextmanager
def from_directory(study: Study, wanted: Collection[str]) -> Iterator[Origin]:
    """Yield the folders that `inputs` names.

    Args:
        study: the study.
        wanted: names of treebanks, which are keys of `inputs`.

    Raises:
        BadInputError: one of the folders is not there.
    """
    for name in wanted:
        if not study.inputs[name].is_dir():
            raise BadInputError(f"{PARAMS}: inputs.{name}: no folder {study.inputs[name]}, expected a treebank")
    yield Origin({name: study.inputs[name] for name in wanted}, "a folder on disk")
