"""The study on each kind of real server: pushed, wiped, pulled, damaged, mended, and pulled by someone else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.servers import RemoteServer, http_mirror
from support.shared_study import SERVERS, Clone, clone_of, copy_of, flipped, large_objects, truncated
from support.tiny_project import Project

pytestmark = pytest.mark.pipeline

KINDS = [
    "folder",
    pytest.param("ssh", marks=pytest.mark.slow),
    pytest.param("webdav", marks=pytest.mark.slow),
    pytest.param("s3", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteServer]:
    """A server of one kind."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param) / "server") as running:
        yield running


@pytest.fixture(scope="module")
def owner(finished: Project, server: RemoteServer, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Whoever ran the study and pushed it to the server."""
    owner = copy_of(finished, tmp_path_factory.mktemp("owner") / "project").shared_on(server)
    owner.push()
    return owner


@pytest.fixture(scope="module")
def colleague(owner: Clone, server: RemoteServer, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Whoever has a clone, in which the remote is set."""
    return clone_of(owner, tmp_path_factory.mktemp("colleague") / "project").shared_on(server)


def test_a_clone_pulls_the_study_and_computes_nothing(owner: Clone, colleague: Clone) -> None:
    owner.check()
    colleague.pull()
    colleague.is_whole(owner.outputs())
    assert colleague.repro() == set()
    assert (colleague.path / "data/report/index.html").stat().st_size > 10_000
    assert list((colleague.path / "data/report/figures").glob("*.svg"))


@pytest.mark.soak
def test_its_run_cache_restores_a_study_whose_lock_is_lost(owner: Clone, colleague: Clone) -> None:
    colleague.pull()
    lock = colleague.path / "dvc.lock"
    text = lock.read_text()
    lock.unlink()
    try:
        # These write to git too, and what lies there DVC does not push.
        ran = colleague.repro("resolve@step-20")
        assert ran <= {"fetch_ud", "convert_unimorph", "pretrain@pocket", "verify_checkpoints"}
    finally:
        lock.write_text(text)
        colleague.run("git", "reset", "--quiet", "--hard")


@pytest.mark.slow
@pytest.mark.parametrize("damage", [truncated, flipped])
def test_damage_is_refused_found_and_mended(
    owner: Clone, colleague: Clone, server: RemoteServer, damage: Callable[[bytes], bytes]
) -> None:
    keys = large_objects(server)
    key = keys[len(keys) // 3]
    whole = server.store.read(key)
    server.store.write(key, damage(whole))
    try:
        colleague.wipe()
        refused = colleague.run("dvc", "pull", "--run-cache", check=False)
        assert refused.returncode != 0, "DVC took a damaged object: is `verify` set?"

        status, said = colleague.remote("check", "--deep")
        assert status == 1
        assert "0 missing, 1 damaged" in said
        assert key in said
        # The colleague's own cache lacks it, and has nothing to mend it with.
        status, said = colleague.remote("heal", "--deep")
        assert status == 1
        assert "the local cache has no copy" in said

        status, said = owner.remote("check", *([] if damage is truncated else ["--deep"]))
        assert status == 1
        status, said = owner.remote("heal", "--deep")
        assert status == 0, said
        assert "1 damaged; uploaded 1\n" in said
        assert server.store.read(key) == whole
    finally:
        server.store.write(key, whole)
    colleague.pull()
    colleague.is_whole(owner.outputs())


@pytest.mark.soak
def test_a_missing_member_of_a_folder_is_mended(owner: Clone, server: RemoteServer) -> None:
    key = large_objects(server)[-1]
    whole = server.store.read(key)
    server.store.remove(key)
    try:
        status, said = owner.remote("check")
        assert status == 1
        assert "1 missing, 0 damaged" in said
        assert owner.remote("heal")[0] == 0
        assert server.store.read(key) == whole
    finally:
        server.store.write(key, whole)


@pytest.mark.slow
def test_a_mirror_over_http_is_read_and_never_written(finished: Project, tmp_path: Path) -> None:
    with SERVERS["folder"](tmp_path / "server") as folder:
        owner = copy_of(finished, tmp_path / "owner").shared_on(folder)
        owner.push()
        with http_mirror(tmp_path / "server" / "storage", tmp_path / "log") as mirror:
            colleague = clone_of(owner, tmp_path / "colleague").shared_on(mirror)
            colleague.pull()
            colleague.is_whole(owner.outputs())
            assert colleague.repro() == set()
            colleague.check()
            status, said = colleague.remote("heal")
            assert (status, "is a mirror to read from" in said) == (1, True)

            key = large_objects(mirror)[7]
            whole = mirror.store.read(key)
            mirror.store.write(key, flipped(whole))
            colleague.wipe()
            refused = colleague.run("dvc", "pull", "--run-cache", check=False)
            assert refused.returncode != 0
            assert owner.remote("heal", "--deep")[0] == 0
            assert mirror.store.read(key) == whole
            colleague.pull()
            colleague.is_whole(owner.outputs())
