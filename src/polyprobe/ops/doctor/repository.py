"""Whether this is a repository of git and DVC, and has what `dvc plots show` needs."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polyprobe.ops.doctor.findings import Finding, fault, ok
from polyprobe.ops.offline_plots import PAGE, write_offline_page


def check(deep: bool) -> Iterator[Finding]:
    """Look for the files of DVC, a commit, and the page in which plots are drawn."""
    missing = [name for name in (".dvc", "dvc.yaml", "params.yaml") if not Path(name).exists()]
    if missing:
        advice = "go to the folder that params.yaml and dvc.yaml lie in"
        yield fault("repository", f"{', '.join(missing)}: not in {Path.cwd()}", advice)
    commit = git("rev-parse", "--short", "HEAD")
    if commit.returncode != 0:
        yield fault("git", "no commit here, so that nothing could be recovered", "`git init`, `git add`, `git commit`")
    elif not missing:
        yield ok("repository", f"{Path.cwd()} at {commit.stdout.strip()}")
    if PAGE.exists():
        yield ok("plots", f"{PAGE} is there")
    else:
        advice = "`polyprobe offline-plots`"
        yield fault("plots", f"{PAGE} is missing, which `dvc plots show` needs", advice, _write_plots_page)


def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run git here, which may fail; what is no UTF-8 is replaced."""
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL
    )


def open_repository() -> Any:
    """Return DVC's view of the repository here; no file of it but the configuration is read yet."""
    from polyprobe.ops.dvc_internals import Repo

    return Repo(".")


def _write_plots_page() -> str:
    write_offline_page()
    return f"wrote {PAGE}"
