"""The control plane's API, typed: one method for each request, values as the server has them.

Each answer holds the value and the JSON that it was read from, which `--json` shows as it came.
Members that this release does not know are ignored; a missing one is a failure that says so.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from cell_control.cli.connection import SNAPSHOT_BYTES_MAX, Connection
from cell_control.cli.failures import Exit, Failed, usage
from cell_control.domain.proof import Depth
from cell_control.domain.records import Cell, Operation, Tenant
from cell_control.flows.lag_now import LagNow
from cell_control.server.insight_routes import Replication
from cell_control.server.operation_routes import Asked
from cell_control.server.pages import (
    AuditPage,
    AuditShown,
    CellShown,
    CellsShown,
    MembersPage,
    OperationsPage,
    TenantsPage,
)
from cell_control.server.recovery_routes import Recovery
from cell_control.server.status_routes import Status
from cell_control.server.verifications import Verification
from cell_control.service.explain import Explanation
from cell_control.service.headroom import Headroom
from cell_control.service.tenants import Created
from cell_core.domain.ids import is_id

T = TypeVar("T")

PAGE: Final = 1000
PAGES_MAX: Final = 10_000
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What was answered, as a value and as it came."""

    value: T
    json: Any


class Client:
    """Asks one control plane. Every method raises `Failed`, and nothing else on purpose."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def status(self) -> Answer[Status]:
        """Return where the process that answers stands."""
        return self._get("/v1/status", Status)

    def cells(self) -> Answer[CellsShown]:
        """Return all cells."""
        return self._get("/v1/cells", CellsShown)

    def cell(self, cell: str) -> Answer[CellShown]:
        """Return a cell."""
        return self._get(f"/v1/cells/{_name(cell)}", CellShown)

    def declare_cell(self, cell: str, body: Body) -> Answer[Cell]:
        """Declare a cell."""
        return self._send("PUT", f"/v1/cells/{_name(cell)}", body, Cell)

    def change_cell(self, cell: str, body: Body) -> Answer[Cell]:
        """Change some of a cell's declaration."""
        return self._send("PATCH", f"/v1/cells/{_name(cell)}", body, Cell)

    def probe_cell(self, cell: str, reason: str) -> Answer[Cell]:
        """Run the parity probe against a cell."""
        return self._send("POST", f"/v1/cells/{_name(cell)}/probe", {"reason": reason}, Cell)

    def change_lifecycle(self, cell: str, to: str, reason: str) -> Answer[Cell]:
        """Give a cell another lifecycle."""
        body = {"to": to, "reason": reason}
        return self._send("POST", f"/v1/cells/{_name(cell)}/lifecycle", body, Cell)

    def tenants(self, after: str, limit: int, cell: str) -> Answer[TenantsPage]:
        """Return a page of tenants."""
        query = {"after": after, "limit": limit, "cell": cell}
        return self._get("/v1/tenants", TenantsPage, query)

    def each_tenant(self, cell: str = "") -> Iterator[Tenant]:
        """Yield all tenants, a page at a time."""
        after = ""
        for _ in range(PAGES_MAX):
            page = self.tenants(after, PAGE, cell).value
            yield from page.tenants
            if not page.after:
                return
            after = page.after

    def tenant(self, tenant: str) -> Answer[Tenant]:
        """Return a tenant's record."""
        return self._get(f"/v1/tenants/{_name(tenant)}", Tenant)

    def create_tenant(self, body: Body) -> Answer[Created]:
        """Create a tenant."""
        again = f"Repeat it with the id {body['id']}: the same request is the same tenant."
        return self._send("POST", "/v1/tenants", body, Created, again=again)

    def change_tenant(self, tenant: str, change: str, body: Body) -> Answer[Tenant]:
        """Pin, unpin, quarantine or release a tenant, or change its policy."""
        return self._send("POST", f"/v1/tenants/{_name(tenant)}/{change}", body, Tenant)

    def explain(self, tenant: str) -> Answer[Explanation]:
        """Return why a tenant is where it is."""
        return self._get(f"/v1/tenants/{_name(tenant)}/explain", Explanation)

    def lag(self, tenant: str) -> Answer[LagNow]:
        """Return how far a tenant's followers are behind."""
        return self._get(f"/v1/tenants/{_name(tenant)}/lag", LagNow)

    def verify(self, tenant: str, depth: Depth, other: str) -> Answer[Verification]:
        """Begin a verification."""
        body = {"depth": depth, "other": other or None}
        return self._send("POST", f"/v1/tenants/{_name(tenant)}/verify", body, Verification)

    def verification(self, verification: str) -> Answer[Verification]:
        """Return how far a verification is."""
        return self._get(f"/v1/verifications/{_name(verification)}", Verification)

    def begin(self, body: Body) -> Answer[Asked]:
        """Begin an operation, or ask what it would do."""
        again = f"Repeat it with --id {body['id']}: the same request is the same operation."
        return self._send("POST", "/v1/operations", body, Asked, again=again)

    def operations(self, after: str, limit: int, status: str) -> Answer[OperationsPage]:
        """Return a page of operations."""
        query = {"after": after, "limit": limit, **({"status": status} if status else {})}
        return self._get("/v1/operations", OperationsPage, query)

    def operation(self, operation: str) -> Answer[Operation]:
        """Return an operation."""
        return self._get(f"/v1/operations/{_name(operation)}", Operation)

    def members(self, operation: str, after: str = "") -> Answer[MembersPage]:
        """Return a page of an operation's members."""
        query = {"after": after, "limit": PAGE}
        return self._get(f"/v1/operations/{_name(operation)}/members", MembersPage, query)

    def abort(self, operation: str, reason: str) -> Answer[Operation]:
        """Abort an operation."""
        path = f"/v1/operations/{_name(operation)}/abort"
        return self._send("POST", path, {"reason": reason}, Operation)

    def headroom(self) -> Answer[Headroom]:
        """Return whether cells and clouds could take over."""
        return self._get("/v1/headroom", Headroom)

    def replication(self, worst: int = 10) -> Answer[Replication]:
        """Return how far standbys are behind."""
        return self._get("/v1/replication", Replication, {"worst": worst})

    def each_audit(self, after: str) -> Iterator[Answer[AuditShown]]:
        """Yield audits behind the key `after`, a page at a time."""
        for _ in range(PAGES_MAX):
            page = self._get("/v1/audit", AuditPage, {"after": after, "limit": PAGE})
            for value, raw in zip(page.value.audits, page.json["audits"], strict=True):
                yield Answer(value, raw)
            if not page.value.after:
                return
            after = page.value.after

    def snapshot(self) -> bytes:
        """Return the registry as routers read it, signed."""
        return self._connection.read("/v1/registry/snapshot", None, SNAPSHOT_BYTES_MAX).body

    def recovery(self) -> Answer[Recovery]:
        """Return whether a recovery runs."""
        return self._get("/v1/recovery", Recovery)

    def begin_recovery(self, reason: str) -> Answer[Recovery]:
        """Have the registry compared with the cells, as its database was set back."""
        return self._send("POST", "/v1/recovery", {"reason": reason}, Recovery)

    def recover_without(self, cells: list[str], reason: str) -> Answer[Recovery]:
        """Let a recovery go on without cells that are lost for good."""
        body = {"cells": cells, "reason": reason}
        return self._send("POST", "/v1/recovery/without", body, Recovery)

    def _get(self, path: str, kind: type[T], query: Body | None = None) -> Answer[T]:
        return _read(self._connection.read(path, query).body, kind)

    def _send(
        self, method: str, path: str, body: Body, kind: type[T], *, again: str = ""
    ) -> Answer[T]:
        given = {name: value for name, value in body.items() if value is not None}
        return _read(self._connection.write(method, path, given, again=again).body, kind)


def _name(text: str) -> str:
    if not is_id(text):
        raise usage("A name has 1 to 64 letters, digits and . _ ~ -, and begins with one of these.")
    return quote(text, safe="")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a type
    return TypeAdapter(kind)


def _read(body: bytes, kind: type[T]) -> Answer[T]:
    try:
        found = json.loads(body)
        adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]  # a type is hashable
        return Answer(adapter.validate_python(found), found)
    except (ValueError, RecursionError, ValidationError):
        raise Failed(
            "The answer is not what this cellctl understands.",
            "Is --server the control plane's address? Use the same release of both.",
            exit_code=Exit.FAILED,
            code="answer_not_understood",
        ) from None
