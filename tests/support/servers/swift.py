"""An S3 server that is no mock: OpenStack Swift with its S3 layer, one node, one replica.

It lives in an environment of its own, which `install` makes; POLYPROBE_SWIFT names another.
"""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from .running import SERVERS, RemoteServer, Server, free_port, listening

BUCKET: Final = "neurons"
PREFIX: Final = "remote"
KEY_ID: Final = "test:tester"
KINDS: Final = ("account", "container", "object")

_RINGS: Final = """
import sys
from swift.common.ring import RingBuilder
home, *kinds = sys.argv[1:]
for kind, port in (each.split(":") for each in kinds):
    builder = RingBuilder(4, 1, 0)
    builder.add_dev(dict(region=1, zone=1, weight=1.0, ip="127.0.0.1", port=int(port), device="d1"))
    builder.rebalance()
    builder.get_ring().save(f"{home}/{kind}.ring.gz")
"""
"""Where each part of Swift finds the others; run in Swift's own environment."""


@dataclass(frozen=True)
class Bucket:
    """A store in a bucket."""

    client: Any

    def keys(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{PREFIX}/")
        return sorted(found["Key"].removeprefix(f"{PREFIX}/") for page in pages for found in page.get("Contents", []))

    def read(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{key}")["Body"].read()
        return content

    def write(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{key}", Body=content)

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{key}")


@contextmanager
def s3_server(home: Path) -> Iterator[RemoteServer]:
    """An S3 server with one bucket."""
    programs = Path(os.environ.get("POLYPROBE_SWIFT", SERVERS / "swift")) / "bin"
    if not (programs / "swift-proxy-server").exists():
        pytest.skip(f"OpenStack Swift is not in {programs.parent}; tests/support/servers/install puts it there")
    disk = home / "disk" / "d1"
    disk.mkdir(parents=True)
    try:
        os.setxattr(disk, "user.swift", b"1")
    except OSError as error:
        pytest.skip(f"OpenStack Swift needs extended attributes, which {home} does not take: {error}")
    secret = secrets.token_hex(16)
    ports = {kind: free_port() for kind in (*KINDS, "proxy")}
    (home / "swift.conf").write_text(
        f"[swift-hash]\nswift_hash_path_suffix = {secrets.token_hex(8)}\n"
        "[storage-policy:0]\nname = one\ndefault = yes\n"
    )
    subprocess.run(
        [programs / "python", "-c", _RINGS, str(home), *(f"{kind}:{ports[kind]}" for kind in KINDS)], check=True
    )
    for kind in KINDS:
        (home / f"{kind}.conf").write_text(
            f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {ports[kind]}\nswift_dir = {home}\n"
            f"devices = {home / 'disk'}\nmount_check = false\nworkers = 0\nuser = {_user()}\n"
            f"disable_fallocate = true\n[pipeline:main]\npipeline = {kind}-server\n"
            f"[app:{kind}-server]\nuse = egg:swift#{kind}\n"
        )
    (home / "proxy.conf").write_text(
        f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {ports['proxy']}\nswift_dir = {home}\nworkers = 0\n"
        f"user = {_user()}\n[pipeline:main]\npipeline = catch_errors s3api tempauth proxy-server\n"
        "[filter:catch_errors]\nuse = egg:swift#catch_errors\n"
        "[filter:s3api]\nuse = egg:swift#s3api\ns3_acl = false\ncheck_bucket_owner = false\n"
        f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_test_tester = {secret} .admin\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\nallow_account_management = true\n"
    )
    servers = [
        Server(
            [str(programs / f"swift-{kind}-server"), str(home / f"{kind}.conf"), "--verbose"],
            ports[kind],
            home / f"{kind}.log",
        )
        for kind in (*KINDS, "proxy")
    ]
    with listening(*servers):
        endpoint = f"http://127.0.0.1:{ports['proxy']}"
        client = _client(endpoint, secret)
        client.create_bucket(Bucket=BUCKET)
        yield RemoteServer(
            kind="s3",
            url=f"s3://{BUCKET}/{PREFIX}",
            settings={"endpointurl": endpoint, "access_key_id": KEY_ID, "secret_access_key": secret},
            secrets=(secret,),
            store=Bucket(client),
        )
        client.close()


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _client(endpoint: str, secret: str) -> Any:
    from botocore.config import Config
    from botocore.session import Session

    return Session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}),
    )
