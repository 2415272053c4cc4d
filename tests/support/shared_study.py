"""What the tests of the shared remote have in common: a study that is pushed, and someone else's clone of it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.servers import RemoteServer, s3_server, ssh_server, webdav_server
from support.servers.running import Folder
from support.tiny_project import Project

REMOTE = (sys.executable, "-m", "polyprobe", "remote")
ANSWERS_WITHIN = 120
"""Seconds; a command that takes longer hangs."""


@dataclass(frozen=True)
class Clone(Project):
    """A checkout that shares its study by a remote."""

    def remote(self, *arguments: str) -> tuple[int, str]:
        """Runs `polyprobe remote`; its exit status and what it printed."""
        done = subprocess.run(
            [*REMOTE, *arguments], cwd=self.path, env=self.environment(), text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=ANSWERS_WITHIN,
        )  # fmt: skip
        return done.returncode, done.stdout

    def shared_on(self, server: RemoteServer) -> "Clone":
        """Sets the remote."""
        for name, value in {"url": server.url, **server.settings}.items():
            self.dvc("remote", "modify", "--local", "storage", name, value)
        return self

    def check(self) -> None:
        """The remote has the whole study, whole."""
        status, said = self.remote("check", "--deep")
        assert status == 0, said
        assert "nothing is missing, nothing damaged" in said

    def pull(self) -> None:
        """Pulls as `make pull` does, which must succeed."""
        self.dvc("pull", "--run-cache")

    def push(self) -> None:
        """Pushes as `make push` does, which must succeed."""
        self.dvc("push", "--run-cache")

    def wipe(self) -> None:
        """Takes away cache and outputs; what git holds stays."""
        shutil.rmtree(self.path / ".dvc/cache", ignore_errors=True)
        self.run("git", "clean", "-dxfq", "data", "metrics", "plots")

    def outputs(self) -> dict[str, bytes]:
        """Every output of the pipeline by its path, those in git too."""
        folders = [self.path / name for name in ("data", "metrics", "plots")]
        files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(self.path)): file.read_bytes() for file in files if file.name != ".gitignore"}

    def is_whole(self, outputs: dict[str, bytes]) -> None:
        """DVC finds nothing to do, and the outputs are these."""
        assert "Data and pipelines are up to date" in self.dvc("status")
        assert self.outputs() == outputs
        assert self.run("git", "status", "--porcelain").stdout == ""


def copy_of(project: Project, path: Path) -> Clone:
    """A copy with its cache."""
    shutil.copytree(project.path, path, symlinks=True)
    (path / ".dvc/config.local").unlink(missing_ok=True)
    return Clone(path)


def clone_of(project: Project, path: Path) -> Clone:
    """Someone else's clone: what git holds, no cache."""
    project.run("git", "clone", "--quiet", str(project.path), str(path))
    return Clone(path)


@contextmanager
def folder_server(home: Path) -> Iterator[RemoteServer]:
    """A local or network folder."""
    home.mkdir(parents=True)
    yield RemoteServer("folder", str(home / "storage"), Folder(home / "storage"))


SERVERS = {"folder": folder_server, "ssh": ssh_server, "webdav": webdav_server, "s3": s3_server}


def truncated(content: bytes) -> bytes:
    """The content without its end."""
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    """The content with one bit changed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def large_objects(server: RemoteServer) -> list[str]:
    """Keys of objects that are outputs with some bytes, no listings."""
    keys = [key for key in server.store.keys() if key.startswith("files/") and not key.endswith(".dir")]  # noqa: SIM118
    return [key for key in keys if len(server.store.read(key)) > 500]
