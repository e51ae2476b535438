"""Publishes the registry to one target: when something changed, and not too often.

A target that is gone is tried again and again; nothing else waits for it. Refuses to publish over
what is newer: the target looks before it puts.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

from cell_control.errors import Unavailable
from cell_control.ports import ChangesGone, RegistryError
from cell_control.server.event_log import EventLog
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.snapshots import Snapshots
from cell_control.server.watcher import Watcher
from cell_control.service.publishing import (
    Feeding,
    Target,
    changes_after,
    put_newer,
    sealed_at,
)
from cell_core.wire.registry_changes import CHANGES_MAX, Batch
from cell_core.wire.registry_seal import Signer

BATCHES_MAX: Final = 1000
"""Of one publication; what is left comes with the next."""

PAUSE_FIRST_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0
IDLE_S: Final = 60.0

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where what is published comes from.

    Attributes:
        now_ms: The wall clock.
    """

    threads: RegistryThreads
    watcher: Watcher
    snapshots: Snapshots
    signer: Signer
    now_ms: Callable[[], int]


class Publisher:
    """Keeps one target current."""

    def __init__(
        self,
        name: str,
        target: Target,
        sources: Sources,
        log: EventLog,
        *,
        every_s: float,
        snapshot_s: float,
        on_result: Callable[[str, str], None] = lambda _name, _result: None,
    ) -> None:
        """Publish nothing yet.

        Args:
            name: Of the target, for logs and metrics.
            target: Where to.
            sources: What.
            log: Gets a line when the target fails, and when it is well again.
            every_s: At most one publication in this time.
            snapshot_s: Of a target with a feed: how old its snapshot may become.
            on_result: Told the name, and `ok` or a code.
        """
        self._name = name
        self._target = target
        self._sources = sources
        self._log = log
        self._every_s = every_s
        self._snapshot_s = snapshot_s
        self._on_result = on_result
        # Of its own: a target that hangs holds up no other one.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"publish-{name}")
        self._snapshot_at_s = float("-inf")
        self._fresh_rev = -1
        self._said = ""
        self._failures = 0

    async def run(self) -> None:
        """Publish until the watcher is stopped or this is cancelled."""
        watcher = self._sources.watcher
        seen = -1
        try:
            while not watcher.stopped:
                await watcher.above(seen, IDLE_S)
                seen = watcher.rev
                if await self.publish():
                    await asyncio.sleep(self._every_s)
                else:
                    seen = -1  # What was not published is to be, whether more changes or not.
                    await asyncio.sleep(self._pause_s())
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def publish(self) -> bool:
        """Publish what the registry holds now; say whether that is done."""
        try:
            await self._publish()
        except Unavailable as error:
            if error.code == "registry_empty":
                return True
            return self._failed(error.code)
        except RegistryError:
            return self._failed("registry_unavailable")
        self._failures = 0
        self._say("")
        self._on_result(self._name, "ok")
        return True

    async def _publish(self) -> None:
        feed = self._target.feed
        if feed is None:
            await self._put_snapshot()
            return
        if self._now_s() - self._snapshot_at_s < self._snapshot_s:
            done = await self._put_changes(feed)
            if done:
                return
        await self._refresh(feed)

    async def _refresh(self, feed: Feeding) -> None:
        """Bring the changes up to a new snapshot, then put that, so that nobody reads it whole."""
        if not feed.whole:
            await self._put_changes(feed)
        await self._put_snapshot()
        self._snapshot_at_s = self._now_s()
        if feed.whole:
            await self._put_changes(feed)

    async def _put_snapshot(self) -> None:
        served = (await self._sources.snapshots.get()).published
        watcher = self._sources.watcher
        await self._in_thread(put_newer, self._target, served, lambda: watcher.rev)

    async def _put_changes(self, feed: Feeding) -> bool:
        """Put what is new there; return False if only a snapshot will do."""
        sources = self._sources
        for _ in range(BATCHES_MAX):
            after = await self._in_thread(feed.after)
            if after < 0:
                return False
            try:
                batch = await sources.threads.call(changes_after, sources.threads.registry, after)
            except ChangesGone:
                return False
            if not batch.changes:
                return True
            sealed = sealed_at(batch, sources.signer, sources.now_ms())
            is_all = len(batch.changes) < CHANGES_MAX and sealed.batch.rev == batch.rev
            if feed.whole and not is_all:
                return False
            await self._in_thread(
                feed.put_changes, sealed.batch, sealed.data, self._fresh_rev, self._seal
            )
            self._fresh_rev = sealed.batch.rev
            if feed.whole or is_all:
                return True
        return True

    def _seal(self, batch: Batch) -> bytes:
        return sealed_at(batch, self._sources.signer, self._sources.now_ms()).data

    async def _in_thread(
        self, function: Callable[Given, Returned], *args: Given.args, **named: Given.kwargs
    ) -> Returned:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: function(*args, **named))

    def _failed(self, code: str) -> bool:
        self._failures += 1
        self._say(code)
        self._on_result(self._name, code)
        return False

    def _pause_s(self) -> float:
        return min(PAUSE_MAX_S, PAUSE_FIRST_S * 2.0 ** min(self._failures - 1, 10))

    def _say(self, code: str) -> None:
        """Log a change of how the target does, and not each failure of an outage."""
        if code != self._said:
            self._said = code
            level = "warning" if code else "info"
            self._log.say("publishing", level, target=self._name, error=code or None)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
