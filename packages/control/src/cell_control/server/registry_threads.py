"""Registry calls from the event loop: a few threads, since its adapters block.

Refuses to queue without end: beyond `WAITING_MAX` calls a caller is told to come again.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from cell_control.errors import Unavailable
from cell_control.ports import Registry

THREADS_MAX: Final = 4
WAITING_MAX: Final = 1024

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


class RegistryThreads:
    """Runs blocking calls on `registry`, and tells `observe` how many seconds each took."""

    def __init__(
        self,
        registry: Registry,
        *,
        now_s: Callable[[], float],
        observe: Callable[[float], None] = lambda _seconds: None,
        threads: int = THREADS_MAX,
    ) -> None:
        self.registry = registry
        self._now_s = now_s
        self._observe = observe
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="registry")
        self._waiting = 0

    async def call(
        self, function: Callable[Given, Returned], *args: Given.args, **named: Given.kwargs
    ) -> Returned:
        """Return what `function` returns, run in a thread.

        Raises:
            Unavailable: `overloaded`: too many wait. Nothing was done.
        """
        if self._waiting >= WAITING_MAX:
            raise Unavailable("overloaded")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._timed, function, args, named)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Wait for what runs; nothing may be called afterwards."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _timed(
        self,
        function: Callable[..., Returned],
        args: tuple[object, ...],
        named: dict[str, object],
    ) -> Returned:
        began_s = self._now_s()
        try:
            return function(*args, **named)
        finally:
            self._observe(self._now_s() - began_s)
