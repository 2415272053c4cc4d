"""Real servers on a free loopback port that a DVC remote can lie on, each a context manager.

`install`, a script beside this file, installs what they need; where something is missing, the test skips and says what.
"""

from .http_mirror import http_mirror
from .running import RemoteServer, free_port
from .sshd import ssh_server
from .swift import s3_server
from .webdav import webdav_server

__all__ = ["RemoteServer", "free_port", "http_mirror", "s3_server", "ssh_server", "webdav_server"]
