"""Carries operations out: a step of a flow at a time, for each operation under way."""

from collections.abc import Callable

from cell_control.domain.eligibility import Facts
from cell_control.domain.records import OperationStatus
from cell_control.flows.campaign import Stepped, campaign_step
from cell_control.server.rounds import Job
from cell_control.server.runtime import Runtime

CONTENDED_MS = 20
LOOK_MS = 1000
"""Between steps of an operation of which nobody said that something happened."""

WAITS_MS = 2000
"""While a member cannot begin, such as for want of room."""


def campaign_job(runtime: Runtime, facts: Callable[[], Facts], wake: Callable[[str], None]) -> Job:
    """Return what takes one step of an operation and says when to take the next.

    `wake` is told the tenants that a mover has to look at.
    """

    async def step(operation: str) -> int | None:
        stepped = await runtime.run(campaign_step(operation, facts()))
        for tenant in stepped.begun:
            wake(tenant)
        return _again_ms(stepped)

    return step


def _again_ms(stepped: Stepped) -> int | None:
    operation = stepped.operation
    if stepped.contended:
        return CONTENDED_MS
    if operation is None:
        return None
    if operation.status is not OperationStatus.RUNNING and not stepped.moving:
        return None
    if stepped.begun:
        return CONTENDED_MS
    return WAITS_MS if stepped.waits else LOOK_MS
