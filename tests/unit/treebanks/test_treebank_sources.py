"""Treebanks from a release's archive and from repositories, served over loopback by a server that fails on purpose."""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyprobe.downloads import http, lock
from polyprobe.running.errors import BadInputError
from polyprobe.stages.fetch_ud import fetch_ud
from polyprobe.study import Study, Treebanks, load_study
from polyprobe.treebanks.sources.renamed import find_folder, newest_name, other_names
from support import CONLLU, ROOT, sections
from support.loopback import Served, serving

SENTENCES = (CONLLU / "good.conllu").read_bytes()
ARCHIVE = "/ud-treebanks-v2.1.tgz"
FRENCH = {
    "fr-ud-train.conllu": SENTENCES,
    "fr-ud-test.conllu": SENTENCES.replace(b"sent_id = s", b"sent_id = t"),
    "LICENSE.txt": b"Free for all\n",
    "README.md": b"# About\n",
    "stats.xml": b"<x/>\n",
}


@pytest.fixture(autouse=True)
def in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(http, "_FIRST_WAIT", 0.001)
    for name in ("POLYPROBE_SCRATCH", "POLYPROBE_MIRROR", "HTTP_PROXY", "http_proxy", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def archive_of(**more: bytes) -> bytes:
    """An archive in the layout of UD's releases; keywords are more members, `__` being a slash."""
    buffer = io.BytesIO()
    members = {f"ud-treebanks-v2.1/UD_French/{name}": content for name, content in FRENCH.items()}
    members["ud-treebanks-v2.1/UD_French/not-to-release/fr-ud-dev.conllu"] = SENTENCES
    members["ud-treebanks-v2.1/UD_Greek/el-ud-train.conllu"] = b"not asked for, so not looked at"
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in (members | more).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def git_digest(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def listing(files: dict[str, bytes], tree: str = "a" * 40) -> bytes:
    entries = [{"path": name, "sha": git_digest(content), "type": "blob"} for name, content in files.items()]
    entries += [{"path": name, "sha": "b" * 40, "type": "tree"} for name in ("not-to-release", "LICENSES")]
    return json.dumps({"sha": tree, "tree": entries}).encode()


API = "/api.github.com/repos/UniversalDependencies/UD_French-GSD/git/trees/r2.1"
RAW = "/raw.githubusercontent.com/UniversalDependencies/UD_French-GSD/r2.1"


@pytest.fixture
def server() -> Iterator[Served]:
    files = {ARCHIVE: archive_of(), API: listing(FRENCH)}
    with serving(files | {f"{RAW}/{name}": content for name, content in FRENCH.items()}) as served:
        yield served


def study(treebank: str = "UD_French", **source: object) -> Study:
    rest = {"release": None, "archive": None, "folders": {"fr": [treebank]}, "on_error": "fail"}
    treebanks = Treebanks.model_validate(rest | source)
    inputs = {treebank: Path("ud/UD_French-GSD")}
    changes = {"inputs": inputs, "languages": ["fr"], "treebanks": treebanks, "parallel": sections.parallel()}
    return load_study(ROOT / "studies/pocket.yaml").model_copy(update=changes)


def from_archive(server: Served, treebank: str = "UD_French", sha256: str | None = None) -> Study:
    return study(treebank, source="archive", archive={"url": server.url + ARCHIVE, "sha256": sha256})


@pytest.fixture
def github(server: Served, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv("POLYPROBE_MIRROR", server.url)
    return study(source="github", release="2.1")


def fetched(treebank: str = "UD_French") -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(Path("data/treebanks/fr", treebank).iterdir())}


KEPT = {name: FRENCH[name] for name in sorted(FRENCH) if name != "stats.xml"}


def report() -> dict[str, object]:
    (entry,) = json.loads(Path("metrics/treebanks.json").read_text(encoding="utf-8"))["fr"]
    return dict(entry)


def assert_nothing_written() -> None:
    left = {path.name for path in Path().rglob("*") if path.is_file() and path.suffix != ".guard"}
    assert left <= {"downloads.lock", "ud-treebanks-v2.1.tgz"}, left
    assert not list(Path(".scratch").glob("treebanks-*"))


def test_only_the_treebanks_asked_for_come_out_of_an_archive(server: Served) -> None:
    server.faults[ARCHIVE] = [503, 503, ("cut", 200)]
    fetch_ud(from_archive(server))
    assert fetched() == KEPT
    assert [path.name for path in Path("data/treebanks").iterdir()] == ["fr"]
    assert report()["source"] == server.url + ARCHIVE
    assert report()["licence"] == "Free for all"
    assert lock.recorded(server.url + ARCHIVE) == hashlib.sha256(server.files[ARCHIVE]).hexdigest()
    assert not list(Path(".scratch").glob("treebanks-*"))


@pytest.mark.parametrize("name", ["UD_French", "UD_French-GSD"])
def test_old_and_new_names_of_a_treebank_are_one(name: str, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch_ud(from_archive(server, name))
    assert fetched(name) == KEPT
    assert (report()["treebank"], report()["folder"]) == (name, "UD_French")
    monkeypatch.setenv("POLYPROBE_MIRROR", server.url)
    fetch_ud(study(name, source="github", release="2.1"))
    assert fetched(name) == KEPT
    Path("ud/UD_French-GSD").mkdir(parents=True)
    for file, content in FRENCH.items():
        Path("ud/UD_French-GSD", file).write_bytes(content)
    fetch_ud(study(name, source="dir"))
    assert fetched(name) == KEPT
    assert report()["folder"] == "UD_French-GSD"


def test_names() -> None:
    assert newest_name("UD_French") == newest_name("UD_French-GSD") == "UD_French-GSD"
    assert newest_name("UD_French-PUD") == "UD_French-PUD"
    assert other_names("UD_French") == ("UD_French-GSD",)
    assert other_names("UD_French-GSD") == ("UD_French",)
    assert other_names("UD_French-PUD") == ()
    assert find_folder(Path("none"), "UD_French") == Path("none/UD_French")


def test_a_known_release_needs_no_address(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published archive is asked for; what this server has is another one, and refused."""
    handle = "/lindat.mff.cuni.cz/repository/xmlui/bitstream/handle/11234/1-2515/ud-treebanks-v2.1.tgz"
    server.files[handle] = archive_of()
    monkeypatch.setenv("POLYPROBE_MIRROR", server.url)
    with pytest.raises(BadInputError, match=r"ud-treebanks-v2\.1\.tgz: what came is not what the study expects"):
        fetch_ud(study(source="archive", release="2.1"))
    assert server.asked(handle) == [None]
    assert_nothing_written()


def test_an_unknown_release_is_named() -> None:
    with pytest.raises(
        BadInputError, match=r"treebanks\.release: the archive of 9\.9 is not known \(known: 2\.1, 2\.5\)"
    ):
        fetch_ud(study(source="archive", release="9.9"))


def test_a_treebank_that_the_archive_lacks_is_named(server: Served) -> None:
    expected = rf"params\.yaml: treebanks\.folders: no treebank UD_Xhosa in {server.url}{ARCHIVE}"
    with pytest.raises(BadInputError, match=expected):
        fetch_ud(from_archive(server, "UD_Xhosa"))
    assert_nothing_written()


def test_a_wrong_byte_is_refused(server: Served) -> None:
    digest = hashlib.sha256(server.files[ARCHIVE]).hexdigest()
    server.faults[ARCHIVE] = [("wrong", 150)]
    with pytest.raises(BadInputError, match=rf"what came is not what the study expects: its SHA-256 is not {digest}"):
        fetch_ud(from_archive(server, sha256=digest))
    assert_nothing_written()
    fetch_ud(from_archive(server, sha256=digest))
    assert fetched() == KEPT


def test_a_truncated_archive_is_refused(server: Served) -> None:
    server.files[ARCHIVE] = server.files[ARCHIVE][:-100]
    with pytest.raises(BadInputError, match=r"ud-treebanks-v2\.1\.tgz: no whole archive"):
        fetch_ud(from_archive(server))
    assert_nothing_written()


@pytest.mark.parametrize("name", ["../evil.conllu", "ud-treebanks-v2.1/../../evil.conllu", "/tmp/evil.conllu"])
def test_an_archive_that_leads_out_is_refused(name: str, server: Served, tmp_path: Path) -> None:
    server.files[ARCHIVE] = archive_of(**{name: SENTENCES})
    with pytest.raises(BadInputError, match=r"refused: its member .* leads out of the archive's folder"):
        fetch_ud(from_archive(server))
    assert_nothing_written()
    assert not (tmp_path.parent / "evil.conllu").exists()


def test_a_symbolic_link_out_is_refused(server: Served, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("ud-treebanks-v2.1/UD_French")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path.parent)
        archive.addfile(link)
        entry = tarfile.TarInfo("ud-treebanks-v2.1/UD_French/fr-ud-train.conllu")
        entry.size = len(SENTENCES)
        archive.addfile(entry, io.BytesIO(SENTENCES))
    server.files[ARCHIVE] = buffer.getvalue()
    with pytest.raises(BadInputError, match="refused: its member"):
        fetch_ud(from_archive(server))
    assert_nothing_written()
    assert not (tmp_path.parent / "fr-ud-train.conllu").exists()


def test_repositories_are_fetched_file_by_file_and_locked(server: Served, github: Study) -> None:
    server.faults[f"{RAW}/fr-ud-train.conllu"] = [503, ("cut", 100)]
    server.faults[API] = [503, 503]
    fetch_ud(github)
    assert fetched() == KEPT
    assert report()["source"] == "https://github.com/UniversalDependencies at r2.1"
    base = "https://raw.githubusercontent.com/UniversalDependencies/UD_French-GSD/r2.1"
    for name, content in KEPT.items():
        assert lock.recorded(f"{base}/{name}") == hashlib.sha256(content).hexdigest()
    assert lock.recorded("github:UniversalDependencies/UD_French-GSD@r2.1") == "a" * 40
    before = lock.PATH.read_bytes()
    fetch_ud(github)
    assert lock.PATH.read_bytes() == before


def test_a_file_that_changed_after_its_first_use_is_refused(server: Served, github: Study) -> None:
    fetch_ud(github)
    before = Path("metrics/treebanks.json").read_bytes()
    shutil.rmtree(".scratch")
    server.files[f"{RAW}/fr-ud-test.conllu"] += b"\n"
    with pytest.raises(BadInputError, match=r"fr-ud-test\.conllu: what came is not what downloads\.lock expects"):
        fetch_ud(github)
    assert fetched() == KEPT
    assert Path("metrics/treebanks.json").read_bytes() == before


def test_a_tag_that_moved_is_refused(server: Served, github: Study) -> None:
    fetch_ud(github)
    server.files[API] = listing(FRENCH, tree="c" * 40)
    with pytest.raises(BadInputError, match=r"UD_French-GSD: the tag r2\.1 is not what downloads\.lock expects"):
        fetch_ud(github)


def test_a_wrong_byte_in_a_file_not_seen_before_is_refused(server: Served, github: Study) -> None:
    server.faults[f"{RAW}/fr-ud-train.conllu"] = [("wrong", 20)]
    with pytest.raises(BadInputError, match=r"fr-ud-train\.conllu: what came is not what the repository lists"):
        fetch_ud(github)
    assert lock.recorded(f"https:/{RAW}/fr-ud-train.conllu") is None
    fetch_ud(github)
    assert fetched() == KEPT


def test_missing_repositories_and_odd_answers_are_named(server: Served, github: Study) -> None:
    with pytest.raises(BadInputError, match=r"UD_Xhosa/git/trees/r2\.1: HTTP 404"):
        fetch_ud(study("UD_Xhosa", source="github", release="2.1"))
    for answer in (b"<html>", b"[]", b"{}", b'{"sha": "x", "tree": [{}]}'):
        server.files[API] = answer
        with pytest.raises(BadInputError, match=r"git/trees/r2\.1: expected GitHub's listing of a tree"):
            fetch_ud(github)
    assert not Path("data").exists() or not list(Path("data").iterdir())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"source": "github"}, "release: expected a release"),
        ({"source": "archive"}, "archive: expected url and sha256"),
        ({"source": "archive", "archive": {"url": "ftp://x/y"}}, "url"),
        ({"source": "archive", "archive": {"url": "https://x/y.tgz", "sha256": "abc"}}, "sha256"),
        ({"source": "github", "release": "two"}, "release"),
    ],
)
def test_incomplete_sources_are_refused(source: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study("UD_French", **source)
