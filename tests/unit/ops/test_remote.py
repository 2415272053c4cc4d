"""The shared remote, in a small repository of its own and with a folder for a remote."""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from polyprobe.cli import main
from polyprobe.ops.remote.checking import check
from polyprobe.ops.remote.commands import app
from polyprobe.ops.remote.failures import RemoteError, is_missing, redacted, what_failed
from polyprobe.ops.remote.healing import heal
from polyprobe.ops.remote.storage import Storage, open_repository
from polyprobe.ops.remote.study_objects import Item
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
    copy = tmp_path / "here"
    shutil.copytree(made, copy)
    monkeypatch.chdir(copy)
    yield copy
    logging.getLogger("gcsfs").setLevel(logging.NOTSET)


def opened(store: Path | str) -> Storage:
    """Set the current folder's remote, and return it."""
    Path(".dvc/config.local").write_text(f"['remote \"storage\"']\n    url = {store}\n    verify = true\n")
    return Storage.open(open_repository())


def pushed(store: Path) -> Storage:
    """The same, with all that the study needs."""
    storage = opened(store)
    run("dvc", "push", "--quiet", "--run-cache", cwd=Path.cwd())
    return storage


def content(store: Path) -> dict[str, bytes]:
    """What lies in a store."""
    return {str(file.relative_to(store)): file.read_bytes() for file in sorted(store.rglob("*")) if file.is_file()}


def overwrite(file: Path, content: bytes) -> None:
    """Damages a file; DVC's own mode of it stays."""
    mode = file.stat().st_mode
    file.chmod(0o644)
    file.write_bytes(content)
    file.chmod(mode)


def object_of(storage: Storage, of: str) -> Item:
    """The object of an output."""
    return next(item for item in check(storage).items if item.of == of)


def in_clone(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Path) -> Storage:
    """Someone else's clone, as the current folder."""
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", made, clone, cwd=tmp_path)
    monkeypatch.chdir(clone)
    return opened(store)


