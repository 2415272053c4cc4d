"""A real HTTP server on loopback that serves files and fails on purpose."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Served:
    """What the server has, what it does wrong, and what it was asked.

    `faults` are used up one per request, per path: a status; `("cut", n)`, the connection ends after n bytes of the
    body; `("wrong", n)`, the byte at n is another one.
    """

    files: dict[str, bytes]
    faults: dict[str, list[int | tuple[str, int]]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range header."""
    url: str = ""
    resumes: bool = True
    """Whether it answers to Range."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each failure."""

    def asked(self, path: str) -> list[str | None]:
        """The Range header of each request for a path."""
        return [header for name, header in self.requests if name == path]


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Served]:
    """A server of these files by path, on a free port."""
    served = Served(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path
            asked = self.headers.get("Range")
            served.requests.append((path, asked))
            faults = served.faults.get(path, [])
            fault = faults.pop(0) if faults else None
            if isinstance(fault, int):
                self.send_response(fault)
                for name, value in served.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if path not in served.files:
                self.send_error(404)
                return
            body = served.files[path]
            tag = f'"{hashlib.sha256(body).hexdigest()}"'
            start = 0
            if served.resumes and asked and self.headers.get("If-Range") in (None, tag):
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if isinstance(fault, tuple) and fault[0] == "wrong":
                body = body[: fault[1]] + bytes([body[fault[1]] ^ 1]) + body[fault[1] + 1 :]
            part = body[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("ETag", tag)
            self.end_headers()
            if isinstance(fault, tuple) and fault[0] == "cut":
                self.wfile.write(part[: fault[1]])
                self.wfile.flush()
                self.connection.close()
                return
            self.wfile.write(part)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
