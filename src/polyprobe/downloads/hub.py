"""Files of the hub's repositories, at a commit, and never used before their hash is checked.

The hub's own settings hold: HF_ENDPOINT (a mirror), HF_HOME (the cache), HF_TOKEN, HF_HUB_OFFLINE.
"""

import errno
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, Literal

from polyprobe.downloads import lock
from polyprobe.downloads.git_hash import git_hash
from polyprobe.running.errors import BadInputError

COMMIT: Final = re.compile(r"[0-9a-f]{40}")
Kind = Literal["model", "dataset"]

_UNAUTHORISED: Final = 401


def commit_of(repository: str, revision: str, kind: Kind = "model") -> str:
    """Return the commit that a revision stands for.

    A commit stands for itself; a branch or tag is pinned in `downloads.lock` at its first use.

    Args:
        repository: such as bigscience/bloom-560m.
        revision: a commit, branch or tag.
        kind: what the repository holds.

    Returns:
        The commit, 40 hexadecimal digits.

    Raises:
        BadInputError: the hub does not have the revision or cannot be reached.
    """
    if COMMIT.fullmatch(revision):
        return revision
    name = f"{_name(repository, kind)}@{revision}"
    commit = lock.recorded(name)
    if commit is None:
        with _asking(f"{repository}@{revision}: cannot be resolved on the hub"):
            commit = _ask_for_commit(repository, revision, kind)
        lock.record({name: commit})
    return commit


def dataset_file(repository: str, revision: str, path: str) -> Path:
    """Return a file of a dataset in the hub's local cache, downloaded where it is not there yet.

    Args:
        repository: such as facebook/xnli.
        revision: a commit, branch or tag, as for `commit_of`.
        path: the file's path in the repository.

    Raises:
        BadInputError: the hub does not have the file or cannot be reached, or the file is not what `downloads.lock`
            expects; a wrong file is removed from the cache.
    """
    from huggingface_hub import hf_hub_download

    commit = commit_of(repository, revision, "dataset")
    with _asking(f"{repository}/{path} at {commit}: cannot be fetched from the hub"):
        file = Path(hf_hub_download(repository, path, repo_type="dataset", revision=commit))
    _check({f"{_name(repository, 'dataset')}@{commit}/{path}": file}, {})
    return file


def model_files(repository: str, commit: str, choose: Callable[[Sequence[str]], list[str]]) -> Path:
    """Return the folder of a model's files in the hub's local cache, downloaded where they are not there yet.

    The first time, each file is held against the hash in the hub's listing of the commit; from then on against its
    SHA-256 in `downloads.lock`, and nothing is asked of the hub any more. A connection that is cut off is taken up
    again; of a process that was killed only whole files are kept.

    Args:
        repository: such as bigscience/bloom-560m.
        commit: 40 hexadecimal digits.
        choose: maps the paths in the repository, sorted, to those that are needed; raises BadInputError where one is
            missing.

    Raises:
        BadInputError: the hub does not have the model or cannot be reached, the disk is full, or a file is not what the
            hub's listing or `downloads.lock` says; a wrong file is removed from the cache.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    if not sys.stderr.isatty():
        disable_progress_bars()
    base = f"{_name(repository, 'model')}@{commit}"
    listed: dict[str, str | None] = {}
    with _asking(f"{repository} at {commit}: cannot be fetched from the hub"):
        paths = _cached_paths(repository, commit)
        if not paths or any(lock.recorded(f"{base}/{path}") is None for path in choose(paths)):
            listed = _listing(repository, commit, paths)
        chosen = choose(sorted(listed) or paths)
        folder = Path(snapshot_download(repository, revision=commit, allow_patterns=chosen))
    _check(
        {f"{base}/{path}": folder / path for path in chosen}, {f"{base}/{path}": listed.get(path) for path in chosen}
    )
    return folder


def _name(repository: str, kind: Kind) -> str:
    return f"hub:datasets/{repository}" if kind == "dataset" else f"hub:{repository}"


def _ask_for_commit(repository: str, revision: str, kind: Kind) -> str:
    """Ask the hub for the commit of a revision; offline, return what it stood for when it was last downloaded.

    Args:
        repository: such as bigscience/bloom-560m.
        revision: a branch or tag.
        kind: what the repository holds.

    Raises:
        OfflineModeIsEnabled: HF_HUB_OFFLINE is set and the revision was never downloaded.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return str(HfApi().repo_info(repository, revision=revision, repo_type=kind).sha)
    except OfflineModeIsEnabled as error:
        try:
            folder = snapshot_download(
                repository, revision=revision, repo_type=kind, allow_patterns=[], local_files_only=True
            )
            return Path(folder).name
        except LocalEntryNotFoundError:
            raise error from None


