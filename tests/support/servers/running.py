"""What the servers have in common: a process that listens on a port, and the objects that lie behind it."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from support import ROOT

SERVERS = ROOT / ".servers"
"""Where `install` puts what is no Python package of the project's."""
SECONDS_TO_START = 60


class Store(Protocol):
    """What lies on a server, by key: the path below the remote's URL."""

    def keys(self) -> list[str]:
        """Every key, sorted."""
        ...

    def read(self, key: str) -> bytes:
        """The content."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Puts other content there, behind the back of DVC."""
        ...

    def remove(self, key: str) -> None:
        """Takes it away."""
        ...


@dataclass(frozen=True)
class Folder:
    """A store in a folder."""

    root: Path

    def keys(self) -> list[str]:
        return sorted(str(file.relative_to(self.root)) for file in self.root.rglob("*") if file.is_file())

    def read(self, key: str) -> bytes:
        return (self.root / key).read_bytes()

    def write(self, key: str, content: bytes) -> None:
        file = self.root / key
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            # DVC takes an object of mode 0444 in a local folder for a good one: damage keeps the mode.
            mode = file.stat().st_mode
            file.chmod(0o644)
            file.write_bytes(content)
            file.chmod(mode)
        else:
            file.write_bytes(content)

    def remove(self, key: str) -> None:
        (self.root / key).unlink()


@dataclass(frozen=True)
class RemoteServer:
    """A place that a remote can be set to."""

    kind: str
    url: str
    store: Store
    settings: dict[str, str] = field(default_factory=dict)
    """What `dvc remote modify --local` has to say of it besides."""
    secrets: tuple[str, ...] = ()
    """What must never be seen."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """The path of an installed program, or a skipped test."""
    search = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]
    )
    found = shutil.which(name, path=search)
    if found is None:
        pytest.skip(f"{name} is not installed; tests/support/servers/install does it on Debian")
    return found


@dataclass(frozen=True)
class Server:
    """A process to run."""

    command: Sequence[str]
    port: int
    """That it listens on when it is ready."""
    log: Path


@contextmanager
def listening(*servers: Server) -> Iterator[None]:
    """Runs servers until the block ends; waits for their ports."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for server in servers:
            with server.log.open("ab") as output:
                process = subprocess.Popen(
                    server.command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                    start_new_session=True, preexec_fn=_end_with_the_tests if sys.platform == "linux" else None,
                )  # fmt: skip
            processes.append(process)
        deadline = time.monotonic() + SECONDS_TO_START
        for server, process in zip(servers, processes, strict=True):
            while not _answers(server.port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log = server.log.read_text(errors="replace")
                    raise RuntimeError(f"{' '.join(server.command)}: did not start\n{log}")
                time.sleep(0.05)
        yield
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _end_with_the_tests() -> None:
    # Tests that are killed end no block.
    set_signal_at_parents_death = 1
    ctypes.CDLL(None).prctl(set_signal_at_parents_death, signal.SIGTERM)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
