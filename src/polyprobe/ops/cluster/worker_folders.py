"""Folders for workers: git worktrees of the main workspace at one commit, with its cache, or clones of it elsewhere."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from polyprobe.ops.cluster.assignments import CloneSource
from polyprobe.ops.dvc_internals import Config
from polyprobe.ops.listing import first_few
from polyprobe.running.errors import BadInputError

PREFIX: Final = "polyprobe-worker-"
"""Begins the name of each such folder; worktrees so named that no coordinator uses are leftovers."""
CARRIED: Final = ("local-data", "config/local.yaml", ".dvc/plots/offline.html")
"""Inputs that git does not hold and that a worktree needs, where the main workspace has them."""
_LINKS: Final = "reflink,hardlink,symlink,copy"


def git(*arguments: str) -> str:
    """Run git and return what it prints.

    Raises:
        BadInputError: it fails.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise BadInputError(f"git {' '.join(arguments)}: {' '.join(done.stderr.split())}")
    return done.stdout


def committed(outputs: Iterable[str]) -> str:
    """Return the commit that the workers are to work at.

    Args:
        outputs: paths that the pipeline writes and git holds: they may differ.

    Raises:
        BadInputError: there is no commit, or something else in the current folder's repository differs from it.
    """
    if Path(git("rev-parse", "--show-toplevel").strip()) != Path.cwd():
        raise BadInputError("expected to be called at the root of the git repository, which is the DVC repository's")
    commit = git("rev-parse", "--verify", "HEAD^{commit}").strip()
    excluded = [f":(exclude,literal){path}" for path in ("dvc.lock", *outputs)]
    status = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ".", *excluded)
    changed = sorted(line[3:] for line in status.split("\0") if line)
    if changed:
        named = first_few(changed, 10)
        raise BadInputError(f"workers work at a commit: commit (or ignore) what differs from it first: {named}")
    return commit


def configure(folder: Path, settings: dict[str, dict[str, Any]]) -> None:
    """Write a repository's `.dvc/config.local`.

    Args:
        folder: the repository's root.
        settings: by section, as DVC's own `Config` has them.
    """
    with Config(str(folder / ".dvc")).edit("local") as local:
        for section, values in settings.items():
            local.setdefault(section, {}).update(values)


def worktree_settings(cache: Path) -> dict[str, dict[str, Any]]:
    """Return what `.dvc/config.local` of worktrees says: where the main workspace's cache is, and how it is used.

    Args:
        cache: the main workspace's cache folder.
    """
    config = Config(str(Path(".dvc").absolute()))
    local, repository = config.load_one("local"), config.load_one("repo")
    links = local["cache"].get("type") or repository["cache"].get("type") or _LINKS
    return {"core": dict(local["core"]), "cache": {**local["cache"], "dir": str(cache), "type": links}}


def clone_source(remote: str, url: str | None, commit: str) -> CloneSource:
    """Return where clones get everything from, without secrets: each machine has its own.

    Args:
        remote: the name of a DVC remote.
        url: of the git repository; None for the git remote `origin`.
        commit: what to check out.

    Raises:
        BadInputError: there is no such remote.
    """
    remotes = Config(str(Path(".dvc").absolute())).read()["remote"]
    if remote not in remotes:
        known = ", ".join(sorted(remotes)) or "none is configured"
        raise BadInputError(f"--remote: no DVC remote {remote!r}, expected one of: {known}")
    settings: dict[str, dict[str, Any]] = {"core": {"remote": remote}, "cache": {"type": _LINKS}}
    # A relative path means another folder from a clone's place.
    if Path(folder := str(remotes[remote]["url"])).is_absolute():
        settings["remote"] = {remote: {"url": folder}}
    url = url or git("remote", "get-url", "origin").strip()
    return CloneSource(str(Path(url).absolute()) if Path(url).exists() else url, commit, remote, settings)


class Worktrees:
    """The worktrees of one coordinator, in one folder."""

    def __init__(self, folder: Path, commit: str, settings: dict[str, dict[str, Any]], carried: Sequence[str]) -> None:
        """Make none yet.

        Args:
            folder: where to make them.
            commit: what to check out.
            settings: of DVC, for `configure`.
            carried: more paths of ignored inputs, beside CARRIED.
        """
        self._folder, self._commit, self._settings = folder.absolute(), commit, settings
        self._carried = (*CARRIED, *carried)
        self._count = 0

    def new(self) -> str:
        """Make one and return its path.

        Raises:
            BadInputError: git cannot.
        """
        self._count += 1
        path = self._folder / f"{PREFIX}{self._count}"
        self._folder.mkdir(parents=True, exist_ok=True)
        # Hooks that `dvc install` has put there would check out what the commit's dvc.lock says.
        add = f"-c core.hooksPath={os.devnull} worktree add --quiet --force --detach".split()
        git(*add, str(path), self._commit)
        configure(path, self._settings)
        for name in self._carried:
            source, target = Path(name), path / name
            if source.exists() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(source.resolve())
        return str(path)


class Clones:
    """The clones of one coordinator; each worker makes its own."""

    def __init__(self, source: CloneSource, folder: Path | None) -> None:
        """Make none.

        Args:
            source: where they are cloned from.
            folder: on the workers' machines; None for Dask's own.
        """
        self.source, self._folder = source, folder.absolute() if folder else Path()
        self.paths: list[str] = []

    def new(self) -> str:
        """Return the path of a new one, relative to the folder that Dask gives to its worker where it has none."""
        self.paths.append(str(self._folder / f"{PREFIX}{os.getpid()}-{len(self.paths) + 1}"))
        return self.paths[-1]


def remove_worktrees() -> None:
    """Remove every worktree of the repository that is one for a worker. For whoever holds the coordinator's lock."""
    for line in git("worktree", "list", "--porcelain").splitlines():
        path = Path(line.removeprefix("worktree "))
        if line.startswith("worktree ") and path.name.startswith(PREFIX):
            with suppress(BadInputError):
                git("worktree", "remove", "--force", "--force", str(path))
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):
                path.parent.rmdir()
    git("worktree", "prune")
