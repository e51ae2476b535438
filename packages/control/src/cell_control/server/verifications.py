"""Verifications in the background: begun under an id, looked at by it, so many at a time.

They live in this process's memory: whoever asks another process is told that there is none. The
oldest that are over are forgotten first.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from cell_control.domain.proof import Depth, Report, Step
from cell_control.domain.records import Tenant
from cell_control.errors import NotFound, Unavailable
from cell_control.flows.verify import verify
from cell_control.server.event_log import EventLog
from cell_control.server.runtime import Runtime

KEPT_MAX: Final = 256
RUNNING_MAX: Final = 4


@dataclass(slots=True, kw_only=True)
class Verification:
    """One verification.

    Attributes:
        step: How far it is; None before the first page.
        report: What it found, once it is over.
    """

    id: str
    tenant: str
    other: str
    status: Literal["running", "done", "broken"] = "running"
    step: Step | None = None
    report: Report | None = None


class Verifications:
    """Those of this process."""

    def __init__(self, runtime: Runtime, new_id: Callable[[], str], log: EventLog) -> None:
        self._runtime = runtime
        self._new_id = new_id
        self._log = log
        self._kept: OrderedDict[str, Verification] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, tenant: Tenant, other: str, depth: Depth) -> Verification:
        """Begin to compare the home of `tenant` with `other`.

        Raises:
            Unavailable: `overloaded`: as many run as may.
        """
        if len(self._tasks) >= RUNNING_MAX:
            raise Unavailable("overloaded")
        begun = Verification(id=self._new_id(), tenant=tenant.id, other=other)
        self._kept[begun.id] = begun
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        task = asyncio.create_task(self._run(begun, tenant, depth))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return begun

    def show(self, verification: str) -> Verification:
        """Return one.

        Raises:
            NotFound: `verification_not_found`, here.
        """
        found = self._kept.get(verification)
        if found is None:
            raise NotFound("verification_not_found", verification=verification)
        return found

    async def stop(self) -> None:
        """Drop what is under way."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, begun: Verification, tenant: Tenant, depth: Depth) -> None:
        def progress(step: Step) -> None:
            begun.step = step

        flow = verify(tenant, begun.other, depth=depth, progress=progress)
        try:
            begun.report = await self._runtime.run(flow, in_thread=True)
            begun.status = "done"
        except Exception as error:  # noqa: BLE001 - a shell's last line: whoever looks is told
            self._log.bug("verification_broke", error, tenant=tenant.id)
            begun.status = "broken"
