"""The shared remote, in a small repository of its own and with a folder for a remote."""

import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from polyprobe.ops.remote import Place, RemoteError, check, heal, open_repository, pull, push, set_remote, try_remote
from polyprobe.ops.remote.__main__ import main, size
from polyprobe.ops.remote.kinds import kind_of, settings
from polyprobe.ops.remote.moving import plan_pull, plan_push
from polyprobe.ops.remote.place import host_of
from polyprobe.ops.remote.reasons import is_missing, redacted, why
from polyprobe.running.errors import BadInputError

STAGES = """\
stages:
  words:
    cmd: python make.py
    deps: [make.py]
    outs: [data/words, data/one.txt]
  count:
    cmd: python count.py
    deps: [count.py, data/words]
    outs: [data/counts.txt]
    metrics: [counts.json: {cache: false}]
"""
MAKE = """\
from pathlib import Path
Path("data/words").mkdir(parents=True, exist_ok=True)
for name in ("a", "b", "c"):
    Path("data/words", name).write_text(name * 1000)
Path("data/one.txt").write_text("one" * 100)
"""
COUNT = """\
from pathlib import Path
Path("data/counts.txt").write_text("3000")
Path("counts.json").write_text('{"words": 3}')
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Runs a command, which must succeed."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "tester", "GIT_AUTHOR_EMAIL": "tester@example.org",
        "GIT_COMMITTER_NAME": "tester", "GIT_COMMITTER_EMAIL": "tester@example.org",
    }  # fmt: skip
    done = subprocess.run(
        command, cwd=cwd, env=environment, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose two stages have run. Tests work on clones, and on copies."""
    home = tmp_path_factory.mktemp("remote") / "repository"
    (home / "data").mkdir(parents=True)
    run("git", "init", "--quiet", cwd=home)
    run("dvc", "init", "--quiet", cwd=home)
    (home / ".dvc/config").write_text("[core]\n    remote = storage\n    analytics = false\n[cache]\n    type = copy\n")
    (home / ".gitignore").write_text("/data\n")
    for name, text in (("dvc.yaml", STAGES), ("make.py", MAKE), ("count.py", COUNT)):
        (home / name).write_text(text)
    run("dvc", "repro", "--quiet", cwd=home)
    run("git", "add", "--all", cwd=home)
    run("git", "commit", "--quiet", "--message", "made", cwd=home)
    return home


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the repository, with its cache, as the current folder."""
    import shutil

    copy = tmp_path / "here"
    shutil.copytree(made, copy)
    monkeypatch.chdir(copy)
    yield copy
    logging.getLogger("gcsfs").setLevel(logging.NOTSET)


def opened(store: Path) -> Place:
    """The current folder's remote, set to a folder."""
    set_remote(open_repository(), str(store), "storage", {})
    return Place.open(open_repository())


def pushed(store: Path) -> Place:
    """The same, with all that the study needs."""
    place = opened(store)
    plan = plan_push(place)
    push(place, plan)
    assert not plan.failed
    return place


def content(store: Path) -> dict[str, bytes]:
    """What lies in a store."""
    return {str(file.relative_to(store)): file.read_bytes() for file in sorted(store.rglob("*")) if file.is_file()}


def overwrite(file: Path, content: bytes) -> None:
    """Damages a file; DVC's own mode of it stays."""
    mode = file.stat().st_mode
    file.chmod(0o644)
    file.write_bytes(content)
    file.chmod(mode)


def object_of(place: Place, of: str) -> Any:
    """The object of an output."""
    return next(item for item in check(place).study.items if item.of == of)


