"""Tells loops what there is to do: from the registry's changes at once, and from a sweep for sure.

Refuses to decide anything: it hands keys on.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from cell_control.domain.records import Kind, Tag
from cell_control.errors import Unavailable
from cell_control.ports import Changes, ChangesGone, Record, RegistryError
from cell_control.server.event_log import EventLog
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.watcher import Watcher

PAGE: Final = 1000
SWEPT_MAX: Final = 100_000


class Waked(Protocol):
    """Works on keys: `Rounds`."""

    def wake(self, key: str) -> None:
        """Work on `key` now."""

    def find(self, key: str) -> None:
        """Work on `key` now, unless it is known: then it comes when it is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who is told.

    Attributes:
        open: By kind: woken for each open record that has changed; finds those that are open.
        changed: By kind: gets each record that has changed, open or not.
        every: By kind, of which there are few: finds every key.
    """

    open: Mapping[Kind, Waked]
    changed: Mapping[Kind, Callable[[Record], None]]
    every: Mapping[Kind, Waked]


class OpenRecords:
    """Follows the registry on behalf of the loops of this process."""

    def __init__(
        self,
        threads: RegistryThreads,
        watcher: Watcher,
        listeners: Listeners,
        log: EventLog,
        *,
        sweep_s: float,
    ) -> None:
        self._threads = threads
        self._watcher = watcher
        self._listeners = listeners
        self._log = log
        self._sweep_s = sweep_s
        self._kinds = tuple(dict.fromkeys((*listeners.open, *listeners.changed)))
        self._rev = -1
        self._failing = False
        self._is_gap = False
        """Changes were missed since the last sweep."""

    async def run(self) -> None:
        """Follow until cancelled, whatever the registry does."""
        loop = asyncio.get_running_loop()
        sweep_at_s = loop.time()
        while not self._watcher.stopped:
            try:
                if loop.time() >= sweep_at_s:
                    sweep_at_s = loop.time() + self._sweep_s
                    await self._sweep()
                await self._follow()
                self._failing = False
            except (RegistryError, Unavailable) as error:
                if not self._failing:
                    self._log.say("sweep_failed", "warning", error=type(error).__name__)
                self._failing = True
                await asyncio.sleep(min(self._sweep_s, 1.0))
                continue
            await self._watcher.above(self._rev, max(0.0, sweep_at_s - loop.time()))

    async def _sweep(self) -> None:
        """Hand on every open record; what changes meanwhile, `_follow` hands on again."""
        registry = self._threads.registry
        if self._rev < 0:
            self._rev = await self._threads.call(registry.rev)
        # What is known comes when it is due: else a sweep would cut every pause short. What has
        # changed unseen may be due long after it should be.
        for kind, waked in self._listeners.open.items():
            await self._sweep_kind(kind, Tag.OPEN, waked.wake if self._is_gap else waked.find)
        for kind, waked in self._listeners.every.items():
            await self._sweep_kind(kind, None, waked.find)
        self._is_gap = False

    async def _sweep_kind(self, kind: Kind, tag: Tag | None, tell: Callable[[str], None]) -> None:
        registry = self._threads.registry
        after, swept = "", 0
        while swept < SWEPT_MAX:
            page = await self._threads.call(registry.list, kind, tag=tag, after=after, limit=PAGE)
            for record in page:
                tell(record.key)
            if len(page) < PAGE:
                break
            after, swept = page[-1].key, swept + len(page)

    async def _follow(self) -> None:
        while True:
            found = await self._changes()
            for record in found.records:
                self._tell(record)
            more = len(found.records) >= PAGE and found.rev > self._rev
            self._rev = found.rev
            if not more:
                return

    async def _changes(self) -> Changes:
        registry = self._threads.registry
        try:
            return await self._threads.call(
                registry.changes, self._rev, kinds=self._kinds, limit=PAGE
            )
        except ChangesGone as gone:
            self._is_gap = True
            return Changes(records=(), rev=gone.rev)

    def _tell(self, record: Record) -> None:
        changed = self._listeners.changed.get(record.kind)
        if changed is not None:
            changed(record)
        waked = self._listeners.open.get(record.kind)
        if waked is not None and record.tag == Tag.OPEN and not record.deleted:
            waked.wake(record.key)
