"""Files of the hub's datasets, at a commit.

The hub's own settings hold: HF_ENDPOINT (a mirror), HF_HOME (the cache), HF_TOKEN, HF_HUB_OFFLINE.
"""

import hashlib
import re
from pathlib import Path

from polyprobe.downloads import lock
from polyprobe.running.errors import BadInputError


def dataset_file(repository: str, revision: str, path: str) -> Path:
    """A file of a dataset in the hub's local cache, downloaded where it is not there yet.

    Args:
        repository: such as facebook/xnli.
        revision: a commit; or a branch or tag, which is pinned in `downloads.lock` to the commit that it stands for at
            its first use.
        path: the file's path in the repository.

    Raises:
        BadInputError: the hub does not have it or cannot be reached, or the file is not what `downloads.lock` expects.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    commit = _commit(repository, revision)
    try:
        file = Path(hf_hub_download(repository, path, repo_type="dataset", revision=commit))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BadInputError(
            f"{repository}/{path} at {commit}: cannot be fetched from the hub: {_line(error)}"
        ) from None
    name = f"hub:datasets/{repository}@{commit}/{path}"
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    expected = lock.recorded(name)
    if expected is None:
        lock.record(name, digest)
    elif expected != digest:
        raise BadInputError(f"{name}: what came is not what {lock.PATH} expects: its SHA-256 is not {expected}")
    return file


def _commit(repository: str, revision: str) -> str:
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    name = f"hub:datasets/{repository}@{revision}"
    commit = lock.recorded(name)
    if commit is None:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        try:
            commit = str(HfApi().dataset_info(repository, revision=revision).sha)
        except (HfHubHTTPError, OSError) as error:
            raise BadInputError(f"{repository}@{revision}: cannot be resolved on the hub: {_line(error)}") from None
        lock.record(name, commit)
    return commit


def _line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