def command(*arguments: str) -> tuple[int, str]:
    """Exit code and output of `polyprobe remote`."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_a_failure_is_one_line_without_secrets() -> None:
    inner = OSError("[Errno 111] Connection refused\nby hunter2")
    error = RuntimeError("something failed")
    error.__cause__ = inner
    settings = {"password": "hunter2", "url": "ssh://host/x", "ask_password": True}
    said = what_failed(error, settings)
    assert said == "RuntimeError: something failed; OSError: [Errno 111] Connection refused by ***"
    assert what_failed(ValueError(), {}) == "ValueError: ValueError"
    assert redacted("a True b", {"password": "", "token": None, "ask_password": True}) == "a True b"
    assert redacted("webdavs://ada:hunter2@host/x failed", {}) == "webdavs://ada:***@host/x failed"


@pytest.mark.parametrize("name", ["password", "passphrase", "secret_access_key", "session_token", "token"])
def test_every_secret_setting_is_redacted(name: str) -> None:
    assert redacted("login with hunter2", {name: "hunter2", "user": "login"}) == "login with ***"


def test_an_unreachable_server_is_no_missing_file() -> None:
    from aiohttp import ClientConnectionError

    error = FileNotFoundError("http://host/x")
    assert is_missing(error)
    error.__cause__ = ClientConnectionError("refused")
    assert not is_missing(error)
    assert not is_missing(PermissionError("x"))


def test_what_dvc_pushed_is_whole(here: Path, tmp_path: Path) -> None:
    storage = opened(tmp_path / "store")
    (here / ".dvc/cache/files/md5/00").mkdir()
    (here / ".dvc/cache/files/md5/00/other").write_text("of another study")
    found = check(storage)
    assert [item.of for item in found.missing] == [
        "data/counts.txt", "data/one.txt", "data/words/a", "data/words/b", "data/words/c", "data/words",
    ]  # fmt: skip
    pushed(tmp_path / "store")
    found = check(storage, deep=True)
    assert not found.missing
    assert not found.damaged
    assert found.bytes == sum(item.local.stat().st_size for item in found.items)
    # Besides, a run of each stage.
    assert len(content(tmp_path / "store")) == len(found.items) + 2 == 8


EACH_KIND = {("data/one.txt", "truncated"), ("data/words/b", "flipped"), ("data/words", "missing")}


@pytest.mark.parametrize(
    ("of", "how"),
    [
        pytest.param(of, how, marks=[] if (of, how) in EACH_KIND else [pytest.mark.soak])
        for of in ("data/one.txt", "data/words/b", "data/words")
        for how in ("truncated", "flipped", "missing")
    ],
)
def test_damage_there_is_found_refused_and_mended(
    of: str, how: str, here: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    storage = pushed(store)
    whole = content(store)
    item = object_of(storage, of)
    file = store / item.key
    if how == "missing":
        file.unlink()
    else:
        right = file.read_bytes()
        overwrite(file, right[:-3] if how == "truncated" else right[:20] + bytes([right[20] ^ 1]) + right[21:])
    found = check(storage, deep=True)
    assert (found.missing, found.damaged) == (([item], []) if how == "missing" else ([], [item]))

    other = in_clone(made, tmp_path, monkeypatch, store)
    with pytest.raises(AssertionError, match="ERROR"):
        run("dvc", "pull", "--run-cache", cwd=Path.cwd())
    assert heal(other, deep=True).left == {item: "the local cache has no copy"}

    monkeypatch.chdir(here)
    healed = heal(Storage.open(open_repository()), deep=True)
    assert (healed.uploaded, healed.left) == ([item], {})
    assert content(store) == whole

    monkeypatch.chdir(tmp_path / "clone")
    run("dvc", "pull", "--run-cache", cwd=Path.cwd())
    assert content(Path("data")) == content(here / "data")


def test_a_truncated_file_of_a_folder_is_found_by_a_clone_without_reading_all(
    made: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = object_of(pushed(tmp_path / "store"), "data/words/b")
    overwrite(tmp_path / "store" / item.key, b"short")
    assert check(in_clone(made, tmp_path, monkeypatch, tmp_path / "store")).damaged == [item]


def test_a_damaged_copy_here_is_not_uploaded(here: Path, tmp_path: Path) -> None:
    storage = pushed(tmp_path / "store")
    item = object_of(storage, "data/one.txt")
    file = tmp_path / "store" / item.key
    overwrite(file, b"damaged there")
    right = item.local.read_bytes()
    overwrite(item.local, b"damaged here" + right[12:])
    healed = heal(storage)
    assert healed.left == {item: "the local cache's copy is damaged too"}
    assert file.read_bytes() == b"damaged there"
    healed = heal(storage, remove=True)
    assert [each.of for each in healed.removed] == ["data/one.txt"]
    assert not file.exists()
    overwrite(item.local, right)
    assert not heal(storage).left


def test_a_damaged_copy_here_makes_nothing_damaged_there(here: Path, tmp_path: Path) -> None:
    storage = pushed(tmp_path / "store")
    overwrite(object_of(storage, "data/words/b").local, b"short")
    assert not check(storage).damaged


def test_a_listing_waits_for_its_files(here: Path, tmp_path: Path) -> None:
    storage = opened(tmp_path / "store")
    object_of(storage, "data/words/b").local.unlink()
    assert {item.of: why for item, why in heal(storage).left.items()} == {
        "data/words/b": "the local cache has no copy",
        "data/words": "not all of its files are there",
    }


def test_what_cannot_be_uploaded_is_named(here: Path, tmp_path: Path) -> None:
    storage = opened(tmp_path / "store")
    first = check(storage).missing[0]
    blocked = (tmp_path / "store" / first.key).parent
    blocked.parent.mkdir(parents=True)
    blocked.touch()
    healed = heal(storage)
    assert len(healed.uploaded) == 5
    assert list(healed.left) == [first]
    assert str(blocked) in healed.left[first]


def test_a_mirror_is_not_written_to(here: Path) -> None:
    storage = opened("http://ada:hunter2@127.0.0.1:1/mirror")
    with pytest.raises(RemoteError, match=r"http://ada:\*\*\*@127.0.0.1:1/mirror\): is a mirror to read from"):
        heal(storage)
    with pytest.raises(RemoteError, match="Connect call failed") as raised:
        check(storage)
    assert "hunter2" not in str(raised.value)


def test_the_command_line(here: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    opened(store)
    code, said = command("check")
    assert code == 1
    assert said.startswith(f"storage ({store}): 0 of 6 objects, 0.00B (sizes compared;")
    assert "6 missing, 0 damaged" in said
    assert command("heal") == (0, f"storage ({store}): 6 objects were missing, 0 damaged; uploaded 6\n")
    code, said = command("check", "--deep", "--name", "storage")
    assert (code, said.splitlines()[-1]) == (0, "nothing is missing, nothing damaged")


@pytest.mark.parametrize("name", ["dvc_s3", "s3fs"])
@pytest.mark.parametrize("asked", ["check", "heal"])
def test_a_kind_that_is_not_installed_names_the_extra(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, asked: str
) -> None:
    Path(".dvc/config.local").write_text("['remote \"storage\"']\n    url = s3://bucket/x\n")
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit) as ended:
        main(["remote", asked])
    said = str(ended.value)
    assert said.startswith("error: remote 'storage' (s3://bucket/x): ")
    assert said.endswith('; pip install "polyprobe[remotes]"')
    assert "\n" not in said
    assert capsys.readouterr() == ("", "")


def test_a_stage_that_has_not_run_is_named(here: Path, tmp_path: Path) -> None:
    lock = (here / "dvc.lock").read_text()
    (here / "dvc.lock").write_text(lock.replace("  count:", "  other:"))
    pushed(tmp_path / "store")
    code, said = command("check")
    assert code == 0
    assert "not run, so without outputs in dvc.lock: count" in said
    (here / "data/one.txt").unlink()
    run("dvc", "pull", "--quiet", "--run-cache", "--allow-missing", cwd=here)
    assert (here / "data/one.txt").exists()


def test_bad_input_is_one_line(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match=r"^no remote 'nowhere' is set, only: none; see docs/sharing\.md$"):
        Storage.open(open_repository(), "nowhere")
    (here / "dvc.lock").write_text(json.dumps({"schema": "2.0"})[:-3])
    with pytest.raises(BadInputError, match=r"dvc\.lock") as unread:
        open_repository()
    assert "\n" not in str(unread.value)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match="not inside of a DVC repository"):
        open_repository()
