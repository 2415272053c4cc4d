"""The remotes: set, and verified when pulled from."""

from collections.abc import Iterator

from polyprobe.ops.doctor.findings import Finding, fault, ok, warning
from polyprobe.ops.doctor.repository import open_repository


def check(deep: bool) -> Iterator[Finding]:
    """Look at the settings of each remote; none is asked."""
    with open_repository() as repository:
        remotes, default = repository.config["remote"], repository.config["core"].get("remote")
    if default not in remotes:
        advice = "`dvc remote add --default NAME URL` (docs/sharing.md)"
        yield warning("remote", "none is set as the default: nothing can be pushed or pulled", advice)
    for name in sorted(remotes):
        yield _verified(name, remotes[name])


def _verified(name: str, settings: dict[str, str]) -> Finding:
    def verify() -> str:
        with open_repository() as repository, repository.config.edit("local") as local:
            local["remote"].setdefault(name, {})["verify"] = True
        return f"set verify of remote {name!r} in .dvc/config.local"

    if settings.get("verify"):
        return ok(f"remote {name!r}", f"{settings['url']}, verified when pulled from")
    message = "`verify` is not set: a pull takes damaged objects for whole ones"
    return fault(f"remote {name!r}", message, f"`dvc remote modify --local {name} verify true`", verify)
