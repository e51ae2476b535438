"""The registry's feed: what has changed behind a rev, for any number of routers that wait.

One read and one signature serve all who stand at the same rev. Refuses to wake anybody for what the
edge is not told.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cell_control.errors import Unavailable
from cell_control.ports import ChangesGone
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.watcher import Watcher
from cell_control.service.publishing import SealedBatch, changes_after, find_tenant, sealed_at
from cell_core.wire.registry_seal import Signer

WAIT_S_MAX: Final = 30.0
CLIENTS_MAX: Final = 4096
BATCHES_MAX: Final = 256
PACE_S: Final = 0.01
FRESH_MS: Final = 1000
"""An answer that says only "nothing new" is signed again after this long."""


@dataclass(frozen=True, slots=True)
class _Kept:
    made_ms: int
    batch: asyncio.Task[SealedBatch]


class Feed:
    """Answers what changed."""

    def __init__(
        self,
        threads: RegistryThreads,
        watcher: Watcher,
        signer: Signer,
        now_ms: Callable[[], int],
        *,
        on_ahead: Callable[[int], None] = lambda _rev: None,
    ) -> None:
        """Wait for nobody yet.

        `on_ahead` is told the rev of a follower that knows more than the registry: that was
        restored from a backup (protocol.md 7).
        """
        self._threads = threads
        self._watcher = watcher
        self._signer = signer
        self._now_ms = now_ms
        self._on_ahead = on_ahead
        self._kept: OrderedDict[tuple[int, int], _Kept] = OrderedDict()
        self.clients = 0

    async def changes(self, after: int, wait_s: float) -> bytes:
        """Return a sealed batch behind `after`: at once if there is news, else after `wait_s`.

        Raises:
            ChangesGone: `after` is not in this registry's past.
            Unavailable: `overloaded`: too many wait.
            RegistryError: It cannot be read.
        """
        if self.clients >= CLIENTS_MAX:
            raise Unavailable("overloaded")
        self.clients += 1
        try:
            return await self._changes(after, min(max(wait_s, 0.0), WAIT_S_MAX))
        except ChangesGone as gone:
            if after > gone.rev:
                self._on_ahead(after)
            raise
        finally:
            self.clients -= 1

    async def find(self, tenant: str) -> bytes | None:
        """Return a sealed batch with the record of `tenant`, or None if there is no such tenant."""
        batch = await self._threads.call(find_tenant, self._threads.registry, tenant)
        return None if batch is None else sealed_at(batch, self._signer, self._now_ms()).data

    async def _changes(self, after: int, wait_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while True:
            seen = self._watcher.rev
            found = await self._batch(after, seen)
            left_s = until_s - loop.time()
            if found.batch.changes or left_s <= 0 or self._watcher.stopped:
                return found.data
            await self._watcher.above(max(seen, found.batch.rev), left_s)
            # What woke this was perhaps only an audit; many of those must not be many reads.
            await asyncio.sleep(PACE_S)

    async def _batch(self, after: int, seen: int) -> SealedBatch:
        at, now_ms = (after, seen), self._now_ms()
        kept = self._kept.get(at)
        if kept is None or not 0 <= now_ms - kept.made_ms < FRESH_MS:
            kept = _Kept(now_ms, asyncio.create_task(self._read(after)))
            self._kept[at] = kept
            self._kept.move_to_end(at)
            while len(self._kept) > BATCHES_MAX:
                self._kept.popitem(last=False)
        await asyncio.wait({kept.batch})  # One waiter that goes away takes nothing from others.
        if kept.batch.cancelled() or kept.batch.exception() is not None:
            self._kept.pop(at, None)  # An error is nobody's to keep.
        return kept.batch.result()

    async def _read(self, after: int) -> SealedBatch:
        batch = await self._threads.call(changes_after, self._threads.registry, after)
        return sealed_at(batch, self._signer, self._now_ms())
