"""What a tenant may read: positions, entities, events, views (cell.md 3)."""

import json
from collections.abc import Sequence
from typing import Any

from cell_core.app.routes import Call, Reply, Route, cursor
from cell_core.domain.decider import Decider, Viewed
from cell_core.domain.documents import Document, log_key, stream_prefix
from cell_core.domain.errors import InvalidInput, NotFound, Refused
from cell_core.domain.ids import stripe_of
from cell_core.domain.journal import Entry
from cell_core.service.reads import Reader, Reading
from cell_core.wire.message import ETAG

_STREAM = "/v1/tenants/{tenant}/domains/{domain}/streams/{stream}"
_PAGE = ("after", "limit")


class Reads:
    """The endpoints that only look."""

    def __init__(self, reader: Reader, domains: Sequence[Decider]) -> None:
        self._reader = reader
        self._domains = {domain.name: domain for domain in domains}

    def routes(self) -> list[Route]:
        """Return this part's operations."""
        return [
            Route(
                method="GET",
                template=_STREAM,
                id="stream",
                summary="Where the stream stands",
                handle=self.stream,
                codes=("stream_not_found", "contention"),
                answer="StreamAnswer",
            ),
            Route(
                method="GET",
                template=f"{_STREAM}/entities",
                id="entities",
                summary="Entities in the order of their ids",
                handle=self.entities,
                query=_PAGE,
                codes=("stream_not_found", "contention"),
                answer="EntityPage",
            ),
            Route(
                method="GET",
                template=f"{_STREAM}/entities/{{entity}}",
                id="entity",
                summary="One entity",
                handle=self.entity,
                codes=("entity_not_found", "stream_not_found", "contention"),
                answer="EntityAnswer",
            ),
            Route(
                method="GET",
                template=f"{_STREAM}/events",
                id="events",
                summary="What happened, in order",
                handle=self.events,
                query=_PAGE,
                codes=("stream_not_found", "contention"),
                answer="EventPage",
            ),
            Route(
                method="GET",
                template=f"{_STREAM}/views/{{view}}",
                id="view",
                summary="An answer computed from the whole stream, such as ledger's trial_balance",
                handle=self.view,
                codes=("view_not_found", "stream_not_found", "contention", "view_too_large"),
                answer="ViewAnswer",
            ),
        ]

    def stream(self, call: Call) -> Reply:
        """Answer a stream's position."""
        at = self._at(call)
        fence = self._reader.stream(at)
        stripe = stripe_of(at.domain, at.stream, fence.stripes)
        position = {"stripe": stripe, "seq": fence.seq, "chain": fence.chain}
        body = {"domain": at.domain, "stream": at.stream, "position": position}
        return Reply(body, fence, headers={ETAG: f'"{fence.seq}"'})

    def entity(self, call: Call) -> Reply:
        """Answer one entity."""
        document, fence = self._reader.entity(self._at(call), call.names["entity"])
        body = {"id": call.names["entity"], **_entity(document)}
        return Reply(body, fence, headers={ETAG: f'"{document.version}"'})

    def entities(self, call: Call) -> Reply:
        """Answer a page of entities; a page may be short although more follow."""
        at = self._at(call)
        page, fence = self._reader.entities(at, after=call.after(), limit=call.limit())
        prefix = stream_prefix(at.domain, at.stream)
        shown = [
            {"id": document.key.removeprefix(prefix), **_entity(document)}
            for document in page.documents
            if not document.deleted
        ]
        after = None if page.after is None else cursor(page.after.removeprefix(prefix))
        return Reply({"entities": shown, "after": after}, fence)

    def events(self, call: Call) -> Reply:
        """Answer a page of the stream's events; rejected commands have none."""
        at = self._at(call)
        after = call.after()
        if after is not None and not after.isdecimal():
            raise InvalidInput("invalid_query", at="after")
        entries, last, fence = self._reader.events(
            at, after=None if after is None else log_key(int(after)), limit=call.limit()
        )
        shown = [event for entry in entries for event in _events(entry)]
        point = None if last is None else cursor(str(int(last.rpartition(":")[2])))
        return Reply({"events": shown, "after": point}, fence)

    def view(self, call: Call) -> Reply:
        """Answer a view of a stream that stood still while it was read."""
        at = self._at(call)
        domain = self._domains[at.domain]
        view = domain.views.get(call.names["view"]) if isinstance(domain, Viewed) else None
        if view is None:
            raise NotFound("view_not_found")
        documents, fence = self._reader.whole(at)
        if not documents:
            raise NotFound("stream_not_found", stream=at.stream)
        prefix = stream_prefix(at.domain, at.stream)
        found = ((d.key.removeprefix(prefix), json.loads(d.body)) for d in documents)
        return Reply({"view": call.names["view"], "value": view(found)}, fence)

    def _at(self, call: Call) -> Reading:
        if call.grant is None or call.grant.tenant != call.names["tenant"]:
            raise Refused("grant_tenant")
        if call.names["domain"] not in self._domains:
            raise NotFound("stream_not_found", stream=call.names["stream"])
        return Reading(
            tenant=call.names["tenant"],
            epoch=call.grant.epoch,
            domain=call.names["domain"],
            stream=call.names["stream"],
        )


def _entity(document: Document) -> dict[str, Any]:
    return {"seq": document.version, "body": json.loads(document.body)}


def _events(entry: Entry) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{entry.seq}.{index}",
            "type": f"{entry.domain}.{event.type}",
            "data": event.data,
            "command_id": entry.command_id,
            "time_ms": entry.time_ms,
            "epoch": entry.epoch,
        }
        for index, event in enumerate(entry.events)
    ]
