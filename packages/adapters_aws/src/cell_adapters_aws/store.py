"""`CellStore` on one DynamoDB table: a batch is one transaction, with the fence as operation 0.

Refuses to retry, to decide, and to make its own client: timeouts and credentials are the caller's.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, cast

from botocore.exceptions import ClientError

from cell_adapters_aws.documents import (
    attribute,
    document_in,
    document_item,
    fence_in,
    fence_item,
    is_fence,
    key_of,
)
from cell_adapters_aws.errors import THROTTLED, code_of, translated
from cell_core.domain.documents import (
    FENCE,
    Advance,
    Batch,
    Create,
    Delete,
    FenceChange,
    Page,
    Put,
    Remove,
    Snapshot,
)
from cell_core.domain.errors import BackendError, CellError, LostRace, Throttled
from cell_core.domain.fence import Guard, refusal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        DeleteTypeDef,
        TransactWriteItemsInputTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

    from cell_adapters_aws.documents import Item

_GET_KEYS_MAX: Final = 100
"""A BatchGetItem takes so many; the fence and READ_KEYS_MAX documents are one more."""

_GET_CALLS_MAX: Final = 6
"""An answer holds 16 MB: 100 documents of the contract's size come in three."""

# Keys hold neither: all their characters sort between "-" and "~".
_BELOW_ALL: Final = "!"
_ABOVE_ALL: Final = "\x7f"

_ABSENT: Final = "attribute_not_exists(pk)"
_FAILED: Final = "ConditionalCheckFailed"
_OTHER_WRITER: Final = frozenset({_FAILED, "DuplicateItem", "TransactionConflict"})
_NOWHERE: Final = "~ping"


