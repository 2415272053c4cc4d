"""Treebanks from their own repositories on GitHub, file by file, at a release's tag."""

import json
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from polyprobe.downloads import download, git_hash, lock, read_url
from polyprobe.running.errors import BadInputError
from polyprobe.running.progress import progress
from polyprobe.running.scratch import temporary_folder
from polyprobe.study import Study
from polyprobe.treebanks.sources.origin import Origin
from polyprobe.treebanks.sources.renamed import newest_name
from polyprobe.treebanks.treebank import belongs

_OWNER: Final = "UniversalDependencies"
_LISTING: Final = "https://api.github.com/repos/{repository}/git/trees/{tag}"
_FILE: Final = "https://raw.githubusercontent.com/{repository}/{tag}/{name}"


@contextmanager
def from_github(study: Study, wanted: Collection[str]) -> Iterator[Origin]:
    """Yield the treebanks wanted in a temporary folder, at the tag `r<treebanks.release>`.

    Repositories go by their newest names, whatever a treebank was called at its release. `downloads.lock` holds the
    tree that each tag stood for at its first use, and each file's hash.

    Args:
        study: the study.
        wanted: names of treebanks.

    Raises:
        BadInputError: there is no such repository, tag or file; a tag has moved; a file is not the expected one.
    """
    tag = f"r{study.treebanks.release}"
    with temporary_folder("treebanks") as folder:
        for treebank in progress(sorted(wanted), description="repositories", unit="treebank"):
            _fetch(f"{_OWNER}/{newest_name(treebank)}", tag, folder / treebank)
        yield Origin.below(folder, wanted, f"https://github.com/{_OWNER} at {tag}")


def _fetch(repository: str, tag: str, target: Path) -> None:
    target.mkdir()
    for name, digest in _listing(repository, tag).items():
        file = download(_FILE.format(repository=repository, tag=tag, name=name), check=_matches(digest))
        shutil.copyfile(file, target / name)


def _listing(repository: str, tag: str) -> dict[str, str]:
    """Return the treebank's files in the repository's root, sorted by name, with Git's digests of them.

    Args:
        repository: owner/name.
        tag: the release's tag.

    Raises:
        BadInputError: GitHub has no such repository or tag or cannot be reached, or its answer is no listing of a tree;
            the tag stands for another tree than `downloads.lock` holds.
    """
    url = _LISTING.format(repository=repository, tag=tag)
    try:
        tree = json.loads(read_url(url))
        digest = str(tree["sha"])
        entries = {str(entry["path"]): str(entry["sha"]) for entry in tree["tree"] if entry["type"] == "blob"}
    except (ValueError, KeyError, TypeError):
        raise BadInputError(f"{url}: expected GitHub's listing of a tree") from None
    name = f"github:{repository}@{tag}"
    if (expected := lock.recorded(name)) is None:
        lock.record({name: digest})
    elif expected != digest:
        raise BadInputError(f"{repository}: the tag {tag} is not what {lock.PATH} expects: its tree is not {expected}")
    return {path: entries[path] for path in sorted(entries) if belongs(path)}


def _matches(digest: str) -> Callable[[Path], None]:
    """Return a check that a file is the one with this digest of Git's; it raises BadInputError for another file."""

    def check(file: Path) -> None:
        if git_hash(file) != digest:
            raise BadInputError(f"{file}: what came is not what the repository lists: Git's digest is not {digest}")

    return check
