"""What operators ask about tenants."""

from collections.abc import Callable

from pydantic import Field

from cell_control.domain.records import Policy, Tenant
from cell_control.server.bodies import PinBody, PolicyChange, Reasoned, TenantBody
from cell_control.server.pages import AfterText, PageQuery, TenantsPage
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.roles import OPERATORS, VIEWERS
from cell_control.server.routing import Body, Call, Handler, Reply, Route, asked, sent
from cell_control.service.tenants import Created, NewTenant, Tenants

_TENANT = "/v1/tenants/{tenant}"


class TenantsQuery(PageQuery):
    """Which page, and of which cell."""

    cell: AfterText = Field(default="")


class TenantRoutes:
    """The rows of tenants."""

    def __init__(
        self,
        tenants: Tenants,
        threads: RegistryThreads,
        new_id: Callable[[], str],
    ) -> None:
        self._tenants = tenants
        self._call = threads.call
        self._new_id = new_id

    def rows(self) -> list[Route]:
        """Return this part's rows."""
        return [
            Route(
                method="GET",
                path="/v1/tenants",
                id="list_tenants",
                summary="Tenants in the order of their ids",
                handle=self._list,
                roles=VIEWERS,
                query=TenantsQuery,
                answer=TenantsPage,
            ),
            Route(
                method="POST",
                path="/v1/tenants",
                id="create_tenant",
                summary="Create a tenant where it fits best",
                handle=self._create,
                roles=OPERATORS,
                body=TenantBody,
                answer=Created,
                codes=("invalid_tenant", "invalid_policy", "cell_not_found", "id_taken",
                       "no_cell_fits"),
            ),
            Route(
                method="GET",
                path=_TENANT,
                id="show_tenant",
                summary="A tenant's record",
                handle=self._show,
                roles=VIEWERS,
                answer=Tenant,
                codes=("tenant_not_found",),
            ),
            _write("pin", "Keep a tenant where it is", self._pin, PinBody, "pin_violated"),
            _write("unpin", "Let a tenant be moved again", self._unpin, Reasoned),
            _write("quarantine", "Let the edge refuse it", self._quarantine, Reasoned),
            _write("release", "Serve and copy it again", self._release, Reasoned),
            _write("policy", "Change what may be done with it", self._policy, PolicyChange,
                   "invalid_policy", "policy_violated", "cell_not_found"),
        ]  # fmt: skip

    async def _list(self, call: Call) -> Reply:
        query = asked(call, TenantsQuery)
        found, after = await self._call(
            self._tenants.page, after=query.after, limit=query.limit, cell=query.cell
        )
        return Reply(TenantsPage(found, after or None))

    async def _create(self, call: Call) -> Reply:
        body = sent(call, TenantBody)
        wanted = NewTenant(
            id=body.id or self._new_id(),
            stripes=body.stripes,
            policy=body.policy.over(Policy()),
            home=body.home or "",
            standby=body.standby,
        )
        return Reply(await self._call(self._tenants.create, wanted, by=call.by, reason=body.reason))

    async def _show(self, call: Call) -> Reply:
        return Reply(await self._call(self._tenants.show, call.names["tenant"]))

    async def _pin(self, call: Call) -> Reply:
        body, tenant = sent(call, PinBody), call.names["tenant"]
        cell = body.cell
        if cell is None:
            cell = (await self._call(self._tenants.show, tenant)).home
        return Reply(
            await self._call(self._tenants.pin, tenant, cell, by=call.by, reason=body.reason)
        )

    async def _unpin(self, call: Call) -> Reply:
        return await self._plain(call, self._tenants.unpin)

    async def _quarantine(self, call: Call) -> Reply:
        return await self._plain(call, self._tenants.quarantine)

    async def _release(self, call: Call) -> Reply:
        return await self._plain(call, self._tenants.release)

    async def _policy(self, call: Call) -> Reply:
        body, tenant = sent(call, PolicyChange), call.names["tenant"]
        policy = (await self._call(self._tenants.show, tenant)).policy
        changed = body.policy.over(policy)
        return Reply(
            await self._call(
                self._tenants.set_policy, tenant, changed, by=call.by, reason=body.reason
            )
        )

    async def _plain(self, call: Call, change: Callable[..., Tenant]) -> Reply:
        reason = sent(call, Reasoned).reason
        return Reply(await self._call(change, call.names["tenant"], by=call.by, reason=reason))


def _write(name: str, summary: str, handle: Handler, body: type[Body], *codes: str) -> Route:
    return Route(
        method="POST",
        path=f"{_TENANT}/{name}",
        id=f"{name}_tenant",
        summary=summary,
        handle=handle,
        roles=OPERATORS,
        body=body,
        answer=Tenant,
        codes=("tenant_not_found", *codes),
    )
