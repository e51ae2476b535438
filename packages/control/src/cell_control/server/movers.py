"""Movers as the loop runs them: one flow a tenant, which says when it wants to come back."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from cell_control.domain.pace import Limits
from cell_control.flows.effects import Flow
from cell_control.flows.mover import Mover
from cell_control.flows.run import Performed, Stop
from cell_control.server.machine import Machine

MakeMover = Callable[[str], Flow[int | None]]
"""Returns the flow that brings one tenant nearer to its record, and says when to come again."""

STOPS_MAX: Final = 10_000


class Stops:
    """Why tenants that are not at rest were left as they are, by this process; the newest ones."""

    def __init__(self) -> None:
        self._stops: OrderedDict[str, Stop] = OrderedDict()

    def note(self, tenant: str, stop: Stop) -> None:
        """Remember why a run of `tenant` ended, or forget it if nothing is left to do."""
        self._stops.pop(tenant, None)
        if stop.at_ms is None:
            return
        if len(self._stops) >= STOPS_MAX:
            self._stops.popitem(last=False)
        self._stops[tenant] = stop

    def next_of(self, tenant: str) -> str:
        """Return what is next for `tenant`, for people: a row of the table and why it waits."""
        stop = self._stops.get(tenant)
        return "" if stop is None else ": ".join(filter(None, [stop.row, stop.why]))


def movers_of(
    machine: Machine,
    on_step: Callable[[Performed], None],
    on_stop: Callable[[str, Stop], None],
    limits: Limits,
) -> MakeMover:
    """Return what makes the flows of this process."""
    mover = Mover(
        machine.clock,
        name=machine.process,
        part=machine.new_id,
        limits=limits,
        on_step=on_step,
    )

    def make(tenant: str) -> Flow[int | None]:
        stop = yield from mover.run(tenant)
        on_stop(tenant, stop)
        return None if stop.at_ms is None else max(0, stop.at_ms - machine.now_ms())

    return make
