"""`CellStore` on one Cosmos DB container partitioned by `/pk`.

Refuses to retry and to choose a consistency level: the account's is Strong (protocol.md 4), and
`bootstrap` checks that it is.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from cell_adapters_azure.documents import (
    SELECTED,
    Item,
    Operation,
    document_of,
    fence_of,
    operations_of,
)
from cell_adapters_azure.errors import (
    batch_refused,
    domain_error,
    is_absent,
    not_found,
    translated,
)
from cell_core.domain.documents import DIRECTORY, FENCE, Batch, Create, Page, Snapshot
from cell_core.domain.errors import CellError, LostRace, Unavailable
from cell_core.domain.fence import Fence, fence_fields, refusal

_CONNECT_WAIT_S = 1.0
"""How long a caller waits for another one's attempt to connect before it gives up."""

_PAGES_MAX = 40
"""Answers of one read: Cosmos cuts them at 4 MB, and 101 documents are at most 35 MB."""

_KEY_MAX = "\x7f"
"""Greater than every character of a key: keys are ASCII up to the tilde."""

_PAGE_QUERY = f"SELECT {SELECTED} FROM c WHERE c.id {{bound}} @from AND c.id < @to ORDER BY c.id"  # noqa: S608 - constants only


class Container(Protocol):
    """What is used of `azure.cosmos.ContainerProxy`, which is only partly typed."""

    def read_item(self, item: str, partition_key: str) -> Mapping[str, Any]:
        """Return one item."""

    def query_items(self, query: str, **options: Any) -> Any:  # noqa: ANN401 - untyped in the SDK
        """Return a pager over items."""

    def execute_item_batch(
        self, batch_operations: Sequence[Operation], partition_key: str
    ) -> Sequence[Mapping[str, Any]]:
        """Run one transactional batch."""


class CosmosCellStore:
    """One round trip for each call, or one more to learn why the fence refused a commit.

    `connect` is called when a container is first needed, and again while it fails: `CosmosClient`
    reads the account over the network when it is made, and a cell must load while its database is
    down. It bounds its own time, and returns another client's container each time. Safe to use from
    many threads.
    """

    def __init__(self, connect: Callable[[], Container]) -> None:
        self._containers = _Containers(connect)

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        """See `CellStore.read`."""
        if not keys:
            return Snapshot(self._fence("read", partition), {})
        names = [f"@k{index}" for index in range(len(keys) + 1)]
        items, _ = self._query(
            "read",
            partition,
            f"SELECT {SELECTED} FROM c WHERE c.id IN ({', '.join(names)})",  # noqa: S608 - only the names of parameters
            dict(zip(names, (FENCE, *keys), strict=True)),
            limit=None,
        )
        found = {item["id"]: item for item in items}
        fence = found.pop(FENCE, None)
        documents = {key: document_of(item) for key, item in found.items()}
        return Snapshot(fence_of(fence) if fence else None, documents)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        """See `CellStore.page`."""
        beyond = after is not None and after >= prefix
        items, more = self._query(
            "page",
            partition,
            _PAGE_QUERY.format(bound=">" if beyond else ">="),
            {"@from": after if beyond else prefix, "@to": prefix + _KEY_MAX},
            # One more tells whether there is more: an answer may have a continuation to nothing.
            limit=limit + 1,
        )
        documents = tuple(document_of(item) for item in items if item["id"] != FENCE)
        if len(documents) > limit:
            return Page(documents[:limit], documents[limit - 1].key)
        return Page(documents, items[-1]["id"] if items and more else None)

    def commit(self, batch: Batch) -> None:
        """See `CellStore.commit`."""
        operations = operations_of(batch)
        if not operations:
            return
        with self._containers.lent() as container, translated("commit", writes=True):
            try:
                results = container.execute_item_batch(operations, partition_key=batch.partition)
                _check_complete(operations, results)
                return
            except batch_refused() as fault:
                refused = fault
        raise self._refusal(batch, refused) from refused

    def ping(self) -> None:
        """See `CellStore.ping`."""
        self._fence("ping", DIRECTORY)

    def _refusal(self, batch: Batch, fault: Exception) -> CellError:
        """Return what the refusal of one operation means, which undid all of them."""
        status, index = getattr(fault, "status_code", 0), getattr(fault, "error_index", 0)
        if status not in {404, 409, 412}:
            return domain_error("commit", fault, writes=True)
        if index > 0 or batch.fence is None or isinstance(batch.fence, Create):
            return LostRace()
        guard = batch.fence.guard
        found = self._fence("commit", batch.partition) if status == 412 else None
        if found is not None and guard.admits(found):
            # It did not when the batch ran; somebody moved it back since.
            return LostRace(fence=fence_fields(found))
        return refusal(guard, found)

    def _fence(self, operation: str, partition: str) -> Fence | None:
        with self._containers.lent() as container, translated(operation, writes=False):
            try:
                item = container.read_item(FENCE, partition_key=partition)
            except not_found() as fault:
                if is_absent(fault):
                    return None
                raise
            if item.get("id") != FENCE:
                raise ValueError("an answer without the item")
        return fence_of(item)

    def _query(
        self,
        operation: str,
        partition: str,
        query: str,
        parameters: Mapping[str, Any],
        *,
        limit: int | None,
    ) -> tuple[list[Item], bool]:
        """Return the items of a query and whether there are more; all of them without a limit."""
        answers = _Answers(operation)
        with self._containers.lent() as container, translated(operation, writes=False):
            pages = container.query_items(
                query,
                parameters=[{"name": name, "value": value} for name, value in parameters.items()],
                partition_key=partition,
                max_item_count=limit or len(parameters),
                response_hook=answers,
            ).by_page()
            items: list[Item] = []
            for page in pages:
                items += page
                if items and limit:  # An answer may be empty although more follow.
                    break
            return items, answers.more


