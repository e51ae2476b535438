"""Fences and documents as DynamoDB items, and back. Pure, so it is tested without a table.

Refuses to look into bodies: they are canonical JSON text on every cloud, never DynamoDB's numbers.

The table's key is `pk`, a partition, and `sk`, `FENCE` or a document's key; both are strings.
"""

from typing import TYPE_CHECKING, TypeAlias

from cell_core.domain.documents import FENCE, Document
from cell_core.domain.errors import InvariantBroken
from cell_core.domain.fence import Fence, fence_fields, fence_from

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item: TypeAlias = dict[str, AttributeValueTypeDef]

_KEY = {"pk", "sk"}


def key_of(partition: str, key: str) -> "Item":
    """Return the primary key of an item."""
    return {"pk": {"S": partition}, "sk": {"S": key}}


def is_fence(item: "Item") -> bool:
    """Say whether `item` is a partition's fence, not a document."""
    return item["sk"]["S"] == FENCE


def attribute(value: str | int) -> "AttributeValueTypeDef":
    """Return a field of a fence or document as DynamoDB types it."""
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}


def fence_item(partition: str, fence: Fence) -> "Item":
    """Return the stored form of `fence`; `fence_in` is its inverse."""
    fields = {name: attribute(value) for name, value in fence_fields(fence).items()}
    return {**key_of(partition, FENCE), **fields}


def fence_in(item: "Item") -> Fence:
    """Return the fence that `item` holds.

    Raises:
        InvariantBroken: `item` was not written by `fence_item`.
    """
    try:
        return fence_from({name: _value(item[name]) for name in item.keys() - _KEY})
    except (KeyError, ValueError):
        raise _foreign(FENCE) from None


def document_item(partition: str, document: Document) -> "Item":
    """Return the stored form of `document`; `document_in` is its inverse."""
    item = {
        **key_of(partition, document.key),
        "version": attribute(document.version),
        "body": attribute(document.body),
    }
    if document.deleted:
        item["deleted"] = {"BOOL": True}
    return item


def document_in(item: "Item") -> Document:
    """Return the document that `item` holds; DynamoDB has no tag, its version is condition enough.

    Raises:
        InvariantBroken: `item` was not written by `document_item`.
    """
    key = item["sk"]["S"]
    try:
        version, body = int(item["version"]["N"]), item["body"]["S"]
    except (KeyError, ValueError):
        raise _foreign(key) from None
    return Document(key, version, body, deleted="deleted" in item)


def _value(held: "AttributeValueTypeDef") -> str | int:
    return int(held["N"]) if "N" in held else held["S"]


def _foreign(key: str) -> InvariantBroken:
    return InvariantBroken(problem="not an item of this code", key=key)
