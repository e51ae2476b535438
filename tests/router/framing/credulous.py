"""A planted fault: an edge that believes what a client says about its framing, and passes it on.

It shows that the corpus and its judge see what they are there to see.
"""

import asyncio
import re
from typing import Final, Self

from tests.router.framing.loop_thread import LoopThread

_LENGTH: Final = re.compile(rb"content-length\s*:\s*(\d+)", re.IGNORECASE)
_CODED: Final = re.compile(rb"transfer-encoding\s*:[^\n]*chunked", re.IGNORECASE)


class CredulousEdge:
    """Forwards every head as it came, with a body as long as the last length says."""

    def __init__(self, upstream_port: int) -> None:
        self.port = 0
        self._upstream_port = upstream_port
        self._thread = LoopThread("credulous")

    def __enter__(self) -> Self:
        self._thread.start()
        self._thread.run(self._listen())
        return self

    def __exit__(self, *exc: object) -> None:
        self._thread.run(self._end())
        self._thread.stop()

    def settle(self) -> None:
        """Let it read what was sent."""
        self._thread.settle()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_cell, to_cell = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        try:
            while True:
                to_cell.write(await _message(reader))
                writer.write(await _message(from_cell))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            to_cell.close()
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if _CODED.search(head):
        return head + await reader.readuntil(b"0\r\n\r\n")
    lengths = _LENGTH.findall(head)
    return head + await reader.readexactly(int(lengths[-1]) if lengths else 0)
