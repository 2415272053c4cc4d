"""A server on this machine: the hub's endpoints for datasets, and plain files."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


class Hub(BaseHTTPRequestHandler):
    """`<folder>/datasets/<owner>/<name>/...` as datasets of one commit, `<folder>/files/...` as files."""

    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "datasets"] and (self.folder / "datasets" / parts[2] / parts[3]).is_dir():
            name = f"{parts[2]}/{parts[3]}"
            self._answer(json.dumps({"id": name, "sha": COMMIT, "siblings": []}).encode(), {})
        elif parts[0] == "datasets" and parts[3:4] == ["resolve"]:
            file = self.folder.joinpath(*parts[:3], *parts[5:])
            if parts[4] == COMMIT and file.is_file():
                content = file.read_bytes()
                etag = hashlib.sha256(content).hexdigest()
                self._answer(content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
            else:
                self._answer(b"", {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}, 404)
        elif parts[0] == "files" and self.folder.joinpath(*parts).is_file():
            self._answer(self.folder.joinpath(*parts).read_bytes(), {})
        else:
            self._answer(b"", {}, 404)

    def _answer(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps quiet."""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The server's address, and the paths that it is asked for as they come."""
    handler = type("Serving", (Hub,), {"folder": folder, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
