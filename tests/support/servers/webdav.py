"""A WebDAV server: WsgiDAV, which asks for a user and a password."""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from .running import Folder, RemoteServer, Server, free_port, listening

USER = "ada"


@contextmanager
def webdav_server(home: Path) -> Iterator[RemoteServer]:
    """A WebDAV server; what it stores lies in `home`/storage."""
    if not (find_spec("wsgidav") and find_spec("cheroot")):
        pytest.skip("WsgiDAV is not installed; it is among the project's `dev` dependencies")
    storage = home / "storage"
    storage.mkdir(parents=True)
    port, password = free_port(), secrets.token_hex(16)
    (home / "wsgidav.json").write_text(
        json.dumps(
            {
                "host": "127.0.0.1",
                "port": port,
                "server": "cheroot",
                "provider_mapping": {"/": str(storage)},
                "simple_dc": {"user_mapping": {"*": {USER: {"password": password}}}},
                "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
                "logging": {"enable_loggers": []},
                "verbose": 1,
            }
        )
    )
    server = [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(home / "wsgidav.json")]
    with listening(Server(server, port, home / "log")):
        yield RemoteServer(
            kind="webdav",
            url=f"webdav://127.0.0.1:{port}/",
            settings={"user": USER, "password": password},
            secrets=(password,),
            store=Folder(storage),
        )
