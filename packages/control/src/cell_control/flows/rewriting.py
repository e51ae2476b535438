"""One commit that changes a tenant's record, with everything that has to change with it.

Usages, the lineage, the operation's member and the audit are in the same commit or there is none.
"""

from collections.abc import Callable
from dataclasses import replace

from cell_control.codec import Value, audit_key, key_of, read, write_of
from cell_control.domain.actions import Rewrite
from cell_control.domain.placement import usage_writes
from cell_control.domain.records import Audit, Lineage, Member, Tenant, Usage
from cell_control.flows.effects import Commit, Flow, Get
from cell_control.flows.known import Known
from cell_control.ports import Key, Write

BY_ITSELF = "control"
"""Who decided what nobody asked for."""


def rewrite(
    known: Known, action: Rewrite, *, claim: str, member: Member | None, part: Callable[[], str]
) -> Flow[None]:
    """Commit `action`, where the record still is what was read; `known` then knows the new one.

    `claim` says who works on the move; `member` is as it is to be, None leaves it; `part` makes the
    random part of an audit's key.

    Raises:
        RegistryError: Nothing was written, or it is not known whether it was.
    """
    before, now_ms = known.tenant, known.now_ms()
    after = _signed(known, action, claim, now_ms)
    values: list[Value] = [after]
    if action.begins:
        values.append(_lineage(after, now_ms))
    if member is not None:
        values.append(member)
    yield from _read_others(known, before, after, begins=action.begins)
    values += usage_writes(before, after, known.usages)
    writes = [_write(known, value) for value in values]
    if known.operation is not None and known.operation.by and (action.begins or action.ends):
        audit = _audit(known, action, now_ms)
        writes.append(write_of(audit, 0, key=audit_key(now_ms, part())))
    last = yield Commit(tuple(writes))
    for place, write in enumerate(writes):
        known.revs[write.kind, write.key] = last - len(writes) + 1 + place
    known.record, known.member = after, member or known.member


def _signed(known: Known, action: Rewrite, claim: str, now_ms: int) -> Tenant:
    """Return the new record with who decided and who works on it."""
    after = action.tenant
    if after.move is not None:
        after = replace(after, move=replace(after.move, claim=claim, claimed_ms=now_ms))
    if not action.begins:
        return after
    operation = known.operation
    return replace(
        after,
        decided_by=(operation.by if operation else "") or BY_ITSELF,
        reason=(operation.reason if operation else "") or action.note,
    )


def _read_others(known: Known, before: Tenant, after: Tenant, *, begins: bool) -> Flow[None]:
    """Read what else the commit changes, as late as can be: other tenants change usages too."""
    known.usages = {}
    keys = [Key(kind="usage", key=u.cell) for u in usage_writes(before, after, {})]
    if begins:
        # Only a registry that went back has been at this epoch before.
        keys.append(key_of(_lineage(after, 0)))
    if not keys:
        return
    records = yield Get(tuple(keys))
    for key, record in zip(keys, records, strict=True):
        known.revs[key.kind, key.key] = 0 if record is None or record.deleted else record.rev
        if record is not None and not record.deleted and key.kind == "usage":
            known.usages[key.key] = read(Usage, record)


def _lineage(after: Tenant, now_ms: int) -> Lineage:
    return Lineage(
        tenant=after.id,
        epoch=after.epoch,
        home=after.home,
        base=after.base,
        at_ms=now_ms,
        by=after.decided_by,
    )


def _audit(known: Known, action: Rewrite, now_ms: int) -> Audit:
    before, after, operation = known.tenant, action.tenant, known.operation
    what = "rolled_back" if action.rolled_back else action.ends or "epoch"
    return Audit(
        at_ms=now_ms,
        by=operation.by if operation else BY_ITSELF,
        action=f"tenant.{what}",
        subject=after.id,
        reason=operation.reason if operation else "",
        details=(
            ("operation", operation.id if operation else ""),
            ("from", f"{before.home}@{before.epoch}"),
            ("to", f"{after.home}@{after.epoch}"),
        ),
    )


def _write(known: Known, value: Value) -> Write:
    key = key_of(value)
    return write_of(value, known.revs.get((key.kind, key.key), 0))
