"""The mini-languages' treebanks, generated."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from polyprobe.running.errors import BadInputError
from polyprobe.study import PARAMS, Study
from polyprobe.treebanks.sources.origin import Origin


@contextmanager
def from_pocket(study: Study, wanted: Collection[str]) -> Iterator[Origin]:
    """Yield the treebanks of the study's mini-languages, generated in a temporary folder.

    Args:
        study: the study.
        wanted: names of treebanks.

    Raises:
        BadInputError: the study has no `pocket` section, or a language is no mini-language.
    """
    from polyprobe.pocket import write_treebanks

    if study.pocket is None:
        raise BadInputError(f"{PARAMS}: pocket: missing section, expected it because treebanks.source is pocket")
    with TemporaryDirectory(prefix="treebanks-") as folder:
        write_treebanks(Path(folder), study.languages, study.pocket)
        yield Origin.below(Path(folder), wanted, f"generated, seed {study.pocket.seed}")
