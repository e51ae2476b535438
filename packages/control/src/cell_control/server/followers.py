"""Replicators: visits tenants in the order that `following` says, so many at a time.

Any process may visit any tenant; shares only save work. Refuses to judge a visit: it notes what one
found.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from cell_control.codec import read
from cell_control.domain.following import SWEPT_MAX, Following, Refill, Wait
from cell_control.domain.following import Visit as Due
from cell_control.domain.lag import Lags
from cell_control.domain.records import Tenant
from cell_control.errors import Unavailable
from cell_control.flows.follow import Visit, follow_record, followers_of
from cell_control.ports import Key, RegistryError
from cell_control.server.event_log import EventLog
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.runtime import Runtime

AFTER_ERROR_S: Final = 1.0


class Followers:
    """The replicators of this process; for one event loop."""

    def __init__(
        self,
        following: Following,
        threads: RegistryThreads,
        runtime: Runtime,
        log: EventLog,
        *,
        parallel_max: Callable[[], int],
        now_ms: Callable[[], int],
        on_visit: Callable[[Visit], None] = lambda _visit: None,
    ) -> None:
        self._following = following
        self._threads = threads
        self._runtime = runtime
        self._log = log
        self._parallel_max = parallel_max
        self._now_ms = now_ms
        self._on_visit = on_visit
        self._news = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self.lags = Lags()
        self.errors = 0
        """Visits that broke; a bug each."""

    @property
    def running(self) -> int:
        """How many visits are under way."""
        return len(self._running)

    def ring(self, tenants: Iterable[str]) -> int:
        """Visit `tenants` next; return how many there were."""
        rung = tuple(tenants)
        self._following.ring(rung)
        self._news.set()
        return len(rung)

    async def run(self) -> None:
        """Visit until `stop`."""
        while not self._stopping:
            self._news.clear()
            if len(self._running) >= self._parallel_max():
                await self._news.wait()
                continue
            match self._following.next(self._now_ms()):
                case Due(tenant=tenant):
                    self._begin(tenant)
                    await asyncio.sleep(0)
                case Refill(after=after):
                    await self._refill(after)
                case Wait(ms=ms):
                    await self._pause(ms / 1000)

    async def stop(self) -> None:
        """Drop what is under way: an entry that was applied stays applied."""
        self._stopping = True
        self._news.set()
        tasks = set(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _pause(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        except TimeoutError:
            return

    def _begin(self, tenant: str) -> None:
        if tenant not in self._running:
            self._running[tenant] = asyncio.create_task(self._watched(tenant))

    async def _watched(self, tenant: str) -> None:
        try:
            await self._visit(tenant)
        except (RegistryError, Unavailable):
            pass  # The watcher says so once; the sweep comes again.
        except Exception as error:  # noqa: BLE001 - a shell's last line: others must be visited
            self._log.bug("loop_error", error, loop="followers", key=tenant)
            self.errors += 1
        finally:
            del self._running[tenant]
            self._news.set()

    async def _visit(self, tenant: str) -> None:
        key = Key(kind="tenant", key=tenant)
        (record,) = await self._threads.call(self._threads.registry.get, [key])
        if record is None or record.deleted:
            self.lags.note(tenant, 0, self._now_ms())
            return
        found = read(Tenant, record)
        cells = (found.home, *followers_of(found))
        if len(cells) == 1 or not self._following.admits(cells, self._now_ms()):
            return
        self._note(await self._runtime.run(follow_record(found)), cells)

    def _note(self, visit: Visit, cells: Iterable[str]) -> None:
        now_ms = self._now_ms()
        for cell in cells:
            if cell in visit.dark:
                self._following.dark(cell, now_ms)
            else:
                self._following.answered(cell)
        self.lags.note(visit.tenant, visit.lag, now_ms)
        self._on_visit(visit)
        if visit.busy_ms:
            loop = asyncio.get_running_loop()
            loop.call_later(visit.busy_ms / 1000, self.ring, (visit.tenant,))
        elif visit.lag and visit.applied:
            self.ring((visit.tenant,))  # Its share of one visit was not enough.

    async def _refill(self, after: str) -> None:
        try:
            page = await self._threads.call(
                self._threads.registry.list, "tenant", after=after, limit=SWEPT_MAX
            )
        except (RegistryError, Unavailable):
            self._following.refill((), "")
            await self._pause(AFTER_ERROR_S)
            return
        followed = [record.key for record in page if followers_of(read(Tenant, record))]
        self._following.refill(followed, page[-1].key if len(page) == SWEPT_MAX else "")
