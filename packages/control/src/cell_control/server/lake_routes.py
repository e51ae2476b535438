"""What an auditor of the lake asks: whose word counted when, and where a tenant's journals stand.

Refuses to say anything of the lake itself: the control plane never reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cell_control.codec import read
from cell_control.domain.records import Lineage
from cell_control.flows.positions_now import PositionsNow, positions_now
from cell_control.server.pages import PageQuery
from cell_control.server.reach import Reach
from cell_control.server.roles import VIEWERS
from cell_control.server.routing import Call, Reply, Route, asked


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageShown:
    """A lineage record, and the registry's rev that brought it."""

    rev: int
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class LineagePage:
    """Lineage in the order of tenants and epochs.

    Attributes:
        rev: What became so up to here is in the pages that follow this one, and in it.
    """

    rev: int
    lineage: Sequence[LineageShown]
    after: str | None


class LakeRoutes:
    """The rows of this part."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def rows(self) -> list[Route]:
        """Return this part's rows."""
        return [
            Route(
                method="GET",
                path="/v1/lineage",
                id="list_lineage",
                summary="Each epoch of each tenant, for the lake",
                handle=self._lineage,
                roles=VIEWERS,
                query=PageQuery,
                answer=LineagePage,
            ),
            Route(
                method="GET",
                path="/v1/tenants/{tenant}/positions",
                id="tenant_positions",
                summary="Where a tenant's journals stand, asked of its cells now",
                handle=self._positions,
                roles=VIEWERS,
                answer=PositionsNow,
                codes=("tenant_not_found",),
            ),
        ]

    async def _lineage(self, call: Call) -> Reply:
        query = asked(call, PageQuery)
        threads = self._reach.threads
        rev = await threads.call(threads.registry.rev)
        found = await threads.call(
            threads.registry.list, "lineage", after=query.after, limit=query.limit
        )
        shown = [LineageShown(rev=record.rev, lineage=read(Lineage, record)) for record in found]
        after = found[-1].key if len(found) == query.limit else None
        return Reply(LineagePage(rev, shown, after))

    async def _positions(self, call: Call) -> Reply:
        desk = self._reach.desk
        tenant = (await self._reach.threads.call(desk.tenant, call.names["tenant"])).value
        return Reply(await self._reach.runtime.run(positions_now(tenant)))
