"""An event loop in a thread of its own, for servers that tests talk to over real sockets."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


class LoopThread:
    """Runs coroutines for another thread, and tells it when everything sent so far was read."""

    def __init__(
        self,
        name: str,
        new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    ) -> None:
        self._loop = new_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to run."""
        self._thread.start()

    def stop(self) -> None:
        """Cancel what runs, end the thread and close the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        assert not self._thread.is_alive()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return what `coroutine` returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(5)

    def settle(self) -> None:
        """Return once the loop has read, and acted on, every byte that was sent before.

        A turn of the loop reads what is there and then runs what is due; the second turn began
        after the first, so it read everything.
        """
        for _ in range(3):
            turned = threading.Event()
            self._loop.call_soon_threadsafe(turned.set)
            assert turned.wait(5)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the loop from turning in the block: what is sent meanwhile arrives in one turn."""
        began, over = threading.Event(), threading.Event()

        def hold() -> None:
            began.set()
            over.wait(5)

        self._loop.call_soon_threadsafe(hold)
        assert began.wait(5)
        try:
            yield
        finally:
            over.set()

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
