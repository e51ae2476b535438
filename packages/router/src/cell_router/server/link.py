"""One end of the socket pair between a worker and its supervisor, as an asyncio protocol.

It never queues without bound: where the other side does not read, a report is not taken and its
owner keeps counting.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Generic, TypeVar, cast

from cell_router.server.report import (
    FromWorker,
    Lines,
    ReportRefused,
    ToWorker,
    encode,
    from_worker,
    to_worker,
)

_UNSENT_BYTES_MAX: Final = 2 * 1024 * 1024

_Message = TypeVar("_Message")


class Link(asyncio.Protocol, Generic[_Message]):
    """Hands every message of the other side to `received`, and tells once when it is gone."""

    def __init__(
        self,
        decode: Callable[[bytes], _Message],
        received: Callable[[_Message], None],
        gone: Callable[[str], None],
    ) -> None:
        """Take what to do; `gone` gets "" for an end, or the reason why the stream was given up."""
        self._decode = decode
        self._received = received
        self._gone = gone
        self._lines = Lines()
        self._reason = ""
        self._transport: asyncio.Transport | None = None

    def send(self, message: FromWorker | ToWorker) -> bool:
        """Send `message`; False if it was not taken: the link is gone or the other side is slow.

        Raises:
            ReportRefused: It is longer than a line may be.
        """
        line = encode(message)
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() + len(line) > _UNSENT_BYTES_MAX:
            return False
        transport.write(line)
        return True

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand on the messages that are complete; give up on the first that is none."""
        try:
            for line in self._lines.feed(data):
                self._received(self._decode(line))
        except ReportRefused as refused:
            self._reason = refused.reason
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell that the other side is gone."""
        self._transport = None
        self._gone(self._reason)


async def worker_link(
    report_fd: int, received: Callable[[ToWorker], None], gone: Callable[[str], None]
) -> Link[ToWorker]:
    """Return the worker's end, over the descriptor that it inherited.

    A worker ends when `gone` is called: its supervisor is no more.
    """
    return await _connect(socket.socket(fileno=report_fd), to_worker, received, gone)


async def supervisor_link(
    end: socket.socket, received: Callable[[FromWorker], None], gone: Callable[[str], None]
) -> Link[FromWorker]:
    """Return the supervisor's end of the pair whose other end a child inherited."""
    return await _connect(end, from_worker, received, gone)


async def _connect(
    end: socket.socket,
    decode: Callable[[bytes], _Message],
    received: Callable[[_Message], None],
    gone: Callable[[str], None],
) -> Link[_Message]:
    end.settimeout(0)
    link = Link(decode, received, gone)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: link, end)
    return link
