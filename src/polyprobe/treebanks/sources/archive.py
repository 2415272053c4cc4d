"""Treebanks of a release of UD, from its archive."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from polyprobe.downloads import check_archive, download, extract
from polyprobe.running.errors import BadInputError
from polyprobe.running.scratch import temporary_folder
from polyprobe.study import PARAMS, Archive, Study, Treebanks
from polyprobe.treebanks.sources.origin import Origin
from polyprobe.treebanks.sources.renamed import other_names
from polyprobe.treebanks.treebank import belongs

_RELEASES: Final = Path(__file__).with_name("releases.yaml")


@contextmanager
def from_archive(study: Study, wanted: Collection[str]) -> Iterator[Origin]:
    """Yield the treebanks wanted in a temporary folder, from the archive of `treebanks.archive` or `treebanks.release`.

    Args:
        study: the study.
        wanted: names of treebanks.

    Raises:
        BadInputError: the release is not known, or its archive cannot be had, is not the expected one, or is unsafe.
    """
    archive = _archive(study.treebanks)
    file = download(archive.url, archive.sha256, check_archive)
    names = {name for treebank in wanted for name in (treebank, *other_names(treebank))}

    def target_name(member: str) -> str | None:
        path = PurePosixPath(member)
        return f"{path.parent.name}/{path.name}" if path.parent.name in names and belongs(path.name) else None

    with temporary_folder("treebanks") as folder:
        extract(file, folder, target_name)
        yield Origin.below(folder, wanted, archive.url)


def _archive(settings: Treebanks) -> Archive:
    import yaml

    if settings.archive is not None:
        return settings.archive
    known = yaml.safe_load(_RELEASES.read_text(encoding="utf-8"))
    if settings.release not in known:
        raise BadInputError(
            f"{PARAMS}: treebanks.release: the archive of {settings.release} is not known (known: {', '.join(known)}), "
            "expected its url and sha256 under treebanks.archive"
        )
    return Archive(**known[settings.release])
