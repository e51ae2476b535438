"""Keeps the loops of a process running until it is told to stop, whatever happens in one.

Refuses to know what they do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from cell_control.server.event_log import EventLog

PAUSE_S: Final = 1.0


class LoopSet:
    """Loops by name."""

    def __init__(self, log: EventLog, on_error: Callable[[str], None]) -> None:
        self._log = log
        self._on_error = on_error
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a loop from now on; if it breaks, again after a pause."""
        self._tasks[name] = asyncio.create_task(self._kept(name, run), name=name)

    async def stop(self) -> None:
        """Cancel every loop, and wait for its end."""
        self._stopping = True
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _kept(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 - a shell's last line: loops live on
                self._log.bug("loop_broke", error, loop=name)
                self._on_error(name)
                await asyncio.sleep(PAUSE_S)
            else:
                return
