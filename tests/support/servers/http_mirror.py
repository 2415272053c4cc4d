"""A folder over plain HTTP, to read only: Python's own http.server."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .running import Folder, RemoteServer, Server, free_port, listening


@contextmanager
def http_mirror(folder: Path, log: Path) -> Iterator[RemoteServer]:
    """Serves a folder that a remote lies in."""
    port = free_port()
    server = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    with listening(Server(server, port, log)):
        yield RemoteServer(kind="http", url=f"http://127.0.0.1:{port}/", store=Folder(folder))