def in_clone(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Path) -> Place:
    """Someone else's clone, as the current folder."""
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", made, clone, cwd=tmp_path)
    monkeypatch.chdir(clone)
    return opened(store)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host/x", "expected one of ssh://"),
        ("ada@host:storage", "expected ssh://ada@host/storage"),
        ("host:/storage", "expected ssh://host/storage"),
        ("ssh://host", "expected a folder on the host"),
        ("ssh:///x", "expected a host"),
        ("ssh://host:abc/x", "not a URL"),
        ("ssh://ada:hunter2@host/x", "has a password in it"),
        ("https://ada@host/x", "has a user in it"),
        ("https://host/x?token=1", "no ? and no #"),
        ("s3://", "expected a bucket"),
        ("s3://UPPER/x", "no name of a bucket"),
        ("s3://host:9000/bucket", "--endpoint-url"),
        ("", "the URL is empty"),
        ("/no/such/folder/at/all", "is it mounted?"),
        ("store", "lies in the repository"),
    ],
)
def test_a_wrong_url_is_told(url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError) as raised:
        kind_of(url)
    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(BadInputError, match="is no folder"):
        kind_of(str(file))


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("s3://bucket/x", {"keyfile": "key"}, "--keyfile: does not go with S3, which takes --user"),
        ("ssh://host/x", {"endpoint_url": "http://x"}, "--endpoint-url: does not go with SSH"),
        ("s3://bucket/x", {"user": "id"}, "its secret"),
        ("s3://bucket/x", {"password": "secret"}, "its secret"),
        ("webdav://host/x", {"password": "secret"}, "go with --user"),
        ("ssh://host/x", {"password": "secret", "ask_password": True}, "keeps no password"),
        ("ssh://host/x", {"keyfile": "/no/such/key"}, "no such file"),
        ("s3://bucket/x", {"endpoint_url": "host:9000"}, "expected http://HOST"),
    ],
)
def test_options_that_do_not_go_together_are_told(url: str, options: Mapping[str, Any], said: str) -> None:
    with pytest.raises(BadInputError) as raised:
        settings(url, options)
    assert said in str(raised.value)
    assert "secret" not in str(raised.value).replace("its secret", "")