class _Containers:
    """Connected containers, each lent to one thread at a time.

    A client is not safe to share, whatever its documentation says: each request of azure-cosmos
    4.17.1 writes into the headers of the answer before it, which another thread may be reading.
    """

    def __init__(self, connect: Callable[[], Container]) -> None:
        self._connect = connect
        self._connecting = threading.Lock()
        self._failures = 0
        self._idle: deque[Container] = deque()  # At most as many as core admits requests.

    @contextmanager
    def lent(self) -> Iterator[Container]:
        container = self._taken() or self._connected()
        try:
            yield container
        finally:
            self._idle.append(container)

    def _taken(self) -> Container | None:
        try:
            return self._idle.pop()  # The one used last: its connection is the warmest.
        except IndexError:
            return None

    def _connected(self) -> Container:
        failures = self._failures
        if not self._connecting.acquire(timeout=_CONNECT_WAIT_S):
            raise Unavailable("connect")
        try:
            # Whoever waited for an attempt shares its outcome; else waits would add up.
            container = self._taken()
            if container is None and self._failures > failures:
                raise Unavailable("connect")
            return container or self._try_to_connect()
        finally:
            self._connecting.release()

    def _try_to_connect(self) -> Container:
        self._failures += 1
        with translated("connect", writes=False):
            container = self._connect()
        self._failures -= 1
        return container


class _Answers:
    """Counts a query's answers and keeps whether the last one said that there are more.

    The pager's own continuation token is no use: the SDK takes it from a field of the client, and
    an answer without one leaves there the ETag of another.
    """

    def __init__(self, operation: str) -> None:
        self.more = False
        self._operation = operation
        self._count = 0

    def __call__(self, headers: Mapping[str, Any], _body: object) -> None:
        self._count += 1
        if self._count > _PAGES_MAX:
            raise Unavailable(self._operation)
        self.more = bool(headers.get("x-ms-continuation"))


def _check_complete(operations: Sequence[Operation], results: Sequence[object]) -> None:
    # The SDK takes any JSON array for a success, an empty one as well.
    if len(results) != len(operations):
        raise ValueError("not one result for each operation")
