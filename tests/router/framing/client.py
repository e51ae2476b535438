"""A client that writes what it is told, and reads as strictly as `strict` reads."""

import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from tests.router.framing.strict import Reply, take_reply

WAIT_S: Final = 2.0
"""Longer than any limit that the edge is given here: reaching it is a hang."""


@dataclass(slots=True)
class Got:
    """What came back on one connection.

    Attributes:
        interim: How many answers of 1xx came before.
        closed: Whether the edge ended the connection.
        hung: Whether it did not, and said nothing for `WAIT_S`.
        rest: Bytes behind the last whole answer.
    """

    replies: list[Reply] = field(default_factory=list)
    interim: int = 0
    closed: bool = False
    hung: bool = False
    rest: bytes = b""


class Client:
    """One connection to the edge."""

    def __init__(
        self, port: int, *, settle: Callable[[], None] = lambda: None, buffer_bytes: int = 0
    ) -> None:
        """Connect; `settle` returns once the edge has read what was sent.

        With `buffer_bytes` the kernel holds hardly more than that for it in either direction.
        """
        self._socket = socket.socket()
        if buffer_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        self._socket.settimeout(WAIT_S)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._settle = settle
        self.got = Got()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def send(self, chunks: Iterable[bytes]) -> None:
        """Send each chunk once the edge has read the one before."""
        for place, chunk in enumerate(chunks):
            if place:
                self._settle()
            # An edge that refuses early may have closed already: what it said is still read.
            with contextlib.suppress(ConnectionError):
                self._socket.sendall(chunk)

    def drip(self, data: bytes, *, every_s: float) -> None:
        """Send `data` again and again until the edge answers or closes."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            with contextlib.suppress(ConnectionError):
                self._socket.sendall(data)
            if select.select([self._socket], [], [], every_s)[0]:
                return

    def send_until_full(self, data: bytes, *, bytes_max: int) -> int:
        """Send `data` again and again, reading nothing, until no more is taken for 0.5 s."""
        sent = 0
        self._socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while sent < bytes_max:
                sent += self._socket.send(data)
        self._socket.settimeout(WAIT_S)
        return sent

    def is_cut(self, *, within_s: float) -> bool:
        """Wait, reading nothing, until the edge has reset the connection; say whether it has."""
        poll = select.poll()
        poll.register(self._socket, select.POLLHUP)
        return bool(poll.poll(within_s * 1000))

    def end(self) -> None:
        """Send no more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def read(self, replies: int, *, to_head: bool = False) -> Got:
        """Read until so many whole answers have come, or the edge has closed, or it hangs."""
        self._take(to_head=to_head)
        while len(self.got.replies) < replies and self._more():
            while not self.got.closed and select.select([self._socket], [], [], 0)[0]:
                self._more()  # Parse once for all that has come.
            self._take(to_head=to_head)
        return self.got

    def read_to_close(self) -> Got:
        """Read until the edge has closed, or hangs."""
        return self.read(10_000)

    def read_what_is_there(self) -> Got:
        """Read what has come already, without waiting."""
        self._socket.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            self.read_to_close()
        self._socket.settimeout(WAIT_S)
        return self.got

    def _more(self) -> bool:
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            self.got.hung = True
            return False
        except ConnectionResetError:
            data = b""
        self.got.closed = not data
        self.got.rest += data
        return bool(data)

    def _take(self, *, to_head: bool = False) -> None:
        while taken := take_reply(self.got.rest, to_head=to_head):
            reply, self.got.rest = taken
            if reply.status < 200:
                self.got.interim += 1
            else:
                self.got.replies.append(reply)