def _cached_paths(repository: str, commit: str) -> list[str]:
    """Return the paths at a commit as the local cache knows them, sorted; none where it does not know the commit."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        return sorted(file.path for file in get_cached_repo_tree(repository, revision=commit))
    except CachedRepoTreeNotFoundError:
        return []


def _listing(repository: str, commit: str, cached: Sequence[str]) -> dict[str, str | None]:
    """Return the paths at a commit with their hashes as the hub lists them.

    Args:
        repository: such as bigscience/bloom-560m.
        commit: 40 hexadecimal digits.
        cached: the paths that the local cache knows, for use offline.

    Returns:
        By path, the SHA-256 of a large file, Git's SHA-1 of a small one; offline, None for each path in the cache.

    Raises:
        OfflineModeIsEnabled: HF_HUB_OFFLINE is set and the cache does not have the commit.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled
    from huggingface_hub.hf_api import RepoFile

    try:
        entries = HfApi().list_repo_tree(repository, revision=commit, recursive=True)
        files = [entry for entry in entries if isinstance(entry, RepoFile)]
        return {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}
    except OfflineModeIsEnabled as error:
        if cached:
            return dict.fromkeys(cached)
        try:  # an older version of the library kept no listing
            folder = Path(snapshot_download(repository, revision=commit, local_files_only=True))
        except LocalEntryNotFoundError:
            raise error from None
        return {file.relative_to(folder).as_posix(): None for file in folder.rglob("*") if file.is_file()}


def _check(files: dict[str, Path], listed: dict[str, str | None]) -> None:
    """Check files against `downloads.lock` and the hub's listing, and record those that are new.

    Args:
        files: by name in `downloads.lock`, the file in the local cache.
        listed: by the same names, the hash in the hub's listing; None or absent where it states none.

    Raises:
        BadInputError: a file is not the expected one. It is removed from the cache, so that the next run downloads it
            again.
    """
    new = {}
    for name, file in files.items():
        digest = _sha256(file, file.stat().st_mtime_ns)
        expected, stated = lock.recorded(name), str(lock.PATH)
        if expected is None:
            new[name] = digest
            expected, stated = listed.get(name) or digest, "the hub's listing"
        found = digest if len(expected) == len(digest) else git_hash(file)
        if found != expected:
            file.resolve().unlink()
            file.unlink(missing_ok=True)
            kind = "SHA-256" if found == digest else "git hash"
            raise BadInputError(
                f"{name}: what came is not what {stated} expects: its {kind} is not {expected}; removed"
            )
    if new:
        lock.record(new)


@cache
def _sha256(file: Path, changed: int) -> str:
    """Return a file's SHA-256 in hexadecimal digits, computed once while the file stays as it is.

    Args:
        file: the file.
        changed: the time of its last change in nanoseconds, a part of the cache's key.
    """
    import pooch

    return str(pooch.file_hash(file))


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turn what the hub's library raises into one clear line that begins with `what`.

    Raises:
        BadInputError: in place of the library's error.
    """
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        problem = "it is gated: accept its terms on its page there, and give your token in HF_TOKEN"
    except errors.RevisionNotFoundError:
        problem = "it has no such revision"
    except errors.RepositoryNotFoundError:
        problem = "there is no such repository, or it is private: then give a token in HF_TOKEN"
    except errors.RemoteEntryNotFoundError:
        problem = "there is no such file"
    except errors.OfflineModeIsEnabled:
        problem = "it is not in the local cache, and HF_HUB_OFFLINE is set"
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        problem = _problem(error)
    else:
        return
    raise BadInputError(f"{what}: {problem}")


def _problem(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if response is not None and response.status_code == _UNAUTHORISED:
        return "the hub does not accept the token (HF_TOKEN, or the one that was logged in with)"
    if getattr(error, "errno", None) == errno.ENOSPC:
        return "no space left on the disk"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
