"""Folders for workers: git worktrees of the main workspace at one commit, with its cache."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from polyprobe.running.errors import BadInputError

PREFIX: Final = "polyprobe-worker-"
"""Begins the name of each such folder; worktrees so named that no coordinator uses are leftovers."""
CARRIED: Final = ("local-data", "config/local.yaml", ".dvc/plots/offline.html")
"""Inputs that git does not hold and that a worktree needs, where the main workspace has them."""
_LINKS: Final = "reflink,hardlink,symlink,copy"


def git(*arguments: str) -> str:
    """What git prints.

    Raises:
        BadInputError: it fails.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise BadInputError(f"git {' '.join(arguments)}: {' '.join(done.stderr.split())}")
    return done.stdout


def committed(outputs: Iterable[str]) -> str:
    """The commit that the workers are to work at.

    Args:
        outputs: paths that the pipeline writes and git holds: they may differ.

    Raises:
        BadInputError: there is no commit, or something else in the current folder's repository differs from it.
    """
    if Path(git("rev-parse", "--show-toplevel").strip()) != Path.cwd():
        raise BadInputError("expected to be called at the root of the git repository, which is the DVC repository's")
    commit = git("rev-parse", "--verify", "HEAD^{commit}").strip()
    excluded = [f":(exclude,literal){path}" for path in ("dvc.lock", *outputs)]
    told = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ".", *excluded)
    changed = sorted(line[3:] for line in told.split("\0") if line)
    if changed:
        named = ", ".join(changed[:10]) + (f" and {len(changed) - 10} more" if len(changed) > 10 else "")
        raise BadInputError(f"workers work at a commit: commit (or ignore) what differs from it first: {named}")
    return commit


def configure(folder: Path, settings: dict[str, dict[str, Any]]) -> None:
    """Writes a repository's `.dvc/config.local`.

    Args:
        folder: the repository's root.
        settings: by section, as DVC's own `Config` has them.
    """
    from dvc.config import Config

    config = Config(str(folder / ".dvc"))
    file = folder / ".dvc/config.local"
    # It may hold secrets of remotes.
    file.touch(mode=0o600)
    with config.edit("local") as local:
        for section, values in settings.items():
            local.setdefault(section, {}).update(values)


def settings_of_worktrees(cache: Path) -> dict[str, dict[str, Any]]:
    """What `.dvc/config.local` of worktrees says: all that the main workspace's says, and where its cache is.

    Args:
        cache: the main workspace's cache folder.
    """
    from dvc.config import Config

    config = Config(str(Path(".dvc").absolute()))
    local, repo = config.load_one("local"), config.load_one("repo")
    settings = {section: dict(values) for section, values in local.items() if values}
    kind = local.get("cache", {}).get("type") or repo.get("cache", {}).get("type") or _LINKS
    settings["cache"] = {**settings.get("cache", {}), "dir": str(cache), "type": kind}
    for name, url in _local_remotes(repo).items():
        settings.setdefault("remote", {}).setdefault(name, {}).setdefault("url", url)
    for values in settings.get("remote", {}).values():
        values.update({key: str(value) for key, value in values.items() if isinstance(value, str)})
    return settings


def settings_of_clones(remote: str | None) -> tuple[str, dict[str, dict[str, Any]]]:
    """The DVC remote of clones, and what their `.dvc/config.local` says: no secrets, which each machine has its own of.

    Args:
        remote: its name; the default one where it is None.

    Raises:
        BadInputError: there is no such remote.
    """
    from dvc.config import Config

    config = Config(str(Path(".dvc").absolute()))
    name = remote or config["core"].get("remote")
    if not name or name not in config["remote"]:
        known = ", ".join(sorted(config["remote"])) or "none is configured"
        raise BadInputError(f"--remote: no DVC remote {name or ''!r}, expected one of: {known}")
    settings: dict[str, dict[str, Any]] = {"core": {"remote": name}, "cache": {"type": _LINKS}}
    if url := _local_remotes(config.read()).get(name):
        settings["remote"] = {name: {"url": url}}
    return name, settings


def _local_remotes(config: dict[str, Any]) -> dict[str, str]:
    """The absolute paths of remotes that are folders: a path from one repository is another from a second."""
    remotes = config.get("remote", {})
    return {name: str(values["url"]) for name, values in remotes.items() if Path(values.get("url", "")).is_absolute()}


class Worktrees:
    """The worktrees of one coordinator, in one folder."""

    def __init__(self, folder: Path, commit: str, settings: dict[str, dict[str, Any]], carried: Sequence[str]) -> None:
        """Removes what coordinators that were killed have left.

        Args:
            folder: where to make them.
            commit: what to check out.
            settings: of DVC, for `configure`.
            carried: more paths of ignored inputs, beside CARRIED.
        """
        self.folder, self.commit, self.settings = folder.absolute(), commit, settings
        self.carried = (*CARRIED, *carried)
        self._made: list[Path] = []
        prune()

    def new(self) -> Path:
        """Makes one.

        Raises:
            BadInputError: git cannot, or an ignored input is outside the workspace.
        """
        path = self.folder / f"{PREFIX}{len(self._made) + 1}"
        self._made.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Hooks that `dvc install` has put there would check out what the commit's dvc.lock says.
        git(
            "-c",
            f"core.hooksPath={os.devnull}",
            "worktree",
            "add",
            "--quiet",
            "--force",
            "--detach",
            str(path),
            self.commit,
        )
        configure(path, self.settings)
        for name in self.carried:
            source, target = Path(name), path / name
            if source.exists() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    target.symlink_to(source.resolve())
                else:
                    shutil.copy2(source, target)
        return path

    def close(self) -> None:
        """Removes all."""
        prune()
        with suppress(OSError):
            self.folder.rmdir()


def prune() -> None:
    """Removes every worktree of the repository that is one for a worker. For whoever holds the coordinator's lock."""
    for line in git("worktree", "list", "--porcelain").splitlines():
        path = Path(line.removeprefix("worktree "))
        if line.startswith("worktree ") and path.name.startswith(PREFIX):
            with suppress(BadInputError):
                git("worktree", "remove", "--force", "--force", str(path))
            shutil.rmtree(path, ignore_errors=True)
    git("worktree", "prune")
