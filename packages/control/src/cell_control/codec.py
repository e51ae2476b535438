"""Records to text and back, and what the edge is told of each.

One record has exactly one text. Refuses, as `RecordBroken`, a text that is not a record of its
kind: the registry holds nothing else.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from cell_control.domain.records import (
    Audit,
    Cell,
    Group,
    Kind,
    Lineage,
    Member,
    Operation,
    OperationStatus,
    Tag,
    Tenant,
    Usage,
)
from cell_control.ports import Key, Record, Write
from cell_core.domain.canonical import canonical
from cell_core.domain.ids import owner
from cell_core.wire.registry import (
    CellRecord,
    GroupRecord,
    TenantRecord,
    cell_text,
    group_text,
    tenant_text,
)

Value = Audit | Cell | Group | Lineage | Member | Operation | Tenant | Usage
V = TypeVar("V", Audit, Cell, Group, Lineage, Member, Operation, Tenant, Usage)

_KINDS: Final[Mapping[type, Kind]] = {
    Audit: "audit",
    Cell: "cell",
    Group: "group",
    Lineage: "lineage",
    Member: "member",
    Operation: "operation",
    Tenant: "tenant",
    Usage: "usage",
}
_ADAPTERS: Final[Mapping[type, TypeAdapter[Any]]] = {kind: TypeAdapter(kind) for kind in _KINDS}


class RecordBroken(Exception):
    """The registry holds a text that is no record of its kind; names the record, not its text."""


def key_of(value: Value) -> Key:
    """Return where `value` is kept; an `Audit` has no key of its own (see `audit_key`)."""
    match value:
        case Usage():
            key = value.cell
        case Member():
            key = f"{value.operation}/{value.tenant}"
        case Lineage():
            key = f"{value.tenant}/{value.epoch:015d}"
        case Audit():
            raise TypeError("an audit's key has a random part: audit_key")
        case _:
            key = value.id
    return Key(kind=_KINDS[type(value)], key=key)


def audit_key(at_ms: int, random_part: str) -> str:
    """Return the key of an audit record: keys sort as their times do."""
    return f"{at_ms:015d}-{random_part}"


def write_of(value: Value, rev: int, *, key: str | None = None) -> Write:
    """Return the write that puts `value` where the record still is at `rev`."""
    return Write(
        kind=_KINDS[type(value)],
        key=key or key_of(value).key,
        rev=rev,
        body=text_of(value),
        edge=_edge_text(value),
        tag=_tag_of(value),
    )


def text_of(value: Value) -> str:
    """Return the one text of `value`: canonical JSON."""
    # A million tenants are kept: what is as by default is left out.
    dumped = _ADAPTERS[type(value)].dump_python(value, mode="json", exclude_defaults=True)
    return canonical(dumped)


def read(kind: type[V], record: Record) -> V:
    """Return the value that `record` holds.

    Raises:
        RecordBroken: It is not of `kind`.
    """
    try:
        return cast("V", _ADAPTERS[kind].validate_json(record.body))
    except ValidationError:
        raise RecordBroken(f"{record.kind} {record.key}") from None


def _tag_of(value: Value) -> str:
    match value:
        case Tenant():
            is_open = not value.settled or value.move is not None or value.leaving is not None
            return Tag.OPEN if is_open else Tag.NONE
        case Operation():
            return Tag.OPEN if value.status is OperationStatus.RUNNING else Tag.NONE
        case Member():
            return value.status
        case _:
            return Tag.NONE


def _edge_text(value: Value) -> str | None:
    match value:
        case Tenant():
            return tenant_text(_edge_row(value))
        case Group():
            return group_text(GroupRecord(group=value.id, epoch=value.epoch))
        case Cell():
            return cell_text(
                CellRecord(
                    id=value.id,
                    ordinal=value.ordinal,
                    cloud=value.cloud,
                    region=value.region,
                    base_url=value.base_url,
                    grant_header=value.grant_header,
                )
            )
        case _:
            return None


def _edge_row(tenant: Tenant) -> TenantRecord:
    ack = tenant.policy.ack
    # Without a standby the row names the home as its own, and the edge does what `ack` says then:
    # a row without one would acknowledge writes that nobody else has.
    standby = tenant.standby_ordinal if tenant.standby_ordinal >= 0 else owner(tenant.epoch)
    return TenantRecord(
        tenant=tenant.id,
        epoch=tenant.epoch,
        stripes=tenant.stripes,
        group=tenant.group,
        status="blocked" if tenant.blocked else "active",
        standby=None if ack == "local" else standby,
        ack=ack,
    )
