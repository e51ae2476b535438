"""A server that answers what a test says: wrongly, slowly, or not at all."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Canned:
    """What it answers, in turn; the last answer again and again.

    Attributes:
        asked: Method and path of each request.
    """

    answers: list[tuple[int, bytes]]
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    silent: bool = False
    closing: bool = False


def problem(status: int, code: str, **fields: Any) -> tuple[int, bytes]:
    """Return an answer as the control plane refuses."""
    return status, json.dumps({"code": code, "title": code, "status": status, **fields}).encode()


@contextmanager
def canned(*answers: tuple[int, bytes], **given: Any) -> Iterator[Canned]:
    """Serve `answers` on loopback until the block ends."""
    said = Canned(list(answers), **given)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            said.asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("content-length", 0)))
            if said.silent:
                said.released.wait(20)
            if said.silent or said.closing:
                self.close_connection = True
                return
            status, body = said.answers.pop(0) if len(said.answers) > 1 else said.answers[0]
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the library's names

        def log_message(self, *_given: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        said.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield said
        finally:
            said.released.set()
            server.shutdown()
            thread.join()
