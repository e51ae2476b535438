"""Transactional batches: up to 100 operations of one logical partition, all or nothing.

Refuses bulk requests that are not atomic. A failed batch is an answer, not an error: 207 with 424
for every operation but the culprit.
"""

from typing import Final

from cell_devstack.cosmos.catalog import Container
from cell_devstack.cosmos.charges import REFUSED_RU
from cell_devstack.cosmos.documents import ITEM_BYTES_MAX, Documents, LogicalKey
from cell_devstack.cosmos.engine import Engine
from cell_devstack.cosmos.errors import CosmosError, not_implemented
from cell_devstack.cosmos.exchange import Request, Response, charged
from cell_devstack.cosmos.items import ItemOperation, Items, Outcome
from cell_devstack.cosmos.values import dump_json, parse_json

OPERATIONS_MAX: Final = 100

_KINDS: Final = {"Create", "Upsert", "Read", "Replace", "Delete", "Patch"}


class Batches:
    """Performs batches inside a transaction."""

    def __init__(self, engine: Engine, documents: Documents, items: Items) -> None:
        self._engine = engine
        self._documents = documents
        self._items = items

    def answer(self, container: Container, request: Request) -> Response:
        """Perform the batch and render what became of each operation."""
        if not request.flag("x-ms-cosmos-batch-atomic"):
            raise not_implemented("Bulk that is not atomic")
        if len(request.raw) > ITEM_BYTES_MAX:
            raise CosmosError(413, "Request size is too large.")
        key = request.whole_key(container)
        operations = _operations(parse_json(request.raw), request.consistency)
        done: list[Outcome] = []
        failure: CosmosError | None = None
        try:
            with self._engine.nested():
                for operation in operations:
                    done.append(self._items.perform(container, key, operation))  # noqa: PERF401 - what was done counts when one fails
        except CosmosError as error:
            failure = error
        return self._rendered(container, key, operations, done, failure)

    def _rendered(
        self,
        container: Container,
        key: LogicalKey,
        operations: list[ItemOperation],
        done: list[Outcome],
        failure: CosmosError | None,
    ) -> Response:
        if failure is None:
            results = [_result(outcome) for outcome in done]
        else:
            results = [_text(424, 0.0)] * len(operations)
            results[len(done)] = _text(failure.status, REFUSED_RU, failure.sub_status)
        units = sum(outcome.request_units for outcome in done)
        partition = self._documents.range_of(key.place).number
        headers = charged(round(units + (REFUSED_RU if failure else 0), 2))
        headers["x-ms-session-token"] = self._documents.session_token(container, partition)
        headers["x-ms-item-count"] = str(len(results))
        status = 200 if failure is None else 207
        return Response(status=status, headers=headers, text=f"[{','.join(results)}]")


def _operations(body: object, consistency: str) -> list[ItemOperation]:
    if not isinstance(body, list) or not body:
        raise CosmosError(400, "Batch request has no operations.")
    if len(body) > OPERATIONS_MAX:
        raise CosmosError(400, "Batch request has more operations than what is supported.")
    return [_operation(one, consistency) for one in body]


def _operation(one: object, consistency: str) -> ItemOperation:
    if not isinstance(one, dict) or one.get("operationType") not in _KINDS:
        raise CosmosError(400, "A batch operation is unknown.")
    body = one.get("resourceBody")
    if body is not None and not isinstance(body, dict):
        raise CosmosError(400, "The body of a batch operation is not an object.")
    return ItemOperation(
        kind=one["operationType"],
        item_id=one.get("id"),
        body=body,
        if_match=one.get("ifMatch"),
        if_none_match=one.get("ifNoneMatch"),
        consistency=consistency,
    )


def _result(outcome: Outcome) -> str:
    if outcome.item is None:
        return _text(outcome.status, outcome.request_units)
    head = _text(outcome.status, outcome.request_units).removesuffix("}")
    etag = dump_json(outcome.item.etag)
    return f'{head},"eTag":{etag},"resourceBody":{outcome.item.text}}}'


def _text(status: int, request_units: float, sub_status: int | None = None) -> str:
    fields: dict[str, object] = {"statusCode": status, "requestCharge": request_units}
    if sub_status is not None:
        fields["subStatusCode"] = sub_status
    return dump_json(fields)