def test_settings_are_those_of_dvc(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    assert settings("s3://bucket/x", {"user": "id", "password": "secret", "endpoint_url": "http://h:1", "jobs": 3}) == {
        "url": "s3://bucket/x", "verify": True, "connect_timeout": 10, "read_timeout": 60,
        "access_key_id": "id", "secret_access_key": "secret", "endpointurl": "http://h:1", "jobs": 3,
    }  # fmt: skip
    with_key = settings("ssh://ada@host/x", {"keyfile": str(key), "password": "secret", "ask_password": None})
    assert with_key == {
        "url": "ssh://ada@host/x", "verify": True, "timeout": 20, "keyfile": str(key), "passphrase": "secret"
    }  # fmt: skip
    assert settings("https://host/x", {"user": "ada", "ask_password": True})["auth"] == "basic"
    assert settings("gs://bucket/x", {"anonymous": True})["allow_anonymous_login"] is True
    assert settings("webdavs://host/x", {"token": "t"})["token"] == "t"


@pytest.mark.parametrize("kind", ["ssh", "s3", "gs", "webdav", "webdavs", "http", "https", ""])
def test_dvc_takes_every_kind_of_settings(kind: str, tmp_path: Path) -> None:
    from dvc.config import Config

    url = f"{kind}://bucket/x" if kind else str(tmp_path / "store")
    taken = Config.validate({"remote": {"storage": settings(url, {"jobs": 2})}})
    assert taken["remote"]["storage"]["verify"] is True


@pytest.mark.parametrize(
    ("url", "given", "host"),
    [
        ("webdavs://host/x", {}, ("https", "host", 443)),
        ("webdav://host:81/x", {}, ("http", "host", 81)),
        ("s3://bucket/x", {"endpointurl": "http://here:9000"}, ("http", "here", 9000)),
        ("s3://bucket/x", {}, None),
        ("gs://bucket/x", {}, ("https", "storage.googleapis.com", 443)),
        ("ssh://host/x", {}, None),
        ("/a/folder", {}, None),
    ],
)
def test_the_host_that_is_asked(url: str, given: Mapping[str, Any], host: tuple[str, str, int] | None) -> None:
    assert host_of(url, given) == host


def test_a_reason_is_one_line_without_secrets() -> None:
    inner = OSError("[Errno 111] Connection refused\nby hunter2")
    error = RuntimeError("something failed")
    error.__cause__ = inner
    told = why(error, {"password": "hunter2", "url": "ssh://host/x"})
    assert told.startswith("the connection was refused")
    assert "\n" not in told
    assert "hunter2" not in why(OSError("login with hunter2 failed"), {"password": "hunter2"})
    assert redacted("a b", {"password": "", "token": None}) == "a b"
    assert why(ValueError(), {}) == "ValueError: ValueError"


def test_an_unreachable_server_is_no_missing_file() -> None:
    from aiohttp import ClientConnectionError

    error = FileNotFoundError("http://host/x")
    assert is_missing(error)
    error.__cause__ = ClientConnectionError("refused")
    assert not is_missing(error)
    assert not is_missing(PermissionError("x"))


def test_sizes_are_for_people() -> None:
    assert [size(n) for n in (0, 999, 4_700_000, 5 * 10**15)] == ["0 bytes", "999 bytes", "4.7 MB", "5000.0 TB"]


def test_set_tries_and_then_writes_what_git_ignores(here: Path, tmp_path: Path) -> None:
    before = (here / ".dvc/config").read_bytes()
    tried = set_remote(open_repository(), str(tmp_path / "store"), "storage", {"jobs": 2}, default=True)
    assert tried.said.startswith("wrote, read back and removed one object")
    assert content(tmp_path / "store") == {}
    local = here / ".dvc/config.local"
    assert "verify = True" in local.read_text()
    assert stat.S_IMODE(local.stat().st_mode) == 0o600
    assert (here / ".dvc/config").read_bytes() == before
    assert run("git", "status", "--porcelain", cwd=here) == ""
    # Nothing of the old setting stays.
    set_remote(open_repository(), str(tmp_path / "other"), "storage", {})
    assert "jobs" not in local.read_text()
    assert f"url = {tmp_path / 'other'}" in local.read_text()


def test_set_leaves_the_old_setting_where_the_new_one_fails(here: Path, tmp_path: Path) -> None:
    opened(tmp_path / "store")
    before = (here / ".dvc/config.local").read_bytes()
    (tmp_path / "blocked" / "files").mkdir(parents=True)
    (tmp_path / "blocked" / "files" / "md5").touch()
    with pytest.raises(RemoteError, match=r"blocked"):
        set_remote(open_repository(), str(tmp_path / "blocked"), "storage", {})
    with pytest.raises(BadInputError, match="--name A B"):
        set_remote(open_repository(), str(tmp_path / "store"), "A B", {})
    assert (here / ".dvc/config.local").read_bytes() == before


def test_set_refuses_a_configuration_that_git_would_take(here: Path, tmp_path: Path) -> None:
    (here / ".dvc/.gitignore").write_text("/tmp\n/cache\n")
    with pytest.raises(BadInputError, match="git does not ignore it"):
        set_remote(open_repository(), str(tmp_path / "store"), "storage", {})
    assert not (here / ".dvc/config.local").exists()


def test_push_takes_what_the_study_needs_and_no_more(here: Path, tmp_path: Path) -> None:
    (here / ".dvc/cache/files/md5/00").mkdir()
    (here / ".dvc/cache/files/md5/00/other").write_text("of another study")
    place = pushed(tmp_path / "store")
    # Three files of a folder and its listing, two single files, the metrics that only the run-cache holds, two runs.
    assert len(content(tmp_path / "store")) == 9
    assert not plan_push(place).items
    found = check(place, deep=True)
    assert not found.faulty
    assert [item.of for item in found.study.items if not item.required] == [
        "counts.json",
        "run of count",
        "run of words",
    ]


def test_a_clone_gets_everything_and_restores_a_stage(
    here: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed(tmp_path / "store")
    place = in_clone(made, tmp_path, monkeypatch, tmp_path / "store")
    plan = plan_pull(place)
    assert len(plan.items) + len(plan.listings) == 9
    pull(place, plan)
    assert content(Path("data")) == content(here / "data")
    assert "up to date" in run("dvc", "status", cwd=Path.cwd())
    Path("dvc.lock").unlink()
    Path("counts.json").unlink()
    again = run("dvc", "repro", cwd=Path.cwd())
    assert "Running stage" not in again
    assert again.count("is cached - skipping run") == 2
    assert Path("counts.json").read_bytes() == (here / "counts.json").read_bytes()
    assert not plan_pull(place).items


def test_a_clone_that_pulled_by_dvc_alone_can_push_the_runs(
    here: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed(tmp_path / "store")
    for file in sorted((tmp_path / "store" / "runs").rglob("*")):
        if file.is_file():
            file.unlink()
    place = in_clone(made, tmp_path, monkeypatch, tmp_path / "store")
    run("dvc", "pull", cwd=Path.cwd())
    plan = plan_push(place)
    assert [item.of for item in plan.items] == ["run of count", "run of words"]
    push(place, plan)
    assert not check(place, deep=True).faulty


@pytest.mark.parametrize("how", ["truncated", "flipped", "missing"])
@pytest.mark.parametrize("of", ["data/one.txt", "data/words/b", "data/words", "run of count"])
def test_damage_there_is_found_refused_and_mended(
    of: str, how: str, here: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    place = pushed(store)
    whole = content(store)
    item = object_of(place, of)
    file = store / item.key
    if how == "missing":
        file.unlink()
    else:
        right = file.read_bytes()
        overwrite(file, right[:-3] if how == "truncated" else right[:20] + bytes([right[20] ^ 1]) + right[21:])
    found = check(place, deep=True)
    assert found.faulty == [item]
    assert (item in found.damaged) == (how != "missing")

    other = in_clone(made, tmp_path, monkeypatch, store)
    plan = plan_pull(other)
    pull(other, plan)
    if item.required:
        assert [failed.of for failed in plan.failed] == [of]
        assert not Path("data/one.txt").exists()
    else:
        assert plan.without == [item]
        assert Path("data/one.txt").exists()
    assert heal(other, deep=True).left.keys() == {item} or not item.required

    monkeypatch.chdir(here)
    healed = heal(Place.open(open_repository()), deep=True)
    assert not healed.left
    assert content(store) == whole

    monkeypatch.chdir(tmp_path / "clone")
    other = Place.open(open_repository())
    plan = plan_pull(other)
    pull(other, plan)
    assert not plan.failed
    assert content(Path("data")) == content(here / "data")


def test_a_truncated_file_of_a_folder_is_found_by_a_clone_without_reading_all(
    made: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = object_of(pushed(tmp_path / "store"), "data/words/b")
    overwrite(tmp_path / "store" / item.key, b"short")
    assert check(in_clone(made, tmp_path, monkeypatch, tmp_path / "store")).faulty == [item]


def test_a_damaged_copy_here_is_not_uploaded(here: Path, tmp_path: Path) -> None:
    place = pushed(tmp_path / "store")
    item = object_of(place, "data/one.txt")
    file = tmp_path / "store" / item.key
    overwrite(file, b"damaged there")
    right = item.local.read_bytes()
    overwrite(item.local, b"damaged here" + right[12:])
    healed = heal(place)
    assert healed.left == {item: "the local cache's copy is damaged too"}
    assert file.read_bytes() == b"damaged there"
    healed = heal(place, remove=True)
    assert [each.of for each in healed.removed] == ["data/one.txt"]
    assert not file.exists()
    plan = plan_push(place)
    assert plan.failed == {item: "the local cache is damaged, the remote has none"}
    overwrite(item.local, right)
    assert not heal(place).left


def test_a_listing_waits_for_its_files(here: Path, tmp_path: Path) -> None:
    place = opened(tmp_path / "store")
    object_of(place, "data/words/b").local.unlink()
    plan = plan_push(place)
    push(place, plan)
    assert {item.of: why for item, why in plan.failed.items()} == {
        "data/words/b": "the local cache has no copy, the remote has none",
        "data/words": "not all of its files are there",
    }


@pytest.mark.parametrize("how", ["truncated", "flipped", "flipped in secret", "missing"])
def test_pull_mends_the_local_cache(how: str, here: Path, tmp_path: Path) -> None:
    place = pushed(tmp_path / "store")
    cached = content(here / ".dvc/cache")
    for of in ("data/words", "data/words/c", "data/counts.txt", "run of count"):
        file = object_of(place, of).local
        right, times = file.read_bytes(), file.stat()
        if how == "missing":
            file.unlink()
            continue
        overwrite(file, right[:-3] if how == "truncated" else bytes([right[0] ^ 1]) + right[1:])
        if how == "flipped in secret":
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    place = Place.open(open_repository())
    plan = plan_pull(place, deep=how == "flipped in secret")
    assert len(plan.items) + len(plan.listings) == 4
    pull(place, plan)
    assert not plan.failed
    assert content(here / ".dvc/cache") == cached


def test_pull_leaves_what_was_changed_by_hand(here: Path, tmp_path: Path) -> None:
    place = pushed(tmp_path / "store")
    right = (here / "data/one.txt").read_bytes()
    (here / "data/one.txt").write_text("changed by hand")
    with pytest.raises(BadInputError, match="--force"):
        pull(place, plan_pull(place))
    assert (here / "data/one.txt").read_text() == "changed by hand"
    pull(place, plan_pull(place), force=True)
    assert (here / "data/one.txt").read_bytes() == right


def test_a_stage_that_has_not_run_is_named(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = (here / "dvc.lock").read_text()
    (here / "dvc.lock").write_text(lock.replace("  count:", "  other:"))
    opened(tmp_path / "store")
    for command in ("push", "pull"):
        monkeypatch.setattr(sys, "argv", ["remote", command])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        assert "not run, so without outputs in dvc.lock: count" in capsys.readouterr().out
        (here / "data/one.txt").unlink(missing_ok=True)
    # That was after the pull: the next brings back what can be had.
    place = Place.open(open_repository())
    pull(place, plan_pull(place))
    assert (here / "data/one.txt").exists()


def test_try_says_what_it_did(here: Path, tmp_path: Path) -> None:
    assert "wrote, read back and removed" in try_remote(opened(tmp_path / "store")).said


def test_the_command_line_tells_errors_in_one_line(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*arguments: str) -> tuple[int | str | None, str]:
        monkeypatch.setattr(sys, "argv", ["remote", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    store = str(tmp_path / "store")
    assert told("check") == ("error: no remote 'storage' is set, only none; set one with "
                             "`python -m polyprobe.ops.remote set URL --name NAME`", "")  # fmt: skip
    code, said = told("set", store, "--name", "mirror")
    assert code == 0
    assert "it is not the default" in said
    assert told("set", store)[0] == 0
    code, said = told("check")
    assert code == 1
    assert "9 missing, 0 damaged" in said
    code, said = told("push")
    assert (code, said.splitlines()[0]) == (0, f"pushing 9 of 9 objects, 4.2 kB, to storage ({store})")
    assert told("check", "--deep")[0] == 0
    assert told("try")[0] == 0
    assert told("heal") == (0, f"storage ({store}): 0 objects were missing, 0 damaged; uploaded 0, 0 bytes\n")
    assert told("pull", "--name", "mirror") == (
        0, "all 9 objects of the study in force are here, its outputs in the workspace\n"
    )  # fmt: skip
    code, said = told("set", "webdav://host.invalid/x", "--user", "ada", "--password-from", "NO_SUCH_VARIABLE")
    assert (
        code
        == "error: --password-from NO_SUCH_VARIABLE: expected the name of an environment variable; there is none such"
    )
    monkeypatch.chdir(tmp_path)
    assert "not inside of a DVC repository" in str(told("check")[0])


def test_an_unreadable_lock_is_one_line(here: Path) -> None:
    (here / "dvc.lock").write_text(json.dumps({"schema": "2.0"})[:-3])
    with pytest.raises(BadInputError) as raised:
        open_repository()
    assert "dvc.lock" in str(raised.value)
    assert "\n" not in str(raised.value)
