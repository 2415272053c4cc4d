"""Downloads against a real server that fails: tried again, resumed or refused, and nothing half-written."""

import gzip
import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polyprobe.downloads import check_archive, download, extract, http, lock, read_url
from polyprobe.running.errors import BadInputError
from support.loopback import Served, serving

BODY = random.Random(0).randbytes(3_000_000)
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(http, "_FIRST_WAIT", 0.001)
    for name in ("POLYPROBE_SCRATCH", "POLYPROBE_MIRROR", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Served]:
    with serving({"/file.bin": BODY}) as served:
        yield served


def files() -> set[str]:
    return {path.name for path in Path().rglob("*") if path.is_file() and path.suffix != ".guard"}


def test_a_file_is_downloaded_once_and_recorded(server: Served) -> None:
    url = f"{server.url}/file.bin"
    assert download(url).read_bytes() == BODY
    assert lock.recorded(url) == DIGEST
    assert download(url).read_bytes() == BODY
    assert server.asked("/file.bin") == [None]
    assert files() == {"file.bin", "downloads.lock"}


def test_a_stated_digest_needs_no_record(server: Served) -> None:
    download(f"{server.url}/file.bin", DIGEST)
    assert not lock.PATH.exists()


def test_two_503_and_a_cut_connection_are_got_over(server: Served) -> None:
    server.faults["/file.bin"] = [503, 503, ("cut", 1_200_000), ("cut", 300_000)]
    assert download(f"{server.url}/file.bin", DIGEST).read_bytes() == BODY
    ranges = server.asked("/file.bin")
    assert ranges[:3] == [None] * 3
    starts = [int(str(header).removeprefix("bytes=").removesuffix("-")) for header in ranges[3:]]
    # Each attempt went on where the last one ended; what was in flight when the connection broke may be lost.
    assert len(starts) == 2
    assert 0 < starts[0] <= 1_200_000
    assert starts[0] < starts[1] <= 1_500_000


