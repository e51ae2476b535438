"""What operators ask to have proved: that two cells hold the same."""

from cell_control.errors import Reason, Refused
from cell_control.server.bodies import VerifyBody
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.roles import OPERATORS, VIEWERS
from cell_control.server.routing import Call, Reply, Route, sent
from cell_control.server.verifications import Verification, Verifications
from cell_control.service.desk import Desk


class VerificationRoutes:
    """The rows of verifications."""

    def __init__(self, verifications: Verifications, desk: Desk, threads: RegistryThreads) -> None:
        self._verifications = verifications
        self._desk = desk
        self._call = threads.call

    def rows(self) -> list[Route]:
        """Return this part's rows."""
        return [
            Route(
                method="POST",
                path="/v1/tenants/{tenant}/verify",
                id="verify_tenant",
                summary="Begin to prove that another cell holds what the home holds",
                handle=self._begin,
                roles=OPERATORS,
                body=VerifyBody,
                answer=Verification,
                codes=("tenant_not_found", "no_standby"),
                statuses=(202,),
            ),
            Route(
                method="GET",
                path="/v1/verifications/{verification}",
                id="show_verification",
                summary="How far a verification is, and what it found",
                handle=self._show,
                roles=VIEWERS,
                answer=Verification,
                codes=("verification_not_found",),
            ),
        ]

    async def _begin(self, call: Call) -> Reply:
        body = sent(call, VerifyBody)
        tenant = (await self._call(self._desk.tenant, call.names["tenant"])).value
        other = body.other or tenant.standby
        if not other:
            text = f"{tenant.id} has no standby: name the other cell, or give it one first."
            reason = Reason(code="no_standby", subject=tenant.id, text=text)
            raise Refused("no_standby", [reason], tenant=tenant.id)
        return Reply(self._verifications.begin(tenant, other, body.depth), 202)

    async def _show(self, call: Call) -> Reply:
        return Reply(self._verifications.show(call.names["verification"]))