class DynamoCellStore:
    """`CellStore` on a table with the string keys `pk` and `sk`.

    One store may serve several threads, as its client may.
    """

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._client = client
        self._table = table

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        """See `CellStore.read`; one BatchGetItem, two for 100 keys, more beyond 16 MB."""
        wanted = list(dict.fromkeys((FENCE, *keys)))
        found: list[Item] = []
        for start in range(0, len(wanted), _GET_KEYS_MAX):
            found += self._get(partition, wanted[start : start + _GET_KEYS_MAX])
        fence = next((fence_in(item) for item in found if is_fence(item)), None)
        documents = [document_in(item) for item in found if not is_fence(item)]
        return Snapshot(fence, {document.key: document for document in documents})

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        """See `CellStore.page`; one Query, which ends early at 1 MB."""
        # A bound, not an ExclusiveStartKey: DynamoDB refuses one that lies outside the prefix.
        low = prefix if after is None else max(prefix, after + _BELOW_ALL)
        high = prefix + _ABOVE_ALL
        if low > high:
            return Page((), None)
        with translated("page", writes=False):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
                ExpressionAttributeValues={
                    ":pk": attribute(partition),
                    ":low": attribute(low),
                    ":high": attribute(high),
                },
                ConsistentRead=True,
                # One more tells whether there is more: DynamoDB says so of every full page.
                Limit=limit + 1,
            )
            items = answer["Items"]
        documents = tuple(document_in(item) for item in items if not is_fence(item))
        if len(documents) > limit:
            return Page(documents[:limit], documents[limit - 1].key)
        last = answer.get("LastEvaluatedKey")
        return Page(documents, last["sk"]["S"] if last else None)

    def commit(self, batch: Batch) -> None:
        """See `CellStore.commit`; one TransactWriteItems."""
        request: TransactWriteItemsInputTypeDef = {"TransactItems": self._operations(batch)}
        if batch.token is not None:
            request["ClientRequestToken"] = self._token(batch.partition, batch.token)
        with translated("commit", writes=True):
            try:
                self._client.transact_write_items(**request)
            except ClientError as error:
                cancelled = _cancelled(batch, error)
                if cancelled is None:
                    raise
                raise cancelled from None

    def ping(self) -> None:
        """See `CellStore.ping`; half a read unit, and no permission that serving does not need."""
        with translated("ping", writes=False):
            self._client.get_item(TableName=self._table, Key=key_of(_NOWHERE, _NOWHERE))

    def _get(self, partition: str, keys: Sequence[str]) -> "list[Item]":
        found: list[Item] = []
        pending = [key_of(partition, key) for key in keys]
        for _ in range(_GET_CALLS_MAX):
            with translated("read", writes=False):
                answer = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": pending, "ConsistentRead": True}}
                )
                found += answer["Responses"].get(self._table, [])
                left = answer["UnprocessedKeys"].get(self._table)
            if not left:
                return found
            pending = left["Keys"]
        raise Throttled("read")

    def _token(self, partition: str, token: str) -> str:
        """Return `token` within DynamoDB's 36 characters, and this table's alone.

        DynamoDB knows tokens by account, and two cells of one account may commit the same entry.
        """
        text = f"{self._table}\n{partition}\n{token}"
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def _operations(self, batch: Batch) -> "list[TransactWriteItemTypeDef]":
        fence = [] if batch.fence is None else [self._on_fence(batch.partition, batch.fence)]
        return [*fence, *(self._on_document(batch.partition, write) for write in batch.writes)]

    def _on_fence(self, partition: str, change: FenceChange) -> "TransactWriteItemTypeDef":
        match change:
            case Create(fence):
                return {
                    "Put": {
                        "TableName": self._table,
                        "Item": fence_item(partition, fence),
                        "ConditionExpression": _ABSENT,
                    }
                }
            case Advance(guard, sets):
                return {"Update": self._advance(partition, guard, sets)}
            case Remove(guard):
                return {"Delete": self._remove(partition, guard)}

    def _advance(
        self, partition: str, guard: Guard, sets: Mapping[str, str | int]
    ) -> "UpdateTypeDef":
        expected = _expected(guard)
        # The epoch is always set, to what the guard says it is: an update must set something.
        new = {"epoch": guard.epoch, **sets}
        return {
            "TableName": self._table,
            "Key": key_of(partition, FENCE),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :new_{name}" for name in new),
            "ConditionExpression": _condition(expected),
            "ExpressionAttributeNames": {f"#{name}": name for name in {**expected, **new}},
            "ExpressionAttributeValues": {
                **_values("old", expected),
                **_values("new", new),
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _remove(self, partition: str, guard: Guard) -> "DeleteTypeDef":
        expected = _expected(guard)
        return {
            "TableName": self._table,
            "Key": key_of(partition, FENCE),
            "ConditionExpression": _condition(expected),
            "ExpressionAttributeNames": {f"#{name}": name for name in expected},
            "ExpressionAttributeValues": _values("old", expected),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _on_document(self, partition: str, write: Put | Delete) -> "TransactWriteItemTypeDef":
        if isinstance(write, Delete):
            return {
                "Delete": {
                    "TableName": self._table,
                    "Key": key_of(partition, write.document.key),
                    "ConditionExpression": "version = :version",
                    "ExpressionAttributeValues": {":version": attribute(write.document.version)},
                }
            }
        item = document_item(partition, write.document)
        if write.over is None:
            return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": _ABSENT}}
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": {":version": attribute(write.over.version)},
            }
        }


def _expected(guard: Guard) -> dict[str, str | int]:
    """Return what a fence must hold for `guard` to admit it, by field."""
    expected: dict[str, str | int] = {"role": guard.role.value, "epoch": guard.epoch}
    if guard.seq is not None:
        expected["seq"] = guard.seq
    if guard.chain is not None:
        expected["chain"] = guard.chain
    return expected


def _condition(expected: Mapping[str, str | int]) -> str:
    return " AND ".join(f"#{name} = :old_{name}" for name in expected)


def _values(when: str, fields: Mapping[str, str | int]) -> "dict[str, AttributeValueTypeDef]":
    return {f":{when}_{name}": attribute(value) for name, value in fields.items()}


def _cancelled(batch: Batch, error: ClientError) -> CellError | None:
    """Return why the transaction was cancelled, or None if it was not.

    The fence's verdict comes first: it alone tells a request that is at the wrong cell from one
    that is late. A conflict is a lost race even if DynamoDB also asks for less: core waits anyway.
    """
    if code_of(error) != "TransactionCanceledException":
        return None
    reasons = error.response.get("CancellationReasons", [])
    codes = [reason.get("Code", "None") for reason in reasons]
    if batch.fence is not None and codes[:1] == [_FAILED]:
        return _refused(batch.fence, cast("Item", reasons[0].get("Item", {})))
    if _OTHER_WRITER & set(codes):
        return LostRace()
    if THROTTLED & set(codes):
        return Throttled("commit")
    return BackendError()


def _refused(change: FenceChange, found: "Item") -> CellError:
    if isinstance(change, Create):
        return LostRace()
    return refusal(change.guard, fence_in(found) if found else None)