def test_the_server_says_how_long_to_wait(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.faults["/file.bin"] = [503, 429]
    server.headers["Retry-After"] = "7"
    download(f"{server.url}/file.bin", DIGEST)
    assert waits == [7, 7]


def test_a_server_that_cannot_resume_is_read_from_the_start(server: Served) -> None:
    server.resumes = False
    server.faults["/file.bin"] = [("cut", 1_000_000)]
    assert download(f"{server.url}/file.bin", DIGEST).read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_not_joined_to_its_old_beginning(server: Served) -> None:
    server.faults["/file.bin"] = [("cut", 1_000_000), *[503] * 5]
    with pytest.raises(BadInputError, match=r"HTTP 503; gave up after 6 attempts"):
        download(f"{server.url}/file.bin")
    server.files["/file.bin"] = BODY[::-1]
    assert download(f"{server.url}/file.bin").read_bytes() == BODY[::-1]


def test_a_server_that_stays_away_is_given_up_and_resumed_by_the_next_run(server: Served) -> None:
    server.faults["/file.bin"] = [("cut", 2_000_000), *[503] * 5]
    url = f"{server.url}/file.bin"
    with pytest.raises(BadInputError, match=r"file\.bin: HTTP 503; gave up after 6 attempts"):
        download(url, DIGEST)
    assert files() == {".file.bin.part", ".file.bin.part.validator"}
    assert download(url, DIGEST).read_bytes() == BODY
    assert str(server.asked("/file.bin")[-1]).startswith("bytes=")
    assert files() == {"file.bin"}


def test_a_killed_download_is_resumed(server: Served, tmp_path: Path) -> None:
    slow = f"""
import polyprobe.downloads.http as http
import time
http._PIECE = 10_000
real = http.progress
def progress(**options):
    bar = real(**options)
    update = bar.update
    bar.update = lambda count: (time.sleep(0.02), update(count))
    return bar
http.progress = progress
http.download({f"{server.url}/file.bin"!r}, {DIGEST!r})
"""
    process = subprocess.Popen([sys.executable, "-c", slow])
    part = next(_until(lambda: list(Path().rglob(".file.bin.part"))))
    next(_until(lambda: part.stat().st_size > 50_000))
    process.send_signal(signal.SIGKILL)
    process.wait()
    held = part.stat().st_size
    assert held < len(BODY)
    assert download(f"{server.url}/file.bin", DIGEST).read_bytes() == BODY
    assert server.asked("/file.bin") == [None, f"bytes={held}-"]


def _until(found: Callable[[], object]) -> Iterator:  # type: ignore[type-arg]
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if result := found():
            yield result[0] if isinstance(result, list) else result
        time.sleep(0.005)
    raise TimeoutError


@pytest.mark.parametrize("stated", [True, False])
def test_a_wrong_byte_is_refused_and_nothing_is_kept(server: Served, stated: bool) -> None:
    url = f"{server.url}/file.bin"
    if not stated:
        lock.record({url: DIGEST})
    before = files()
    server.faults["/file.bin"] = [("wrong", 2_500_000)]
    by = "the study" if stated else str(lock.PATH)
    expected = rf"file\.bin: what came is not what {by} expects: .*{DIGEST}"
    with pytest.raises(BadInputError, match=expected) as caught:
        download(url, DIGEST if stated else None)
    assert "\n" not in str(caught.value)
    assert files() == before
    assert download(url, DIGEST if stated else None).read_bytes() == BODY


def test_a_file_damaged_on_the_disk_is_downloaded_again(server: Served) -> None:
    url = f"{server.url}/file.bin"
    download(url).write_bytes(b"damaged")
    assert download(url).read_bytes() == BODY


def test_missing_files_and_bad_addresses_are_named(server: Served) -> None:
    with pytest.raises(BadInputError, match=r"/none: HTTP 404"):
        download(f"{server.url}/none")
    with pytest.raises(BadInputError, match=r"127\.0\.0\.1:9/x: ConnectionError: .*refused.*; gave up after 6"):
        download("http://127.0.0.1:9/x")
    assert files() == set()


def test_a_mirror_is_asked_instead(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["/mirror/data.example/a/b.txt"] = b"text"
    monkeypatch.setenv("POLYPROBE_MIRROR", f"{server.url}/mirror/")
    assert download("https://data.example/a/b.txt").read_bytes() == b"text"
    assert read_url("https://data.example/a/b.txt") == b"text"
    assert lock.recorded("https://data.example/a/b.txt") == hashlib.sha256(b"text").hexdigest()


def test_a_proxy_is_asked_instead(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["http://data.example/a.txt"] = b"text"
    monkeypatch.setenv("HTTP_PROXY", server.url)
    assert download("http://data.example/a.txt").read_bytes() == b"text"


def test_only_github_sees_its_token(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    server.faults["/file.bin"] = [503]
    assert read_url(f"{server.url}/file.bin") == BODY


def test_the_lock_is_sorted_and_its_lines_are_checked() -> None:
    for name in ("http://b", "http://a", "hub:x@main"):
        lock.record({name: hashlib.sha256(name.encode()).hexdigest()})
    lines = lock.PATH.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#")
    assert [line.split("  ")[1] for line in lines[1:]] == ["http://a", "http://b", "hub:x@main"]
    lock.PATH.write_text("# comment\n\nabc http://a\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"downloads\.lock:3: expected a digest, two spaces and a name"):
        lock.recorded("http://a")


def test_a_recorded_digest_is_not_replaced() -> None:
    lock.record({"http://a": "0" * 64})
    lock.record({"http://a": "0" * 64})
    with pytest.raises(BadInputError, match=r"lock: http://a: 0{64} is recorded, another process found 1{64}"):
        lock.record({"http://a": "1" * 64})
    assert lock.recorded("http://a") == "0" * 64


def test_two_processes_record_at_once() -> None:
    code = """
import sys
from polyprobe.downloads import lock
for number in range(40):
    lock.record({f"{sys.argv[1]}{number}": "a" * 64})
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(lock.PATH.read_text(encoding="utf-8").splitlines()) == 81


# Archives


def tar_of(*members: tuple[str, str | bytes], mode: str = "w:gz") -> bytes:
    """A tar archive; a member with text content is a symbolic link to it, `=name` a hard one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type = tarfile.LNKTYPE if content.startswith("=") else tarfile.SYMTYPE
                entry.linkname = content.removeprefix("=")
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(*members: tuple[str, str | bytes]) -> bytes:
    """A zip archive; a member with text content is a symbolic link to it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o120777 if isinstance(content, str) else 0o100644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def everything(name: str) -> str:
    return name


@pytest.mark.parametrize("make", [tar_of, zip_of, lambda *members: tar_of(*members, mode="w:xz")])
def test_what_is_wanted_is_extracted(make: Callable[..., bytes], tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(
        make(("top/a.txt", b"a"), ("top/sub/b.txt", b"b"), ("top/./c.txt", b"c"), ("link", "top/a.txt"))
    )
    check_archive(archive)
    written = extract(archive, tmp_path / "out", lambda name: Path(name).name if "b" in name or "c" in name else None)
    assert [(file.name, file.read_bytes()) for file in written] == [("b.txt", b"b"), ("c.txt", b"c")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.txt", "c.txt"]


@pytest.mark.parametrize(
    ("make", "member"),
    [
        (tar_of, ("../evil.txt", b"x")),
        (tar_of, ("top/../../evil.txt", b"x")),
        (tar_of, ("/evil.txt", b"x")),
        (tar_of, ("top/link", "../../evil.txt")),
        (tar_of, ("top/link", "/etc")),
        (tar_of, ("top/link", "=../evil.txt")),
        (tar_of, ("..\\evil.txt", b"x")),
        (tar_of, ("C:\\evil.txt", b"x")),
        (zip_of, ("../evil.txt", b"x")),
        (zip_of, ("/evil.txt", b"x")),
        (zip_of, ("top/link", "../../evil.txt")),
    ],
)
def test_an_archive_that_leads_out_is_refused(
    make: Callable[..., bytes], member: tuple[str, bytes], tmp_path: Path
) -> None:
    archive = tmp_path / "deep/archive"
    archive.parent.mkdir()
    archive.write_bytes(make(member, ("evil.txt", b"y")))
    for read in (check_archive, lambda file: extract(file, tmp_path / "deep/out", everything)):
        with pytest.raises(BadInputError, match=r"archive: refused: its member .* leads out of the archive's folder"):
            read(archive)
    assert {path.name for path in tmp_path.rglob("*")} == {"deep", "archive"}


def test_a_link_inside_cannot_lead_a_later_member_out(tmp_path: Path) -> None:
    """Links are never made, so what is written through one stays in a folder of that name."""
    archive = tmp_path / "archive"
    archive.write_bytes(tar_of(("here", "."), ("here/a.txt", b"a")))
    extract(archive, tmp_path / "out", everything)
    assert not (tmp_path / "out/here").is_symlink()


def test_a_place_outside_the_target_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(tar_of(("a.txt", b"a")))
    with pytest.raises(BadInputError, match="refused"):
        extract(archive, tmp_path / "out", lambda name: "../a.txt")


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_a_truncated_archive_is_refused(make: Callable[..., bytes], share: float, server: Served) -> None:
    whole = make(*((f"top/{n}.txt", random.Random(n).randbytes(50_000)) for n in range(5)))
    server.files["/cut.archive"] = whole[: int(len(whole) * share)]
    url = f"{server.url}/cut.archive"
    with pytest.raises(BadInputError, match=r"cut\.archive: no whole archive"):
        download(url, check=check_archive)
    assert files() == set()
    assert lock.recorded(url) is None
    server.files["/cut.archive"] = whole
    check_archive(download(url, check=check_archive))


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_compressed_tar_whose_bytes_differ_from_its_checksum_is_refused(mode: str, tmp_path: Path) -> None:
    whole = bytearray(tar_of(("a.txt", random.Random(0).randbytes(100_000)), mode=mode))
    whole[len(whole) // 2] ^= 1
    (tmp_path / "archive").write_bytes(bytes(whole))
    with pytest.raises(BadInputError, match="no whole archive"):
        check_archive(tmp_path / "archive")


def test_other_files_are_no_archives(tmp_path: Path) -> None:
    for content in (b"", b"<html>sign in</html>", gzip.compress(b"text"), os.urandom(2000)):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(BadInputError, match="no whole archive"):
            check_archive(tmp_path / "file")


def test_a_damaged_member_leaves_no_half_written_file(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    content = zip_of(("a.txt", b"a" * 1000), ("b.txt", random.Random(0).randbytes(100_000)))
    archive.write_bytes(content[:50_000] + b"\0" + content[50_001:])
    with pytest.raises(BadInputError, match="no whole archive"):
        extract(archive, tmp_path / "out", everything)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.txt"}
