"""What goes wrong with a remote: it cannot be reached, it is killed in the middle, two push at once, secrets leak."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import Literal

import pytest

from support.servers import RemoteServer, free_port, ssh_server, webdav_server
from support.servers.running import Folder
from support.shared_study import SERVERS, Clone, clone_of, copy_of, large_objects, truncated
from support.tiny_project import Project

pytestmark = pytest.mark.pipeline

NO_SUCH_HOST = "no-such-host.invalid"


@pytest.fixture(scope="module")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteServer]:
    """A server whose uploads are not whole or nothing: what is stopped leaves a part under the right name."""
    with webdav_server(tmp_path_factory.mktemp("webdav") / "server") as server:
        yield server


@pytest.mark.parametrize("host", ["127.0.0.1", NO_SUCH_HOST])
@pytest.mark.parametrize(
    "kind", ["ssh", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("webdav", "http", "s3"))]
)
def test_an_unreachable_remote_is_one_line(small: Project, tmp_path: Path, host: str, kind: str) -> None:
    clone = clone_of(small, tmp_path / "clone")
    at = f"{host}:{free_port()}"
    settings = {
        "ssh": f"url = ssh://ada@{at}/x\ntimeout = 20\npassword = hunter2\n",
        "webdav": f"url = webdav://{at}/x\nuser = ada\npassword = hunter2\n",
        "s3": f"url = s3://neurons/x\nendpointurl = http://{at}\naccess_key_id = a\nsecret_access_key = hunter2\n",
        "http": f"url = http://{at}/x\n",
    }
    (clone.path / ".dvc/config.local").write_text(f"['remote \"storage\"']\n{settings[kind]}")
    status, said = clone.remote("check")
    assert status == 1
    assert said.startswith("error: remote 'storage' ("), said
    assert said.count("\n") == 1, said
    assert "hunter2" not in said


@pytest.mark.slow
def test_a_remote_that_went_away_loses_nothing(finished: Project, tmp_path: Path) -> None:
    owner = copy_of(finished, tmp_path / "owner")
    outputs = owner.outputs()
    owner.dvc("remote", "modify", "--local", "storage", "url", f"webdav://127.0.0.1:{free_port()}/x")
    assert owner.run("dvc", "push", "--run-cache", check=False).returncode != 0
    assert owner.remote("heal")[0] == 1
    owner.is_whole(outputs)


def killed(clone: Clone, command: Literal["push", "pull"], within: float) -> bool:
    """Starts a command of DVC and kills its process group; whether it was still running.

    Args:
        clone: where.
        command: which.
        within: so many seconds.
    """
    with TemporaryFile() as output:
        process = clone.start("dvc", command, "--run-cache", output=output)
        time.sleep(within)
        running = process.poll() is None
        if running:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return running


def seconds_of(clone: Clone, command: Literal["push", "pull"]) -> float:
    """How long a command takes undisturbed."""
    start = time.monotonic()
    clone.dvc(command, "--run-cache")
    return time.monotonic() - start


def empty(server: RemoteServer) -> None:
    """Takes away what lies on a server."""
    for key in list(server.store.keys()):
        server.store.remove(key)


def kill_pushes(owner: Clone, server: RemoteServer, colleague: Clone, kills: int, seed: int) -> int:
    """Kills pushes at random moments, each followed by one that ends and by healing; returns how many were hit."""
    chance, hit = random.Random(seed), 0
    undisturbed = seconds_of(owner, "push")
    for _ in range(kills):
        empty(server)
        hit += killed(owner, "push", chance.uniform(0.3, 1) * undisturbed)
        owner.push()
        # DVC takes what a stopped upload left in part for whole.
        assert owner.remote("heal")[0] == 0
        owner.check()
    colleague.pull()
    colleague.is_whole(owner.outputs())
    return hit


def kill_pulls(owner: Clone, colleague: Clone, kills: int, seed: int) -> int:
    """Kills pulls at random moments, each followed by one that ends; returns how many were hit."""
    chance, hit = random.Random(seed), 0
    undisturbed = seconds_of(colleague, "pull")
    for _ in range(kills):
        colleague.wipe()
        hit += killed(colleague, "pull", chance.uniform(0.3, 1) * undisturbed)
        colleague.pull()
        colleague.is_whole(owner.outputs())
    return hit


@pytest.mark.slow
def test_a_killed_push_and_a_killed_pull_go_on(finished: Project, webdav: RemoteServer, tmp_path: Path) -> None:
    owner = copy_of(finished, tmp_path / "owner").shared_on(webdav)
    colleague = clone_of(owner, tmp_path / "colleague").shared_on(webdav)
    assert kill_pushes(owner, webdav, colleague, kills=1, seed=1)
    assert kill_pulls(owner, colleague, kills=1, seed=8)


@pytest.mark.slow
def test_two_kills_of_each_over_ssh(finished: Project, tmp_path: Path) -> None:
    kill_each(finished, tmp_path, "ssh", kills=2, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["folder", "ssh", "webdav", "s3"])
def test_ten_kills_on_each_kind_of_server(finished: Project, tmp_path: Path, kind: str) -> None:
    kill_each(finished, tmp_path, kind, kills=5, seed=3)


def kill_each(finished: Project, home: Path, kind: str, kills: int, seed: int) -> None:
    """Kills so many pushes and so many pulls."""
    with SERVERS[kind](home / "server") as server:
        owner = copy_of(finished, home / "owner").shared_on(server)
        colleague = clone_of(owner, home / "colleague").shared_on(server)
        hit = kill_pushes(owner, server, colleague, kills, seed) + kill_pulls(owner, colleague, kills, seed + 1)
        print(f"{kind}: {hit} of {2 * kills} were still running when they were killed; nothing was lost")
        assert hit


@pytest.mark.slow
def test_what_a_stopped_upload_left_is_healed(finished: Project, webdav: RemoteServer, tmp_path: Path) -> None:
    empty(webdav)
    owner = copy_of(finished, tmp_path / "owner").shared_on(webdav)
    owner.push()
    for key in large_objects(webdav)[:3]:
        webdav.store.write(key, truncated(webdav.store.read(key)))
    # DVC's own push takes them for there.
    owner.push()
    status, said = owner.remote("check")
    assert (status, "0 missing, 3 damaged" in said) == (1, True)
    status, said = owner.remote("heal")
    assert (status, "uploaded 3" in said) == (0, True), said
    owner.check()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ssh", "webdav", pytest.param("s3", marks=pytest.mark.soak)])
def test_two_push_different_studies_at_once(finished: Project, other_study: Clone, tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path / "server") as server:
        owners = [copy_of(finished, tmp_path / "ada"), copy_of(other_study, tmp_path / "bob")]
        for owner in owners:
            owner.shared_on(server)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Clone.push, owners))
        outputs = [owner.outputs() for owner in owners]
        assert outputs[0] != outputs[1]
        for number, owner in enumerate(owners):
            owner.check()
            clone = clone_of(owner, tmp_path / f"clone-{number}").shared_on(server)
            clone.pull()
            clone.is_whole(outputs[number])


@pytest.fixture(scope="module")
def other_study(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The same with another k, so with other tables, figures and page."""
    other = copy_of(finished, tmp_path_factory.mktemp("other") / "project")
    parameters = (other.path / "params.yaml").read_text()
    k = re.search(r"^overlap:\n(?:  .*\n)*?  k: (\d+)", parameters, re.MULTILINE)
    assert k
    other.run("dvc", "exp", "run", "--set-param", f"overlap.k={int(k[1]) - 1}")
    other.commit("another k")
    return other


