"""Whether this is a repository of git and DVC, and how DVC is set."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polyprobe.ops.doctor.findings import Asked, Finding, fault, ok, warning


def check(asked: Asked) -> Iterator[Finding]:
    """git, DVC, and settings of DVC that have led to damage."""
    here = "go to the folder that params.yaml and dvc.yaml lie in"
    missing = [name for name in (".dvc", "dvc.yaml", "params.yaml") if not Path(name).exists()]
    if missing:
        yield fault("repository", f"{', '.join(missing)}: not in {Path.cwd()}", here)
    if head() is None:
        yield fault("git", "no commit here, so that nothing could be recovered", "`git init`, `git add`, `git commit`")
    if not missing and head() is not None:
        yield ok("repository", f"{Path.cwd()} at {head()}")
    if not missing:
        with opened() as repository:
            types = repository.config["cache"].get("type", [])
        linked = sorted({"hardlink", "symlink"} & set([types] if isinstance(types, str) else types))
        if linked and os.geteuid() == 0:
            yield warning(
                "links",
                f"cache.type is {', '.join(linked)} and you are root, whom the read-only mode of the cache's files "
                "does not stop: what writes into an output in place would write into the cache",
                "`dvc config --local cache.type reflink,copy`, then `dvc checkout --relink`",
            )
        else:
            yield ok("links", f"outputs are linked to the cache by {', '.join(linked)}" if linked else
                     "outputs are copies of what the cache holds")  # fmt: skip


def head() -> str | None:
    """The commit that is checked out, shortened; None where there is none."""
    done = git("rev-parse", "--short", "HEAD")
    return done.stdout.strip() if done.returncode == 0 else None


def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs git here, which may fail; what is no UTF-8 is replaced."""
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL
    )


def opened() -> Any:
    """DVC's view of the repository here; no file of it but the configuration is read yet."""
    from dvc.repo import Repo

    return Repo(".")
