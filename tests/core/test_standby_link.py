"""The link to a standby: one bounded request over a pooled connection, and nothing else."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

import pytest

from cell_core.domain.errors import OutcomeUnknown
from cell_core.standby_link import ANSWER_BYTES_MAX, HttpStandbyLink
from cell_core.system import SystemClock
from cell_core.wire.message import Request
from tests.core.two_cells import TENANT, TwoCells

REQUEST = Request(
    method="POST",
    path=f"/v1/control/tenants/{TENANT}/stripes/0/apply",
    headers={"authorization": "Bearer a.b.c", "content-type": "application/json"},
    body=b'{"epoch":17,"entries":[]}',
)
OK = b"HTTP/1.1 200 OK\r\nX-Cell: azure-beta\r\nContent-Length: 2\r\n\r\n{}"
Speak: TypeAlias = Callable[[socket.socket, threading.Event, bytes], object]


class Peer:
    """A server that reads a request and says what a test wants, as bytes."""

    def __init__(self, speak: Speak) -> None:
        self._speak = speak
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api"
        self.requests: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                if self.over.is_set():
                    connection.close()
                    return
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            while True:
                data = b""
                while not _is_whole(data):
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    data += piece
                self.requests.append(data)
                self._speak(connection, self.over, data)

    def close(self) -> None:
        self.over.set()
        with suppress(OSError):  # Wakes the thread that accepts.
            socket.create_connection(self._listener.getsockname(), 1).close()
        self._accepting.join(10)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)


def _is_whole(raw: bytes) -> bool:
    head, end, body = raw.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return bool(end) and length is not None and len(body) == int(length[1])


@contextmanager
def peer(speak: Speak) -> Iterator[Peer]:
    made = Peer(speak)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def link() -> Iterator[HttpStandbyLink]:
    made = HttpStandbyLink(SystemClock(), local=True)
    yield made
    made.close()


def _says(raw: bytes) -> Speak:
    return lambda connection, _over, _raw: connection.sendall(raw)


def test_the_answer_is_returned_whatever_its_status(link: HttpStandbyLink) -> None:
    no = b"HTTP/1.1 409 Conflict\r\nX-Cell: b\r\nContent-Length: 14\r\n\r\n" + b'{"code":"gap"}'
    with peer(_says(no)) as standby:
        response = link.send(standby.url, REQUEST, 2000)
        link.close()

    assert (response.status, response.body) == (409, b'{"code":"gap"}')
    assert response.headers["x-cell"] == "b"


def test_a_connection_is_used_again(link: HttpStandbyLink) -> None:
    with peer(_says(OK)) as standby:
        for _ in range(3):
            assert link.send(standby.url, REQUEST, 2000).status == 200

        assert (standby.connections, len(standby.requests)) == (1, 3)
        assert standby.requests[0].startswith(f"POST /api{REQUEST.path} HTTP/1.1\r\n".encode())
        assert b"\r\nauthorization: Bearer a.b.c\r\n" in standby.requests[0]
        link.close()


def test_no_redirect_is_followed(link: HttpStandbyLink) -> None:
    with peer(_says(OK)) as elsewhere:
        there = (
            f"HTTP/1.1 307 Go\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        with peer(_says(there)) as standby:
            response = link.send(standby.url, REQUEST, 2000)
            link.close()

    assert response.status == 307
    assert elsewhere.requests == []


def test_no_proxy_of_the_environment_is_used(
    link: HttpStandbyLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with peer(_says(OK)) as proxy, peer(_says(OK)) as standby:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        link.send(standby.url, REQUEST, 2000)
        link.close()

        assert (len(proxy.requests), len(standby.requests)) == (0, 1)


def _drips(connection: socket.socket, over: threading.Event, _raw: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not over.wait(0.02):
        connection.sendall(b" ")


def _is_mute(_connection: socket.socket, over: threading.Event, _raw: bytes) -> None:
    over.wait(10)


def _hangs_up(connection: socket.socket, _over: threading.Event, _raw: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


TOO_LONG = ANSWER_BYTES_MAX + 1


@pytest.mark.parametrize(
    "speak",
    [
        _is_mute,
        _drips,
        _hangs_up,
        _says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % TOO_LONG + b" " * TOO_LONG),
        _says(b"nonsense\r\n\r\n"),
    ],
    ids=["mute", "drips", "hangs up", "says too much", "nonsense"],
)
def test_without_a_whole_answer_in_time_the_outcome_is_unknown(
    link: HttpStandbyLink, speak: Speak
) -> None:
    with peer(speak) as standby:
        with pytest.raises(OutcomeUnknown):
            link.send(standby.url, REQUEST, 150)
        standby.over.set()
        link.close()

        assert len(standby.requests) == 1


def test_a_cell_that_is_not_there_may_still_have_done_it(link: HttpStandbyLink) -> None:
    with peer(_says(OK)) as gone:
        pass

    with pytest.raises(OutcomeUnknown) as error:
        link.send(gone.url, REQUEST, 500)

    assert error.value.reason == "NewConnectionError"


def _serves(cells: TwoCells) -> Speak:
    """Return a peer's words: those of the standby itself."""

    def speak(connection: socket.socket, _over: threading.Event, raw: bytes) -> None:
        head, _, body = raw.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        headers = {n.lower(): v for n, v in (field.split(": ", 1) for field in fields)}
        path = line.split(" ")[1].removeprefix("/api")
        said = cells.standby_app.handle(
            Request(method="POST", path=path, headers=headers, body=body)
        )
        answered = "".join(f"{name}: {value}\r\n" for name, value in said.headers.items())
        length = f"content-length: {len(said.body)}\r\n\r\n"
        connection.sendall(f"HTTP/1.1 {said.status} .\r\n{answered}{length}".encode() + said.body)

    return speak


@pytest.mark.parametrize("header", ["authorization", "x-cell-grant"])
def test_a_home_reaches_its_standby_over_a_real_connection(
    link: HttpStandbyLink, header: str
) -> None:
    cells = TwoCells()
    home = cells.instance(link)
    with peer(_serves(cells)) as standby:
        named = {"x-cell-standby": standby.url, "x-cell-standby-grant-header": header}
        cells.put("before")

        responses = [cells.put(f"c{n}", cells.wanted(**named), app=home) for n in range(3)]
        link.close()

    assert [response.headers["x-cell-ack"] for response in responses] == ["standby"] * 3
    assert (standby.connections, len(standby.requests)) == (1, 4)
    assert cells.has_all()


def test_a_real_link_goes_to_names_over_https_only() -> None:
    link = HttpStandbyLink(SystemClock())

    assert link.admits("https://cell.example/api")
    assert not link.admits("http://cell.example/api")
    assert not link.admits("https://127.0.0.1/api")