@pytest.mark.slow
def test_a_full_disk_there_is_told_and_the_push_goes_on(finished: Project, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=False, capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        there = RemoteServer("folder", str(small / "storage"), Folder(small / "storage"))
        owner = copy_of(finished, tmp_path / "owner").shared_on(there)
        assert owner.run("dvc", "push", "--run-cache", check=False).returncode != 0
        status, said = owner.remote("heal")
        assert status == 1
        assert "No space left" in said
        assert "Traceback" not in said
        subprocess.run(["mount", "-o", "remount,size=100m", small], check=True)
        assert owner.remote("heal")[0] == 0
        owner.check()
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.slow
def test_secrets_are_seen_nowhere(finished: Project, webdav: RemoteServer, tmp_path: Path) -> None:
    owner = copy_of(finished, tmp_path / "owner").shared_on(webdav)
    (secret,), key = webdav.secrets, token_hex(16)
    local = owner.path / ".dvc/config.local"
    assert secret in local.read_text()
    planted = local.read_text() + (
        "['remote \"other\"']\nurl = s3://neurons/x\n"
        f"endpointurl = http://127.0.0.1:{free_port()}\naccess_key_id = id\nsecret_access_key = {key}\n"
    )
    local.write_text(planted)
    secrets = [secret, key]
    owner.push()
    printed = [owner.remote(command)[1] for command in ("check", "heal")]
    printed += [owner.remote("check", "--name", "other")[1]]
    # The server stops taking this password, and others fail with it too.
    local.write_text(planted.replace(secret, secret[::-1]))
    secrets.append(secret[::-1])
    printed += [owner.remote(command)[1] for command in ("check", "heal")]
    for command in (("pull", "--run-cache"), ("push", "--run-cache"), ("status", "--cloud"), ("fetch", "--verbose")):
        failed = owner.run("dvc", *command, check=False)
        printed.append(failed.stdout)
    owner.run("dvc", "repro", "--force", "--single-item", "overlap")
    owner.commit("everything that git takes")
    objects = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer"],
        cwd=owner.path, check=True, capture_output=True,
    ).stdout  # fmt: skip
    assert b"overlap:" in objects
    places = [owner.path / name for name in ("data", "metrics", "plots", ".scratch")]
    files = [file for place in places for file in place.rglob("*") if file.is_file()]
    assert any(file.name == "runs.jsonl" for file in files)
    for planted in secrets:
        for text in printed:
            assert planted not in text
        assert planted.encode() not in objects
        for file in files:
            assert planted.encode() not in file.read_bytes(), file
    assert "config.local" not in owner.run("git", "ls-files").stdout


