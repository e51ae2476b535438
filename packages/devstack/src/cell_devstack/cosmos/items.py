"""Operations on one item, alone or as part of a batch: preconditions first, then the write.

Refuses what the service refuses: 404, 409, 412 and ids that change.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cell_devstack.cosmos.catalog import Container
from cell_devstack.cosmos.charges import REFUSED_RU, read_charge, write_charge
from cell_devstack.cosmos.documents import Documents, LogicalKey, Stored
from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.exchange import Request, Response, charged
from cell_devstack.cosmos.patch import apply_patch
from cell_devstack.cosmos.sql_run import matches
from cell_devstack.cosmos.sql_statement import parse_statement


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemOperation:
    """One operation as asked for: `kind` is the protocol's word, `body` an item or a patch."""

    kind: str
    item_id: str | None = None
    body: Mapping[str, object] | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    consistency: str = ""

    @property
    def target_id(self) -> object:
        """The id it is about: named outside, or the body's."""
        return self.item_id if self.item_id is not None else self._fields.get("id")

    @property
    def _fields(self) -> Mapping[str, object]:
        return self.body if self.body is not None else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an operation answers; no `item` for a deletion and for 304."""

    status: int
    request_units: float
    item: Stored | None = None


class Items:
    """Performs item operations; every call runs inside a transaction."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def answer(self, container: Container, request: Request, operation: ItemOperation) -> Response:
        """Perform a lone operation and render its answer."""
        key = request.whole_key(container)
        outcome = self.perform(container, key, operation)
        partition = self._documents.range_of(key.place).number
        headers = charged(outcome.request_units)
        headers["x-ms-session-token"] = self._documents.session_token(container, partition)
        text = None
        if outcome.item is not None:
            headers["etag"] = outcome.item.etag
            minimal = request.headers.get("prefer") == "return=minimal"
            text = None if minimal and operation.kind != "Read" else outcome.item.text
        return Response(status=outcome.status, headers=headers, text=text)

    def perform(self, container: Container, key: LogicalKey, operation: ItemOperation) -> Outcome:
        """Perform one operation, or raise the refusal; then nothing is written."""
        item_id = operation.target_id
        old = self._documents.find(container, key, item_id) if isinstance(item_id, str) else None
        if operation.kind == "Create" and old is not None:
            raise _refused(409, "Entity with the specified id already exists in the system.")
        # An upsert that inserts ignores If-Match, as in the service.
        if operation.kind == "Create" or (operation.kind == "Upsert" and old is None):
            return self._write(container, key, operation.body or {}, None)
        if old is None:
            raise _refused(404, "Entity with the specified id does not exist in the system.")
        if operation.kind == "Read":
            return _read(operation, old)
        _check_preconditions(operation, old)
        change = self._CHANGES.get(operation.kind)
        if change is None:
            raise CosmosError(400, f"The operation {operation.kind!r} is unknown.")
        return change(self, container, key, operation, old)

    def _replace(
        self, container: Container, key: LogicalKey, operation: ItemOperation, old: Stored
    ) -> Outcome:
        fields = operation.body or {}
        if fields.get("id") != operation.target_id:
            raise CosmosError(400, "The id of a replaced item must not change.")
        return self._write(container, key, fields, old)

    def _delete(
        self, container: Container, key: LogicalKey, _operation: ItemOperation, old: Stored
    ) -> Outcome:
        self._documents.remove(container, key, old)
        return Outcome(status=204, request_units=write_charge(old.size_bytes))

    def _patch(
        self, container: Container, key: LogicalKey, operation: ItemOperation, old: Stored
    ) -> Outcome:
        patch, current = operation.body or {}, old.fields()
        condition = patch.get("condition")
        if condition is not None and not matches(parse_statement(str(condition)), current):
            raise _refused(412, "The condition of the patch is not satisfied.")
        apply_patch(current, patch.get("operations"), container.key_paths)
        return self._write(container, key, current, old)

    _CHANGES: Final[Mapping[str, Callable[..., Outcome]]] = {
        "Replace": _replace,
        "Upsert": _replace,
        "Delete": _delete,
        "Patch": _patch,
    }

    def _write(
        self,
        container: Container,
        key: LogicalKey,
        fields: Mapping[str, object],
        old: Stored | None,
    ) -> Outcome:
        stored = self._documents.store(container, key, fields, old)
        return Outcome(
            status=201 if old is None else 200,
            request_units=write_charge(stored.size_bytes),
            item=stored,
        )


def _read(operation: ItemOperation, old: Stored) -> Outcome:
    if operation.if_none_match == old.etag:
        return Outcome(status=304, request_units=REFUSED_RU)
    units = read_charge(old.size_bytes, operation.consistency)
    return Outcome(status=200, request_units=units, item=old)


def _check_preconditions(operation: ItemOperation, old: Stored) -> None:
    if operation.if_match not in {None, "*", old.etag}:
        raise _refused(412, "One of the specified pre-conditions is not met.")
    if operation.if_none_match in {"*", old.etag}:
        raise _refused(412, "One of the specified pre-conditions is not met.")


def _refused(status: int, message: str) -> CosmosError:
    return CosmosError(status, message, headers=charged(REFUSED_RU))
