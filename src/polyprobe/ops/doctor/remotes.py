"""The remotes: set, and verified when pulled from."""

from collections.abc import Iterator
from typing import Any

from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, warning
from polyprobe.ops.doctor.repository import opened


def check(asked: Asked) -> Iterator[Finding]:
    """Look at every remote's settings."""
    with opened() as repository:
        remotes = repository.config["remote"]
        default = repository.config["core"].get("remote")
        how = "`dvc remote add --default NAME URL` (docs/sharing.md)"
        if default not in remotes:
            yield warning("remote", "none is set as the default: nothing can be pushed or pulled", how)
        for name in sorted(remotes):
            if not remotes[name].get("verify"):
                yield _unverified(repository, name)
        if default in remotes:
            yield ok(f"remote {default!r}", f"{remotes[default]['url']}; `polyprobe remote check` asks it")


def _unverified(repository: Any, name: str) -> Finding:
    def verify() -> str:
        with repository.config.edit("local") as edited:
            edited["remote"].setdefault(name, {})["verify"] = True
        return f"set verify of remote {name!r} in .dvc/config.local"

    return fault(
        f"remote {name!r}",
        "`verify` is not set: a pull takes damaged objects for whole ones",
        f"`dvc remote modify --local {name} verify true`",
        verify,
    )
