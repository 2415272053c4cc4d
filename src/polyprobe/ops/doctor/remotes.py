"""The remotes: set, verified when pulled from, and, if asked, tried with one object."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, warning
from polyprobe.ops.doctor.repository import opened
from polyprobe.running.errors import BadInputError, one_line


def check(asked: Asked) -> Iterator[Finding]:
    """Every remote's settings; the default one is tried where it is a folder here, or the network may be asked."""
    with opened() as repository:
        remotes = repository.config["remote"]
        default = repository.config["core"].get("remote")
        how = "`python -m polyprobe.ops.remote set URL --default` (docs/sharing.md)"
        if default not in remotes:
            yield warning("remote", "none is set as the default: nothing can be pushed or pulled", how)
        for name in sorted(remotes):
            if not remotes[name].get("verify"):
                yield _unverified(repository, name)
        if default in remotes:
            yield _tried(repository, str(default), asked)


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


def _tried(repository: Any, name: str, asked: Asked) -> Finding:
    from polyprobe.ops.remote.kinds import scheme_of
    from polyprobe.ops.remote.place import Place
    from polyprobe.ops.remote.trying import try_remote

    subject = f"remote {name!r}"
    place = Place.open(repository, name)
    local = scheme_of(place.url) in ("", "file", "local")
    if local and not Path(place.url).exists():
        return ok(subject, f"{place.url} is made at the first push")
    if not local and not asked.network:
        return ok(subject, f"{place.url}, not asked: --network tries it")
    try:
        return ok(subject, f"{place.url}: {try_remote(place).said}")
    except BadInputError as error:
        return fault(subject, one_line(error), "docs/sharing.md tells what each kind of remote needs")
