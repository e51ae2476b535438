"""Looks through cells' directories now and then, for what no record names."""

from collections.abc import Callable

from cell_control.errors import Unavailable
from cell_control.flows.calling import NotDone
from cell_control.flows.tidy import tidy_step
from cell_control.ports import RegistryError
from cell_control.server.event_log import EventLog
from cell_control.server.rounds import Job
from cell_control.server.runtime import Runtime


def tidying_job(runtime: Runtime, log: EventLog, now_ms: Callable[[], int], every_s: float) -> Job:
    """Return what looks through a cell's whole directory, and says when to do so again."""

    async def tidy(cell: str) -> int | None:
        after = ""
        while True:
            try:
                found = await runtime.run(tidy_step(cell, after, now_ms()))
            except (NotDone, RegistryError, Unavailable):
                break  # The next time will do.
            for tenant in found.named:
                log.say("stray", tenant=tenant, cell=cell)
            for tenant in found.unknown:
                log.say("stray_unknown", "warning", tenant=tenant, cell=cell)
            after = found.after
            if not after:
                break
        return round(every_s * 1000)

    return tidy
