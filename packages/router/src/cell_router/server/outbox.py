"""Writes of one turn of the event loop, sent together at its end.

A write wakes whoever reads. Sent one by one, each with a request's work between, every write would
find its reader asleep again; sent back to back, one waking serves many. On a virtual machine, where
waking another core is dear, that halves the system's share of a request.
"""

import asyncio


class Outbox:
    """The bytes that wait for the end of this turn."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []

    def put(self, transport: asyncio.Transport, data: bytes) -> None:
        """Write `data` at the end of this turn, in the order of the calls."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append((transport, data))

    def flush(self) -> None:
        """Write what waits now: before anything is written, or ended, past this outbox."""
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            if not transport.is_closing():
                transport.write(data)
