"""What routers and cells ask: the registry's feed, and doorbells."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from cell_control.errors import NotFound
from cell_control.server.feed import Feed
from cell_control.server.roles import FOLLOWERS, RINGERS
from cell_control.server.routing import Body, Call, Query, Reply, Route, asked, sent
from cell_control.server.snapshots import Snapshots
from cell_core.domain.ids import ID_PATTERN
from cell_core.domain.limits import INTEGER_MAX

RUNG_MAX: Final = 1000
_BYTES: Final = "application/octet-stream"

Id = Annotated[str, Field(pattern=ID_PATTERN)]


class ChangesQuery(Query):
    """Where the follower is, and how long it would wait; longer than 30 s is 30 s."""

    after: int = Field(ge=0, le=INTEGER_MAX)
    wait_s: float = Field(default=0.0)


class Doorbells(Body):
    """Tenants that have something new in their journals."""

    tenants: tuple[Id, ...] = Field(max_length=RUNG_MAX, strict=False)


@dataclass(frozen=True, slots=True)
class Rung:
    """How many tenants will be looked at."""

    rung: int


class FeedRoutes:
    """The rows of the feed."""

    def __init__(
        self, feed: Feed, snapshots: Snapshots, ring: Callable[[Iterable[str]], int]
    ) -> None:
        self._feed = feed
        self._snapshots = snapshots
        self._ring = ring

    def rows(self) -> list[Route]:
        """Return this part's rows."""
        return [
            Route(
                method="GET",
                path="/v1/registry/snapshot",
                id="registry_snapshot",
                summary="The whole registry, signed",
                handle=self._snapshot,
                roles=FOLLOWERS,
                codes=("registry_empty",),
                statuses=(200, 304),
            ),
            Route(
                method="GET",
                path="/v1/registry/changes",
                id="registry_changes",
                summary="What changed behind a rev, signed; waits for news",
                handle=self._changes,
                roles=FOLLOWERS,
                query=ChangesQuery,
                codes=("changes_gone",),
            ),
            Route(
                method="GET",
                path="/v1/registry/tenants/{tenant}",
                id="registry_tenant",
                summary="One tenant's record, signed",
                handle=self._find,
                roles=FOLLOWERS,
                codes=("tenant_not_found",),
            ),
            Route(
                method="POST",
                path="/v1/doorbells",
                id="ring_doorbells",
                summary="Say that tenants have something to replicate",
                handle=self._rung,
                roles=RINGERS,
                body=Doorbells,
                answer=Rung,
            ),
        ]

    async def _snapshot(self, call: Call) -> Reply:
        served = await self._snapshots.get()
        headers = {"etag": served.etag}
        if call.headers.get("if-none-match") == served.etag:
            return Reply(status=304, headers=headers, raw=b"")
        return Reply(headers=headers, raw=served.published.data, kind=_BYTES)

    async def _changes(self, call: Call) -> Reply:
        query = asked(call, ChangesQuery)
        return Reply(raw=await self._feed.changes(query.after, query.wait_s), kind=_BYTES)

    async def _find(self, call: Call) -> Reply:
        tenant = call.names["tenant"]
        found = await self._feed.find(tenant)
        if found is None:
            raise NotFound("tenant_not_found", tenant=tenant)
        return Reply(raw=found, kind=_BYTES)

    async def _rung(self, call: Call) -> Reply:
        return Reply(Rung(self._ring(sent(call, Doorbells).tenants)))
