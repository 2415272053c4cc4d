"""A server on this machine: the hub's endpoints for datasets and for models, and plain files."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        raise NotImplementedError

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, content: bytes, headers: dict[str, str], status: int = 200, send: int | None = None) -> None:
        """Sends `content`, or only its first `send` bytes before the connection ends."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[:send])
        if send is not None:
            self.wfile.flush()
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps quiet."""


class Hub(_Answering):
    """`<folder>/datasets/<owner>/<name>/...` as datasets of one commit, `<folder>/files/...` as files."""

    folder: Path
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "datasets"] and (self.folder / "datasets" / parts[2] / parts[3]).is_dir():
            name = f"{parts[2]}/{parts[3]}"
            self.answer(json.dumps({"id": name, "sha": COMMIT, "siblings": []}).encode(), {})
        elif parts[0] == "datasets" and parts[3:4] == ["resolve"]:
            file = self.folder.joinpath(*parts[:3], *parts[5:])
            if parts[4] == COMMIT and file.is_file():
                content = file.read_bytes()
                etag = hashlib.sha256(content).hexdigest()
                self.answer(content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
            else:
                self.answer(b"", {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}, 404)
        elif parts[0] == "files" and self.folder.joinpath(*parts).is_file():
            self.answer(self.folder.joinpath(*parts).read_bytes(), {})
        else:
            self.answer(b"", {}, 404)


@dataclass
class Models:
    """The models that the server has, what it does wrong, and what it was asked.

    `faults` are used up one per download, per file's path in its repository: `("cut", n)`, the connection ends after n
    bytes; `("wrong", n)`, the byte at n is another one.
    """

    commits: dict[str, Path] = field(default_factory=dict)
    """Per `owner/name@commit`, the folder of its files."""
    revisions: dict[str, str] = field(default_factory=dict)
    """Per `owner/name@revision`, its commit."""
    gated: set[str] = field(default_factory=set)
    token: str = "good"
    faults: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and Range header."""
    url: str = ""

    def add(self, repository: str, revision: str, folder: Path) -> str:
        """Serves a folder as a revision; its commit is a digest of the name and the files' names, sizes and times."""
        files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(folder.iterdir())]
        commit = hashlib.sha1(repr((repository, revision, files)).encode()).hexdigest()
        self.commits[f"{repository}@{commit}"] = folder
        self.revisions[f"{repository}@{revision}"] = commit
        return commit

    def downloads(self) -> list[str]:
        """The files whose contents were asked for."""
        return [path.rpartition("/")[2] for method, path, _ in self.asked if method == "GET" and "/resolve/" in path]


class _ModelHub(_Answering):
    models: Models

    def do_GET(self) -> None:
        models = self.models
        path = unquote(self.path.partition("?")[0])
        found = re.fullmatch(
            r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)|/([^/]+/[^/]+)/(resolve)/([^/]+)/(.+)", path
        )
        if found is None:
            return self.answer(b"", {}, 404)  # the library asks for more than models
        models.asked.append((self.command, self.path, self.headers.get("Range")))
        repository, kind, revision = (found[1], found[2], found[3]) if found[1] else (found[4], found[5], found[6])
        token = self.headers.get("Authorization")
        if token is not None and token != f"Bearer {models.token}":
            message = "Invalid credentials in Authorization header"
            return self.answer(json.dumps({"error": message}).encode(), {"X-Error-Message": message}, 401)
        if not any(name.startswith(f"{repository}@") for name in models.revisions):
            return self.answer(b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, 404)
        if repository in models.gated and token is None:
            headers = {"X-Error-Code": "GatedRepo", "X-Error-Message": f"Access to model {repository} is restricted."}
            return self.answer(b"", headers, 403)
        commit = models.revisions.get(f"{repository}@{revision}", revision)
        folder = models.commits.get(f"{repository}@{commit}")
        if folder is None:
            headers = {"X-Error-Code": "RevisionNotFound", "X-Error-Message": f"Invalid rev id: {revision}"}
            return self.answer(b"", headers, 404)
        if kind == "resolve":
            return self._file(folder / found[7], commit, found[7])
        files = sorted(file for file in folder.iterdir() if file.is_file())
        value: Any = [_entry(file) for file in files]
        if kind == "revision":
            value = {"id": repository, "sha": commit, "siblings": [{"rfilename": file.name} for file in files]}
        return self.answer(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _file(self, file: Path, commit: str, name: str) -> None:
        if not file.is_file():
            return self.answer(b"", {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}, 404)
        content = file.read_bytes()
        headers = {"ETag": f'"{_hash(file, content)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        faults = self.models.faults.get(name, [])
        fault = faults.pop(0) if faults and self.command == "GET" else None
        if fault and fault[0] == "wrong":
            content = content[: fault[1]] + bytes([content[fault[1]] ^ 1]) + content[fault[1] + 1 :]
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = fault[1] if fault and fault[0] == "cut" else None
        return self.answer(content[start:], headers, 206 if start else 200, cut)


def _is_large(file: Path) -> bool:
    return file.suffix in (".safetensors", ".bin") or file.name == "tokenizer.json"


def _hash(file: Path, content: bytes) -> str:
    if _is_large(file):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(file: Path) -> dict[str, Any]:
    """A file in the hub's listing: a large one is known by its SHA-256, `oid` is of the pointer then."""
    content = file.read_bytes()
    entry = {"type": "file", "path": file.name, "size": len(content), "oid": _hash(file, content)}
    if _is_large(file):
        entry["lfs"] = {"oid": entry["oid"], "size": len(content), "pointerSize": 134}
        entry["oid"] = hashlib.sha1(file.name.encode()).hexdigest()
    return entry


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a server of datasets and files, and the paths that it is asked for as they come."""
    asked: list[str] = []
    with _serving(type("Serving", (Hub,), {"folder": folder, "asked": asked})) as address:
        yield address, asked


@contextmanager
def serving_models() -> Iterator[Models]:
    """A server of models, to be filled."""
    models = Models()
    with _serving(type("Serving", (_ModelHub,), {"models": models})) as models.url:
        yield models


@contextmanager
def _serving(handler: type[_Answering]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
