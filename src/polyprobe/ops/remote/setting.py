"""Sets a remote: tries it first, then writes `.dvc/config.local`, which git ignores."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyprobe.ops.remote.kinds import Settings, settings
from polyprobe.ops.remote.place import Place
from polyprobe.ops.remote.trying import Tried, try_remote
from polyprobe.running.errors import BadInputError, one_line


def set_remote(
    repository: Any, url: str, name: str, options: Mapping[str, str | int | bool | None], *, default: bool = False
) -> Tried:
    """Sets a remote of this clone, if it can be used; otherwise the configuration stays as it was.

    Args:
        repository: DVC's.
        url: where it is.
        name: what DVC calls it.
        options: of `remote set`, by name; None for those not given.
        default: make it the one that DVC uses when none is named.

    Raises:
        BadInputError: the URL, the name or an option is wrong.
        RemoteError: it cannot be used: why, and what to do.
    """
    from dvc.config import Config, ConfigError

    if re.fullmatch(r"[a-z0-9_-]+", name) is None:
        raise BadInputError(f"--name {name}: expected a-z, 0-9, - and _")
    made = settings(url, options)
    file = Path(repository.config.files["local"])
    if repository.scm.__class__.__name__ == "Git" and not repository.scm.is_ignored(str(file)):
        raise BadInputError(f"{file}: git does not ignore it, and secrets would get there; add it to .dvc/.gitignore")
    below = repository.config.load_config_to_level("local")["remote"].get(name, {})
    try:
        whole = Config.validate({"remote": {name: {**below, **made}}})["remote"][name]
    except ConfigError as error:
        raise BadInputError(one_line(error)) from None
    repository.config["remote"][name] = whole
    tried = try_remote(Place.open(repository, name))
    _write(repository, file, name, made, default)
    return tried


def _write(repository: Any, file: Path, name: str, made: Settings, default: bool) -> None:
    before = file.read_bytes() if file.exists() else None
    try:
        # Before a password is in it.
        file.touch(mode=0o600)
        file.chmod(0o600)
        with repository.config.edit("local") as edited:
            edited["remote"][name] = made
            if default:
                edited["core"]["remote"] = name
    except BaseException:
        if before is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(before)
        raise
