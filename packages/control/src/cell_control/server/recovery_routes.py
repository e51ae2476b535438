"""What operators see and say of a recovery after the registry was restored from a backup."""

from dataclasses import dataclass

from pydantic import Field

from cell_control.flows.recover import RECOVERY
from cell_control.server.bodies import Id, Reasoned
from cell_control.server.recoveries import Recoveries
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.roles import ADMINS, VIEWERS
from cell_control.server.routing import Call, Reply, Route, sent
from cell_control.service.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Whether a recovery runs.

    Attributes:
        dark: Cells that do not answer, without which it does not go on.
    """

    running: bool
    dark: tuple[str, ...]


class WithoutBody(Reasoned):
    """Cells that are lost for good."""

    cells: tuple[Id, ...] = Field(max_length=16, strict=False)


class RecoveryRoutes:
    """The rows of the recovery."""

    def __init__(self, recoveries: Recoveries, desk: Desk, threads: RegistryThreads) -> None:
        self._recoveries = recoveries
        self._desk = desk
        self._call = threads.call

    def rows(self) -> list[Route]:
        """Return this part's rows."""
        return [
            Route(
                method="GET",
                path="/v1/recovery",
                id="show_recovery",
                summary="Whether the registry is being compared with the cells",
                handle=self._show,
                roles=VIEWERS,
                answer=Recovery,
            ),
            Route(
                method="POST",
                path="/v1/recovery",
                id="begin_recovery",
                summary="Compare the registry with the cells: its database was set back",
                handle=self._begin,
                roles=ADMINS,
                body=Reasoned,
                answer=Recovery,
            ),
            Route(
                method="POST",
                path="/v1/recovery/without",
                id="recover_without",
                summary="Go on without cells that are lost for good",
                handle=self._without,
                roles=ADMINS,
                body=WithoutBody,
                answer=Recovery,
            ),
        ]

    async def _show(self, _call: Call) -> Reply:
        return Reply(self._now())

    async def _begin(self, call: Call) -> Reply:
        reason = sent(call, Reasoned).reason
        audit = self._desk.audit(
            by=call.by, action="recovery.begin", subject=RECOVERY, reason=reason
        )
        rev = await self._call(self._desk.registry.rev)
        await self._recoveries.begin(by=call.by, reason=reason, rev=rev, audit=audit)
        return Reply(self._now())

    async def _without(self, call: Call) -> Reply:
        body = sent(call, WithoutBody)
        audit = self._desk.audit(
            by=call.by,
            action="recovery.without",
            subject=RECOVERY,
            reason=body.reason,
            cells=",".join(body.cells),
        )
        await self._call(self._desk.registry.commit, [audit])
        self._recoveries.go_on_without(body.cells)
        return Reply(self._now())

    def _now(self) -> Recovery:
        return Recovery(running=self._recoveries.running, dark=self._recoveries.dark)
