"""The mover: for one tenant, read, decide by the table, take one step, and again (protocol.md 6).

It remembers nothing that matters. Any number of movers, in any process, may work on one tenant, be
stopped between any two steps, and wake again: each step is conditional on what it was decided from.
Refuses to wait long: it says when to come back.
"""

from collections.abc import Callable
from typing import Final

from cell_control.domain.pace import Limits
from cell_control.flows.effects import Flow
from cell_control.flows.known import Trouble
from cell_control.flows.run import Performed, Run, Stop, Tools
from cell_core.ports import Clock

TROUBLES_MAX: Final = 10_000


class Mover:
    """Works on tenants, one run at a time for each; one object for a whole process.

    Args:
        name: Under which it claims tenants; another one for each process.
        part: Makes the random part of an audit's key.
        on_step: Is told of each step.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        name: str,
        part: Callable[[], str],
        limits: Limits | None = None,
        on_step: Callable[[Performed], None] = lambda _: None,
    ) -> None:
        self._tools = Tools(
            clock=clock, name=name, part=part, limits=limits or Limits(), on_step=on_step
        )
        self._troubles: dict[str, Trouble] = {}

    def run(self, tenant_id: str) -> Flow[Stop]:
        """Take steps until the tenant is settled or something has to be waited for. Never raises.

        At most `limits.actions_max` steps, then it wants to be run again at once.
        """
        trouble = self._troubles.get(tenant_id) or Trouble()
        if len(self._troubles) >= TROUBLES_MAX:
            # Forgetting gives a move that has failed often a few failures more.
            self._troubles.clear()
        self._troubles[tenant_id] = trouble
        stop = yield from Run(self._tools, tenant_id, trouble).go()
        if stop.at_ms is None:
            self._troubles.pop(tenant_id, None)
        return stop
