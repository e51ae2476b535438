"""Asks the registry's source for tenants that no worker knows: each once, however many ask.

The asking blocks, so it happens in a few threads; what does not fit is answered "cannot say".
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from cell_core.domain.ids import is_id

ASKED_MAX: Final = 256


class Finder:
    """Coalesces questions; for the supervisor's event loop."""

    def __init__(
        self,
        ask: Callable[[str], bool | None],
        threads: Executor,
        answer: Callable[[int, str, bool | None], None],
    ) -> None:
        """Take what to ask and whom to tell: worker, tenant, whether it is there."""
        self._ask = ask
        self._threads = threads
        self._answer = answer
        self._asked: dict[str, set[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, worker: int, tenant: str) -> None:
        """Answer `worker` as soon as the source has said whether it knows `tenant`."""
        if not is_id(tenant):
            self._answer(worker, tenant, False)  # noqa: FBT003 - see `answer`
        elif tenant in self._asked:
            self._asked[tenant].add(worker)
        elif len(self._asked) >= ASKED_MAX:
            self._answer(worker, tenant, None)
        else:
            self._asked[tenant] = {worker}
            task = asyncio.get_running_loop().create_task(self._look_up(tenant))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look_up(self, tenant: str) -> None:
        present: bool | None = None
        loop = asyncio.get_running_loop()
        try:
            present = await loop.run_in_executor(self._threads, self._ask, tenant)
        finally:
            for worker in self._asked.pop(tenant):
                self._answer(worker, tenant, present)
