"""Knows the registry's rev, and wakes everyone who waits for a higher one.

One thread waits at the registry however many wait here. Refuses to read what has changed.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from cell_control.ports import Registry, RegistryError
from cell_control.server.event_log import EventLog

WAIT_S: Final = 0.2
"""How long one question to the registry may wait; a stop takes that long at most."""

PAUSE_S: Final = 0.5
"""After a question that failed."""


class Watcher:
    """Follows the rev; `above` is for the event loop that ran `start`."""

    def __init__(
        self,
        registry: Registry,
        log: EventLog,
        *,
        wait_s: float = WAIT_S,
        on_rev: Callable[[int], None] = lambda _rev: None,
    ) -> None:
        self._registry = registry
        self._log = log
        self._wait_s = wait_s
        self._on_rev = on_rev
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="registry-watch", daemon=True)
        self._changed: asyncio.Future[None] | None = None
        self.rev = 0
        self.reachable = False
        self.stopped = False

    def start(self) -> None:
        """Begin to follow."""
        self._loop = asyncio.get_running_loop()
        self._changed = self._loop.create_future()
        self._thread.start()

    async def above(self, rev: int, timeout_s: float) -> int:
        """Return the rev once it is above `rev`, at the latest after `timeout_s` or at a stop."""
        until_s = self._loop.time() + timeout_s
        while self.rev <= rev and not self.stopped:
            left_s = until_s - self._loop.time()
            if left_s <= 0 or self._changed is None:
                break
            await asyncio.wait({self._changed}, timeout=left_s)
        return self.rev

    def release(self) -> None:
        """Let everyone who waits go, now and from now on."""
        self._stop.set()
        self.stopped = True
        self._wake()

    async def stop(self) -> None:
        """Release everyone, and end the thread."""
        self.release()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _watch(self) -> None:
        rev = -1
        while not self._stop.is_set():
            try:
                found = self._registry.wait(rev, self._wait_s)
            except RegistryError as error:
                if self.reachable:
                    self._log.say("registry_unreachable", "warning", error=type(error).__name__)
                self.reachable = False
                self._stop.wait(PAUSE_S)
                continue
            if not self.reachable:
                self._log.say("registry_reached", rev=found)
            self.reachable = True
            if found != rev:
                rev = found
                self._tell(rev)

    def _tell(self, rev: int) -> None:
        try:
            self._loop.call_soon_threadsafe(self._note, rev)
        except RuntimeError:
            self._stop.set()  # The loop has ended without a stop: so does this.

    def _note(self, rev: int) -> None:
        self.rev = rev
        self._wake()
        self._on_rev(rev)

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        if not self.stopped and self._changed is not None:
            self._changed = self._loop.create_future()
