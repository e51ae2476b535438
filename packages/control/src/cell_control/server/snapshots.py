"""The snapshot that the feed serves: built in a thread, once for all who ask, when it is asked for.

An answer is of the rev at the time of the question, unless building takes long: then it is the last
one, and the next comes soon. Refuses to build two at a time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cell_control.server.registry_threads import RegistryThreads
from cell_control.service.publishing import Published, build_snapshot
from cell_core.wire.registry_seal import Signer

PATIENCE_S: Final = 3.0
"""A router gives up after 5 s without a byte."""

PAUSE_SHARE: Final = 3.0
"""Between two builds: so many times what one takes, so that they take a quarter of a core."""


@dataclass(frozen=True, slots=True)
class Served:
    """A snapshot with its ETag."""

    published: Published
    etag: str


class Snapshots:
    """Keeps the last snapshot."""

    def __init__(
        self,
        threads: RegistryThreads,
        signer: Signer,
        *,
        rev: Callable[[], int],
        now_ms: Callable[[], int],
        now_s: Callable[[], float],
    ) -> None:
        """Build nothing yet.

        Args:
            threads: Where it is built.
            signer: Signs it.
            rev: Where the registry is, as far as is known here.
            now_ms: The wall clock.
            now_s: The monotonic clock.
        """
        self._threads = threads
        self._signer = signer
        self._rev = rev
        self._now_ms = now_ms
        self._now_s = now_s
        self._last: Served | None = None
        self._not_before_s = float("-inf")
        self._building: asyncio.Task[Served] | None = None
        self.built = 0
        self.took_s = 0.0

    async def get(self) -> Served:
        """Return a snapshot; see the module for how old it may be.

        Raises:
            Unavailable: `registry_empty`, or `overloaded`.
            RegistryError: There is none yet and the registry cannot be read.
        """
        last = self._last
        if last is not None and last.published.rev == self._rev():
            return last
        building = self._building
        if building is None or building.done():
            building = self._building = asyncio.create_task(self._build())
            building.add_done_callback(_look_at)
        timeout_s = PATIENCE_S if last is not None else None
        done, _pending = await asyncio.wait({building}, timeout=timeout_s)
        if last is not None and (not done or building.exception() is not None):
            return last
        return await asyncio.shield(building)

    async def close(self) -> None:
        """Give up what is being built."""
        if self._building is not None:
            self._building.cancel()
            await asyncio.wait({self._building})

    async def _build(self) -> Served:
        await asyncio.sleep(max(0.0, self._not_before_s - self._now_s()))
        began_s = self._now_s()
        made = await self._threads.call(
            build_snapshot, self._threads.registry, self._signer, self._now_ms()
        )
        self.built += 1
        self.took_s = self._now_s() - began_s
        self._not_before_s = self._now_s() + PAUSE_SHARE * self.took_s
        self._last = Served(made, f'"{made.rev}-{made.created_ms}"')
        return self._last


def _look_at(task: asyncio.Task[Served]) -> None:
    # Whoever waits gets the error; with nobody waiting any more it must not be "never retrieved".
    if not task.cancelled():
        task.exception()
