"""One job for each key, again when it asks for it or when somebody wakes it, so many at a time.

Movers and campaigns are rounds. A job that breaks is logged and comes again after a growing pause;
the round itself never ends before it is told to. Refuses keys without end: what does not fit comes
with the next sweep.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from typing import Final

from cell_control.server.event_log import EventLog

KEYS_MAX: Final = 100_000
PAUSE_FIRST_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0

Job = Callable[[str], Awaitable[int | None]]
"""Works on a key; returns after how many milliseconds to work on it again, None for not by itself.
"""


class Rounds:
    """Runs `job`; everything here is for one event loop."""

    def __init__(
        self,
        name: str,
        job: Job,
        *,
        parallel_max: int,
        log: EventLog,
        draw: Callable[[], float],
        on_error: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """Run nothing yet.

        Args:
            name: For logs and metrics.
            job: See `Job`.
            parallel_max: Jobs at a time.
            log: Gets a line for each error.
            draw: Returns 0 to 1, for jitter.
            on_error: Told the name at each error.
        """
        self._name = name
        self._job = job
        self._parallel_max = parallel_max
        self._log = log
        self._draw = draw
        self._on_error = on_error
        self._due: dict[str, float] = {}
        self._order: list[tuple[float, str]] = []
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}
        self._news = asyncio.Event()
        self._stopping = False

    def __len__(self) -> int:
        """How many keys are known, at work or waiting."""
        return len(self._due.keys() | self._running.keys())

    @property
    def running(self) -> int:
        """How many jobs are at work."""
        return len(self._running)

    def wake(self, key: str, after_s: float = 0.0) -> None:
        """Work on `key` within `after_s`; a job at work on it is followed by another one."""
        at_s = asyncio.get_running_loop().time() + after_s
        known_s = self._due.get(key)
        if known_s is not None and known_s <= at_s:
            return
        if known_s is None and len(self._due) >= KEYS_MAX:
            return
        self._due[key] = at_s
        heapq.heappush(self._order, (at_s, key))
        self._news.set()

    def find(self, key: str) -> None:
        """Work on `key` now, unless it is known: then it comes when it is due."""
        if key not in self._due and key not in self._running:
            self.wake(key)

    async def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping:
            wait_s = self._begin_due()
            self._news.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more; give what is at work `grace_s`, then drop it between two effects."""
        self._stopping = True
        self._news.set()
        tasks = set(self._running.values())
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _begin_due(self) -> float | None:
        """Begin what is due and fits; return how long until more is, None for until news."""
        now_s = asyncio.get_running_loop().time()
        held: list[tuple[float, str]] = []
        wait_s: float | None = None
        while self._order and len(self._running) < self._parallel_max:
            at_s, key = heapq.heappop(self._order)
            if self._due.get(key) != at_s:
                continue  # It was brought forward since.
            if at_s > now_s:
                held.append((at_s, key))
                wait_s = at_s - now_s
                break
            if key in self._running:
                continue  # Still due: the end of the job puts it in order again.
            del self._due[key]
            self._running[key] = asyncio.create_task(self._work(key), name=f"{self._name} {key}")
        for one in held:
            heapq.heappush(self._order, one)
        return wait_s

    async def _work(self, key: str) -> None:
        again_ms: int | None = None
        try:
            again_ms = await self._job(key)
            self._failures.pop(key, None)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a shell's last line: the round must live on
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            self._log.bug("loop_error", error, loop=self._name, key=key, failures=failures)
            self._on_error(self._name)
            again_ms = round(self._pause_s(failures) * 1000)
        finally:
            self._ended(key, again_ms)

    def _ended(self, key: str, again_ms: int | None) -> None:
        del self._running[key]
        if key in self._due:
            heapq.heappush(self._order, (self._due[key], key))  # Somebody woke it meanwhile.
        elif again_ms is not None:
            self.wake(key, again_ms / 1000)
        else:
            self._failures.pop(key, None)
        self._news.set()

    def _pause_s(self, failures: int) -> float:
        ceiling_s = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2.0 ** min(failures - 1, 10))
        return ceiling_s * (0.5 + self._draw() / 2)
