"""Debian's openssh-server with a configuration, a host key and a user's key of its own."""

import getpass
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .running import Folder, RemoteServer, Server, free_port, listening, program


@contextmanager
def ssh_server(home: Path) -> Iterator[RemoteServer]:
    """An SSH server for the current user; what it stores lies in `home`/storage."""
    sshd, keygen = program("sshd"), program("ssh-keygen")
    home.mkdir(parents=True, exist_ok=True)
    for name in ("host_key", "user_key"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    storage = home / "storage"
    storage.mkdir()
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = free_port()
    (home / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {home}/user_key.pub\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100:30:200\nMaxSessions 100\n"
        "Subsystem sftp internal-sftp\n"
    )
    with listening(Server([sshd, "-D", "-e", "-f", str(home / "sshd_config")], port, home / "log")):
        yield RemoteServer(
            kind="ssh",
            url=f"ssh://{getpass.getuser()}@127.0.0.1:{port}{storage}",
            settings={"keyfile": str(home / "user_key")},
            store=Folder(storage),
        )
