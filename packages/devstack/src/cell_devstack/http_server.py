"""A small threaded HTTP/1.1 server on 127.0.0.1 that hands whole requests to one function.

It needs nothing but the standard library (it also runs beside foreign packages, in a child), and
never serves more connections or larger bodies than it was told to.
"""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Final, Self, cast

Headers = tuple[tuple[str, str], ...]

_IDLE_TIMEOUT_S: Final = 75.0
_OVERLOADED: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
_NO_BODY: Final = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
# The server frames the body itself; these of the application's would contradict it.
_FRAMING: Final = {"content-length", "transfer-encoding", "connection", "keep-alive"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request as it stood on the wire; header names in lower case, repeated ones repeated."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    source_ip: str = "127.0.0.1"

    @property
    def path(self) -> str:
        """The target before `?`, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target after `?`, still percent-encoded."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """Return the header `name` (lower case), its values joined by a comma, or None."""
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """One answer; `headers` carries no framing, the server adds it."""

    status: int
    headers: Headers = ()
    body: bytes = b""


class LocalHttpServer:
    """Serves `answer` on 127.0.0.1, one thread a connection; a context manager.

    `answer` is called from many threads and may block. It must not raise, except `ConnectionError`
    to cut the connection without an answer.
    """

    def __init__(
        self,
        answer: Callable[[HttpRequest], HttpResponse],
        *,
        port: int = 0,
        connections_max: int = 128,
        body_bytes_max: int = 8 * 1024 * 1024,
    ) -> None:
        """Listen on `port`, or on a free one for 0, and serve at once."""
        self._server = _Server(port, answer, connections_max, body_bytes_max)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name=f"http-{self.port}",
            daemon=True,
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and cut every connection, also one that waits for its answer."""
        self._server.shutdown()
        self._server.server_close()
        self._server.cut_connections()
        self._thread.join(timeout=5)


class _Server(TCPServer):
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        port: int,
        answer: Callable[[HttpRequest], HttpResponse],
        connections_max: int,
        body_bytes_max: int,
    ) -> None:
        self.answer = answer
        self.body_bytes_max = body_bytes_max
        self._free = threading.BoundedSemaphore(connections_max)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        connection = cast("socket.socket", request)  # The other kind is for datagrams.
        if not self._free.acquire(blocking=False):
            connection.sendall(_OVERLOADED)
            self.shutdown_request(connection)
            return
        with self._lock:
            self._connections.add(connection)
        threading.Thread(
            target=self._serve_connection, args=(connection, client_address), daemon=True
        ).start()

    def _serve_connection(self, request: socket.socket, client_address: object) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # The client, or `cut_connections`, hung up.
        finally:
            with self._lock:
                self._connections.discard(request)
            self.shutdown_request(request)
            self._free.release()

    def cut_connections(self) -> None:
        with self._lock:
            open_connections = list(self._connections)
        for connection in open_connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # It was already gone.


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_TIMEOUT_S
    disable_nagle_algorithm = True
    wbufsize = -1  # One packet for head and body.

    def _serve_one(self) -> None:
        length = self._body_length()
        if length is None:
            return
        request = HttpRequest(
            method=self.command,
            target=self.path,
            headers=tuple((name.lower(), value) for name, value in self.headers.items()),
            body=self.rfile.read(length),
            source_ip=self.client_address[0],
        )
        if len(request.body) == length:  # Else the client gave up in the middle of its body.
            self._send(self.server.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve_one  # noqa: N815 - the names BaseHTTPRequestHandler looks for

    def _body_length(self) -> int | None:
        """Return the length of the body; None after answering that there can be none."""
        stated = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers:
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
        elif not (stated.isascii() and stated.isdigit()):
            self._refuse(HTTPStatus.BAD_REQUEST)
        elif int(stated) > self.server.body_bytes_max:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            return int(stated)
        return None

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True  # The body that follows was not read.
        self._send(HttpResponse(status=status, headers=(("connection", "close"),)))

    def _send(self, response: HttpResponse) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers:
            if name.lower() not in _FRAMING:
                # A line break in a value would smuggle a header; no cloud lets one through.
                self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        if self.close_connection:
            self.send_header("Connection", "close")
        if response.status not in _NO_BODY:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD" and response.status not in _NO_BODY:
            self.wfile.write(response.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Print nothing: what was asked is the application's to log."""
