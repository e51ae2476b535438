"""What loops are told: every change at once, and at a sweep only what they do not know yet."""

import asyncio
import io
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.domain.records import Tag
from cell_control.ports import ChangesGone, RegistryUnavailable, Write
from cell_control.server.event_log import EventLog
from cell_control.server.open_records import Listeners, OpenRecords
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.watcher import Watcher
from tests.control.server.plane import SEEN_S


class Told:
    """What a loop was told, in order."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.found: list[str] = []

    def wake(self, key: str) -> None:
        self.woken.append(key)

    def find(self, key: str) -> None:
        self.found.append(key)


class Forgetful(MemoryRegistry):
    """Fails as it is told to, once each."""

    def __init__(self) -> None:
        super().__init__()
        self.gone_at = -1
        self.unavailable = 0

    def changes(self, after: int, *args: Any, **given: Any) -> Any:
        if self.gone_at == after:
            self.gone_at = -1
            raise ChangesGone(self.rev())
        return super().changes(after, *args, **given)

    def list(self, *args: Any, **given: Any) -> Any:
        if self.unavailable:
            self.unavailable -= 1
            raise RegistryUnavailable("down")
        return super().list(*args, **given)


class Following:
    """`OpenRecords` over a registry, and what its loops were told."""

    def __init__(self) -> None:
        self.registry = Forgetful()
        self.tenants, self.cells = Told(), Told()

    def put(self, kind: Any, key: str, tag: str = Tag.OPEN) -> None:
        self.registry.commit([Write(kind=kind, key=key, rev=0, body="{}", tag=tag)])

    def run(self, *steps: tuple[Callable[[], None], Callable[[], bool]]) -> None:
        """Do each step, and wait until what belongs to it holds."""
        asyncio.run(self._run(steps))

    async def _run(self, steps: Any) -> None:
        log = EventLog(io.StringIO(), lambda: 0)
        watcher = Watcher(self.registry, log, wait_s=0.01)
        threads = RegistryThreads(self.registry, now_s=time.monotonic)
        listeners = Listeners(open={"tenant": self.tenants}, changed={}, every={"cell": self.cells})
        watcher.start()
        records = OpenRecords(threads, watcher, listeners, log, sweep_s=0.01)
        running = asyncio.create_task(records.run())
        try:
            async with asyncio.timeout(SEEN_S):
                for act, holds in steps:
                    act()
                    while not holds() and not running.done():
                        await asyncio.sleep(0.001)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await watcher.stop()
            threads.close()


def test_a_sweep_finds_what_is_open_and_every_cell_and_wakes_nobody():
    following = Following()
    following.put("tenant", "T-1")
    following.put("tenant", "T-2", tag="")
    following.put("cell", "aws-alpha", tag="")

    following.run((lambda: None, lambda: len(following.cells.found) >= 3))

    assert set(following.tenants.found) == {"T-1"}
    assert set(following.cells.found) == {"aws-alpha"}
    assert following.tenants.woken == following.cells.woken == []


def test_what_changes_is_woken():
    following = Following()
    following.put("cell", "aws-alpha", tag="")

    following.run(
        (lambda: None, lambda: bool(following.cells.found)),
        (lambda: following.put("tenant", "T-1"), lambda: following.tenants.woken == ["T-1"]),
    )


def test_after_changes_that_were_missed_one_sweep_wakes_all_that_is_open():
    following = Following()
    following.put("tenant", "T-1")

    def miss() -> None:
        following.registry.gone_at = following.registry.rev()
        following.registry.unavailable = 1
        following.put("tenant", "T-2")

    following.run(
        (lambda: None, lambda: bool(following.tenants.found)),
        (miss, lambda: len(following.tenants.woken) >= 2),
        (following.tenants.found.clear, lambda: len(following.tenants.found) >= 4),
    )

    assert sorted(following.tenants.woken) == ["T-1", "T-2"]
