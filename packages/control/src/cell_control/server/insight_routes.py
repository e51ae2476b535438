"""What operators look at across tenants: explanations, lag, headroom, audit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from cell_control.codec import read
from cell_control.domain.lag import BEHIND_MAX, Behind, Lags, Totals
from cell_control.domain.records import Audit
from cell_control.flows.lag_now import LagNow, lag_now
from cell_control.server.pages import AuditPage, AuditShown, PageQuery
from cell_control.server.reach import Reach
from cell_control.server.roles import VIEWERS
from cell_control.server.routing import Call, Handler, Query, Reply, Route, asked
from cell_control.service.explain import Explainer, Explanation
from cell_control.service.headroom import Headroom, HeadroomReport

WORST_MAX: Final = 100


class WorstQuery(Query):
    """How many of the tenants that are furthest behind to name."""

    worst: int = Field(default=10, ge=0, le=WORST_MAX)


@dataclass(frozen=True, slots=True)
class Replication:
    """How far standbys are behind, of the tenants that this process follows."""

    totals: Totals
    worst: tuple[Behind, ...]


class InsightRoutes:
    """The rows of this part."""

    def __init__(
        self,
        reach: Reach,
        lags: Lags,
        now_ms: Callable[[], int],
        next_action: Callable[[str], str],
    ) -> None:
        self._reach = reach
        self._lags = lags
        self._now_ms = now_ms
        self._headroom_report = HeadroomReport(reach.desk)
        self._explainer = Explainer(reach.desk, lag=self._lag_of, next_action=next_action)

    def rows(self) -> list[Route]:
        """Return this part's rows."""
        explain, lag = "/v1/tenants/{tenant}/explain", "/v1/tenants/{tenant}/lag"
        return [
            _row(explain, "explain_tenant", "Where a tenant is, since when, and why",
                 self._explain, Explanation, codes=("tenant_not_found",)),
            _row(lag, "tenant_lag", "How far its followers are behind, asked of them now",
                 self._lag, LagNow, codes=("tenant_not_found",)),
            _row("/v1/headroom", "headroom", "Whether cells and clouds could take over now",
                 self._headroom, Headroom),
            _row("/v1/replication", "replication", "How far standbys are behind, over all",
                 self._replication, Replication, query=WorstQuery),
            _row("/v1/audit", "audit", "Writes in the order of their times, by whom and why",
                 self._audit, AuditPage, query=PageQuery),
        ]  # fmt: skip

    async def _explain(self, call: Call) -> Reply:
        found = await self._reach.threads.call(self._explainer.explain, call.names["tenant"])
        return Reply(found)

    async def _lag(self, call: Call) -> Reply:
        desk = self._reach.desk
        tenant = (await self._reach.threads.call(desk.tenant, call.names["tenant"])).value
        return Reply(await self._reach.runtime.run(lag_now(tenant)))

    async def _headroom(self, _call: Call) -> Reply:
        return Reply(await self._reach.threads.call(self._headroom_report.headroom))

    async def _replication(self, call: Call) -> Reply:
        worst = self._lags.worst(asked(call, WorstQuery).worst)
        return Reply(Replication(self._lags.totals(self._now_ms()), tuple(worst)))

    async def _audit(self, call: Call) -> Reply:
        query = asked(call, PageQuery)
        threads = self._reach.threads
        found = await threads.call(
            threads.registry.list, "audit", after=query.after, limit=query.limit
        )
        rows = [AuditShown(key=record.key, audit=read(Audit, record)) for record in found]
        return Reply(AuditPage(rows, rows[-1].key if len(rows) == query.limit else None))

    def _lag_of(self, tenant: str) -> int | None:
        # Exact unless some had to be forgotten; then one that is not known is not known.
        found = next((b.entries for b in self._lags.worst(BEHIND_MAX) if b.tenant == tenant), None)
        if found is None and not self._lags.totals(self._now_ms()).forgotten:
            return 0
        return found


def _row(
    path: str,
    name: str,
    summary: str,
    handle: Handler,
    answer: object,
    *,
    query: type[Query] = Query,
    codes: tuple[str, ...] = (),
) -> Route:
    return Route(
        method="GET",
        path=path,
        id=name,
        summary=summary,
        handle=handle,
        roles=VIEWERS,
        query=query,
        answer=answer,
        codes=codes,
    )
