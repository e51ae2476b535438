"""Sources that a test scripts, and one HTTP server on loopback that answers as a test says."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cell_router.ports import SourceUnavailable


class ScriptedSource:
    """Gives its answers one by one; an exception among them is raised. Keeps what it was asked."""

    def __init__(self, *answers: bytes | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int | str]] = []

    def snapshot(self, if_newer_than: int) -> bytes | None:
        return self._next("snapshot", if_newer_than)

    def changes(self, after: int, wait_s: float) -> bytes | None:
        return self._next("changes", after)

    def find(self, tenant: str) -> bytes | None:
        return self._next("find", tenant)

    def _next(self, what: str, which: int | str) -> bytes | None:
        self.asked.append((what, which))
        if not self.answers:
            raise SourceUnavailable("source_unreachable")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the server got; names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass(slots=True)
class Answer:
    """What the server answers; `length` may lie about the body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


@dataclass(slots=True)
class Server:
    """Where it listens, and what it was asked."""

    port: int
    asked: list[Asked]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(answer: Callable[[Asked], Answer]) -> Iterator[Server]:
    """Serve on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            asked = Asked(self.path, headers, self.command, body)
            server.asked.append(asked)
            given = answer(asked)
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            length = len(given.body) if given.length is None else given.length
            if given.status != 304:
                self.send_header("content-length", str(length))
            self.end_headers()
            self.wfile.write(given.body)
            if given.length is not None:
                self.close_connection = True

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server = Server(listening.server_address[1], [])
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def objecting(body: bytes, etag: str) -> Callable[[Asked], Answer]:
    """Answer as an object store does for one object: by ETag, with the headers clients need."""

    def answer(asked: Asked) -> Answer:
        headers = {"etag": f'"{etag}"', "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
        if asked.headers.get("if-none-match") == headers["etag"]:
            return Answer(304, headers=headers)
        return Answer(200, body, headers)

    return answer
