"""Movers as the loop runs them: one flow a tenant, which says when it wants to come back."""

from collections.abc import Callable

from cell_control.domain.pace import Limits
from cell_control.flows.effects import Flow
from cell_control.flows.mover import Mover
from cell_control.flows.run import Performed
from cell_control.server.machine import Machine

MakeMover = Callable[[str], Flow[int | None]]
"""Returns the flow that brings one tenant nearer to its record, and says when to come again."""


def movers_of(
    machine: Machine, on_step: Callable[[Performed], None], *, keep_s: float
) -> MakeMover:
    """Return what makes the flows of this process.

    `keep_s` is how long an old home that is no standby is kept.
    """
    mover = Mover(
        machine.clock,
        name=machine.process,
        part=machine.new_id,
        limits=Limits(keep_ms=round(keep_s * 1000)),
        on_step=on_step,
    )

    def make(tenant: str) -> Flow[int | None]:
        stop = yield from mover.run(tenant)
        return None if stop.at_ms is None else max(0, stop.at_ms - machine.now_ms())

    return make
