"""Fences, documents and batches as items and operations of one Cosmos DB container.

The container is partitioned by `/pk`. Pure, so it is tested without an account; refuses to build an
operation from a value that could change the meaning of its condition.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeAlias

from cell_core.domain.documents import (
    FENCE,
    Advance,
    Batch,
    Create,
    Delete,
    Document,
    FenceChange,
    Put,
    Remove,
)
from cell_core.domain.errors import InvariantBroken
from cell_core.domain.fence import Fence, Guard, Role, fence_fields, fence_from
from cell_core.domain.limits import INTEGER_MAX

Item: TypeAlias = dict[str, Any]
"""One stored JSON object, Cosmos's own fields (`_etag`, `_ts`) among them when it was read."""

Operation: TypeAlias = tuple[str, tuple[Any, ...], dict[str, str]]
"""One operation of a transactional batch, in the SDK's form: kind, arguments, condition."""

_FENCE_FIELDS = tuple(field.name for field in fields(Fence))
_CHAIN = re.compile(r"[0-9a-f]{64}")

SELECTED = ", ".join(
    f"c.{name}" for name in ("id", "_etag", "version", "body", "deleted", *_FENCE_FIELDS)
)
"""What a query asks for: all that is stored here, none of Cosmos's links and time stamps."""


def fence_item(partition: str, fence: Fence) -> Item:
    """Return the stored form of `fence`; `fence_of` is its inverse."""
    return {"id": FENCE, "pk": partition, **fence_fields(fence)}


def fence_of(item: Mapping[str, Any]) -> Fence:
    """Return the fence that `item` holds.

    Raises:
        InvariantBroken: `fence_item` did not write it.
    """
    try:
        return fence_from(dict(item))
    except (KeyError, TypeError, ValueError):
        raise InvariantBroken(stored=FENCE) from None


def document_item(partition: str, document: Document) -> Item:
    """Return the stored form of `document`; `document_of` is its inverse but for the tag."""
    item = {
        "id": document.key,
        "pk": partition,
        "version": document.version,
        "body": document.body,
    }
    return {**item, "deleted": True} if document.deleted else item


def document_of(item: Mapping[str, Any]) -> Document:
    """Return the document that `item` holds, with its ETag as its tag.

    Raises:
        InvariantBroken: `document_item` did not write it.
    """
    key, version, body = item.get("id"), item.get("version"), item.get("body")
    if not isinstance(key, str) or not isinstance(version, int) or not isinstance(body, str):
        raise InvariantBroken(stored=str(key))
    return Document(key, version, body, item.get("deleted") is True, item.get("_etag"))


def operations_of(batch: Batch) -> list[Operation]:
    """Return `batch` as the operations of one transactional batch, those on the fence first.

    Cosmos runs them in this order and stops at the first that fails, so a refusal of the fence is
    always told before one of a document.

    Raises:
        InvariantBroken: A value of a condition is not of the closed set it must come from.
    """
    operations = list(_fence_operations(batch.partition, batch.fence))
    for write in batch.writes:
        if isinstance(write, Put):
            operations.append(_put(batch.partition, write))
        else:
            operations.extend(_delete(write))
    return operations


def _fence_operations(partition: str, change: FenceChange | None) -> Iterator[Operation]:
    match change:
        case None:
            return
        case Create(fence):
            yield ("create", (fence_item(partition, fence),), {})
        case Advance(guard, sets):
            yield _guarded_patch(guard, sets)
        case Remove(guard):
            # A delete takes an ETag but no predicate; the patch before it, which changes nothing,
            # is the guard, and a batch may hold several operations on one item.
            yield _guarded_patch(guard, {})
            yield ("delete", (FENCE,), {})


def _guarded_patch(guard: Guard, sets: Mapping[str, str | int]) -> Operation:
    if not sets.keys() <= set(_FENCE_FIELDS):
        raise InvariantBroken(fence_fields=sorted(sets))
    # A patch needs an operation, also where there is nothing to set.
    return _patch(FENCE, _sets(sets or {"role": guard.role}), _admits(guard))


def _put(partition: str, put: Put) -> Operation:
    item = document_item(partition, put.document)
    if put.over is None:
        return ("create", (item,), {})
    if put.over.tag is not None:
        return ("replace", (put.document.key, item), {"if_match_etag": put.over.tag})
    changes = _sets({"version": put.document.version, "body": put.document.body})
    if put.document.deleted:
        changes.append({"op": "set", "path": "/deleted", "value": True})
    elif put.over.deleted:
        changes.append({"op": "remove", "path": "/deleted"})
    return _patch(put.document.key, changes, _stands_at(put.over))


def _delete(delete: Delete) -> Iterator[Operation]:
    found = delete.document
    if found.tag is not None:
        yield ("delete", (found.key,), {"if_match_etag": found.tag})
        return
    yield _patch(found.key, _sets({"version": found.version}), _stands_at(found))
    yield ("delete", (found.key,), {})


def _patch(key: str, changes: list[Item], condition: str) -> Operation:
    return ("patch", (key, changes), {"filter_predicate": f"FROM c WHERE {condition}"})


def _sets(values: Mapping[str, str | int]) -> list[Item]:
    return [{"op": "set", "path": f"/{name}", "value": value} for name, value in values.items()]


def _admits(guard: Guard) -> str:
    """Return `Guard.admits` as a condition; a batch takes no parameters, hence the checks."""
    terms = [f"c.role = '{Role(guard.role).value}'", f"c.epoch = {_count(guard.epoch)}"]
    if guard.seq is not None:
        terms.append(f"c.seq = {_count(guard.seq)}")
    if guard.chain is not None:
        terms.append(f"c.chain = '{_chain(guard.chain)}'")
    return " AND ".join(terms)


def _stands_at(document: Document) -> str:
    return f"c.version = {_count(document.version)}"


def _count(value: int) -> int:
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:
        raise InvariantBroken(condition="not a count")
    return value


def _chain(value: str) -> str:
    if not _CHAIN.fullmatch(value):
        raise InvariantBroken(condition="not a chain")
    return value