@pytest.mark.slow
def test_wrong_credentials_are_one_line(finished: Project, webdav: RemoteServer, tmp_path: Path) -> None:
    clone = clone_of(finished, tmp_path / "clone")
    with ssh_server(tmp_path / "ssh") as ssh:
        other = tmp_path / "other_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
        attempts = {
            "Permission denied": (ssh.url, {"keyfile": str(other)}),
            "Invalid private key": (ssh.url, {"keyfile": str(tmp_path / "ssh" / "log")}),
            "401": (webdav.url, {"user": "ada", "password": "hunter2"}),
            "SSL": (webdav.url.replace("webdav:", "webdavs:"), webdav.settings),
        }
        for expected, (url, settings) in attempts.items():
            (clone.path / ".dvc/config.local").unlink(missing_ok=True)
            clone.shared_on(RemoteServer("wrong", url, webdav.store, settings))
            status, said = clone.remote("check")
            assert status == 1
            assert said.startswith("error: remote 'storage' ("), said
            assert expected in said, said
            assert said.count("\n") == 1, said
            assert "hunter2" not in said


@pytest.mark.slow
def test_wrong_credentials_of_s3_are_one_line(finished: Project, tmp_path: Path) -> None:
    clone = clone_of(finished, tmp_path / "clone")
    with SERVERS["s3"](tmp_path / "server") as s3:
        clone.shared_on(RemoteServer("s3", s3.url, s3.store, s3.settings | {"secret_access_key": "hunter2"}))
        status, said = clone.remote("check")
        assert status == 1
        assert "Forbidden" in said, said
        assert said.count("\n") == 1, said
        assert "hunter2" not in said


@pytest.mark.slow
def test_a_key_with_a_passphrase_is_taken(finished: Project, tmp_path: Path) -> None:
    with ssh_server(tmp_path / "ssh") as ssh:
        key = tmp_path / "ssh" / "user_key"
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", key], check=True)
        clone = clone_of(finished, tmp_path / "clone").shared_on(ssh)
        status, said = clone.remote("check")
        assert status == 1
        assert "passphrase" in said.lower(), said
        clone.dvc("remote", "modify", "--local", "storage", "passphrase", "open sesame")
        status, said = clone.remote("check")
        assert status == 1
        assert "0 damaged" in said, said
        assert "open sesame" not in said
