"""The gateway without HTTP: authorises a request, applies faults, and routes it to its operation.

Refuses with 501 every route and feature that is not in its tables.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Self

from cell_devstack.cosmos.account import Account
from cell_devstack.cosmos.auth import LOCAL_KEY, MasterKey
from cell_devstack.cosmos.batch import Batches
from cell_devstack.cosmos.catalog import Catalog, Container
from cell_devstack.cosmos.documents import Documents
from cell_devstack.cosmos.engine import Engine
from cell_devstack.cosmos.errors import (
    COLLECTION_RECREATED,
    ConnectionCut,
    CosmosError,
    not_implemented,
)
from cell_devstack.cosmos.exchange import Request, Response
from cell_devstack.cosmos.faults import Effect, Fault, FaultPlan
from cell_devstack.cosmos.feed import ChangeFeed
from cell_devstack.cosmos.items import ItemOperation, Items
from cell_devstack.cosmos.query import Queries
from cell_devstack.cosmos.scope import Visibility

_REFUSED_HEADERS: Final = {
    "x-ms-documentdb-pre-trigger-include": "A trigger",
    "x-ms-documentdb-post-trigger-include": "A trigger",
    "x-ms-cosmos-is-query-plan-request": "A query plan",
}


class CosmosGateway:
    """An account's data and how it answers; safe for many threads, and a context manager.

    Args:
        file: Where the data lives; None keeps it in memory.
        partitions: How many physical partitions every container has.
        key: The master key, in base64, that requests must be signed with.
        now: Seconds since the epoch, for `_ts` and expiry.
        sleep: How a delay is waited out, in seconds.
    """

    def __init__(
        self,
        file: Path | str | None = None,
        partitions: int = 1,
        *,
        key: str = LOCAL_KEY,
        now: Callable[[], float] = time.time,  # noqa: TID251 - the stand-in is its own bootstrap
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.faults: Final = FaultPlan()
        self._key = MasterKey(key)
        self._sleep = sleep
        self._engine = Engine(None if file is None else Path(file), partitions, now)
        self._catalog = Catalog(self._engine)
        self._documents = documents = Documents(self._engine)
        visibility = Visibility(self._engine)
        self._items = Items(documents)
        self._batches = Batches(self._engine, documents, self._items)
        self._queries = Queries(documents, visibility)
        self._feed = ChangeFeed(self._engine, documents, visibility)
        self._routes = self._table(Account(self._engine, self._catalog, documents))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the running request end; later ones are cut off."""
        self._engine.close()

    def answer(self, request: Request) -> Response:
        """Serve one request.

        Raises:
            CosmosError: The refusal to answer with.
            ConnectionCut: There must be no answer.
        """
        self._key.verify(request.verb, request.segments, request.headers)
        fault = self.faults.next_for(request.verb, f"/{'/'.join(request.segments)}")
        if fault is None:
            return self._applied(request)
        return self._disturbed(request, fault)

    def _disturbed(self, request: Request, fault: Fault) -> Response:
        if fault.delay_ms:
            self._sleep(fault.delay_ms / 1000)
        response = self._applied(request) if fault.effect.applies else None
        if fault.effect in {Effect.CUT, Effect.APPLY_THEN_CUT}:
            raise ConnectionCut
        if response is None or fault.effect is Effect.APPLY_THEN_FAIL:
            raise fault.error
        return response

    def _applied(self, request: Request) -> Response:
        for header in _REFUSED_HEADERS.keys() & request.headers.keys():
            if request.headers[header].lower() != "false":
                raise not_implemented(_REFUSED_HEADERS[header])
        operation = self._routes.get((request.verb, _shape(request.segments)))
        if operation is None:
            raise not_implemented(f"{request.verb} /{'/'.join(request.segments)}")
        with self._engine.transaction():
            return operation(request)

    def _table(self, account: Account) -> Mapping[tuple[str, str], Callable[[Request], Response]]:
        """Verb and shape of the path; `*` stands for a name."""
        on_container = self._on_container
        return {
            ("GET", ""): account.describe,
            ("GET", "offers"): account.list_offers,
            ("POST", "offers"): account.list_offers,
            ("GET", "dbs"): account.list_databases,
            ("POST", "dbs"): account.post_databases,
            ("GET", "dbs/*"): account.read_database,
            ("DELETE", "dbs/*"): account.delete_database,
            ("GET", "dbs/*/colls"): account.list_containers,
            ("POST", "dbs/*/colls"): account.post_containers,
            ("GET", "dbs/*/colls/*"): account.read_container,
            ("PUT", "dbs/*/colls/*"): account.replace_container,
            ("DELETE", "dbs/*/colls/*"): account.delete_container,
            ("GET", "dbs/*/colls/*/pkranges"): account.list_ranges,
            ("GET", "dbs/*/colls/*/docs"): on_container(self._get_items),
            ("POST", "dbs/*/colls/*/docs"): on_container(self._post_items),
            ("GET", "dbs/*/colls/*/docs/*"): on_container(self._item("Read")),
            ("PUT", "dbs/*/colls/*/docs/*"): on_container(self._item("Replace")),
            ("DELETE", "dbs/*/colls/*/docs/*"): on_container(self._item("Delete")),
            ("PATCH", "dbs/*/colls/*/docs/*"): on_container(self._item("Patch")),
        }

    def _on_container(
        self, operation: Callable[[Container, Request], Response]
    ) -> Callable[[Request], Response]:
        def find_and_perform(request: Request) -> Response:
            container = self._catalog.container(request.segments[1], request.segments[3])
            intended = request.headers.get("x-ms-cosmos-intended-collection-rid")
            if intended not in {None, container.rid}:
                raise CosmosError(
                    400, "The container was recreated.", sub_status=COLLECTION_RECREATED
                )
            self._documents.expire(container)
            response = operation(container, request)
            # Without its name here the SDK never learns session tokens.
            name = f"dbs/{container.database}/colls/{container.id}"
            response.headers["x-ms-alt-content-path"] = name
            response.headers["x-ms-content-path"] = container.rid
            return response

        return find_and_perform

    def _get_items(self, container: Container, request: Request) -> Response:
        if "a-im" in request.headers:
            return self._feed.answer(container, request)
        return self._queries.read_all(container, request)

    def _post_items(self, container: Container, request: Request) -> Response:
        if request.flag("x-ms-cosmos-is-batch-request"):
            return self._batches.answer(container, request)
        if request.is_query:
            return self._queries.answer(container, request)
        kind = "Upsert" if request.flag("x-ms-documentdb-is-upsert") else "Create"
        return self._perform(kind, None, container, request)

    def _item(self, kind: str) -> Callable[[Container, Request], Response]:
        return lambda container, request: self._perform(
            kind, request.segments[5], container, request
        )

    def _perform(
        self, kind: str, item_id: str | None, container: Container, request: Request
    ) -> Response:
        operation = ItemOperation(
            kind=kind,
            item_id=item_id,
            body=None if kind in {"Read", "Delete"} else request.body(),
            if_match=request.headers.get("if-match"),
            if_none_match=request.headers.get("if-none-match"),
            consistency=request.consistency,
        )
        return self._items.answer(container, request, operation)


def _shape(segments: tuple[str, ...]) -> str:
    return "/".join("*" if place % 2 else segment for place, segment in enumerate(segments))
