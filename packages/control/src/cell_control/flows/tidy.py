"""Find what no record names: a cell that still has something of a tenant that is elsewhere.

A request to make a standby that arrives after the standby was dropped leaves one; nobody is wrong
by it, but directory, capacity and residency are. What is found is named in the tenant's record, and
the movers remove it as they do every old home. Refuses to touch a tenant that is not at rest, and
one that no record knows: that is for a person, or for a recovery.
"""

from dataclasses import dataclass, replace
from typing import Final

from cell_control.codec import read, write_of
from cell_control.domain.placement import usage_writes
from cell_control.domain.records import Leaving, State, Tenant, Usage
from cell_control.flows.calling import do
from cell_control.flows.directory import directory
from cell_control.flows.effects import Commit, Flow, Get
from cell_control.ports import Key, RegistryConflict
from cell_core.domain.canary import is_canary

PAGE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What a step found.

    Attributes:
        after: Where to go on; empty at the end of the directory.
        named: Tenants whose records now name the cell as one to be left.
        unknown: Tenants of the cell that no record knows.
    """

    after: str
    named: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def tidy_step(cell: str, after: str, now_ms: int) -> Flow[Tidied]:
    """Compare the next page of the directory of `cell` with the registry.

    Raises:
        NotDone: The cell does not answer.
        RegistryError: Take the step again.
    """
    page = yield from do(directory(cell, after, limit=PAGE))
    names = [name for name in page.names if not is_canary(name)]
    named: list[str] = []
    unknown: list[str] = []
    # The records are read after the directory: what began in between shows as a move.
    records = (yield Get(tuple(Key(kind="tenant", key=name) for name in names))) if names else ()
    for name, record in zip(names, records, strict=True):
        if record is None or record.deleted:
            unknown.append(name)
            continue
        tenant = read(Tenant, record)
        if _is_stray(cell, tenant) and (yield from _name(cell, tenant, record.rev, now_ms)):
            named.append(name)
    end = page.names[-1] if page.more and page.names else ""
    return Tidied(after=end, named=tuple(named), unknown=tuple(unknown))


def _is_stray(cell: str, tenant: Tenant) -> bool:
    at_rest = (
        tenant.settled
        and tenant.state is State.ACTIVE
        and tenant.move is None
        and tenant.leaving is None
    )
    return at_rest and cell not in (tenant.home, tenant.standby)


def _name(cell: str, tenant: Tenant, rev: int, now_ms: int) -> Flow[bool]:
    """Name `cell` in the record; return whether that was done, and not overtaken."""
    [usage] = yield Get((Key(kind="usage", key=cell),))
    used = read(Usage, usage) if usage is not None and not usage.deleted else Usage(cell=cell)
    after = replace(tenant, leaving=Leaving(cell=cell, drop_after_ms=now_ms), settled=False)
    usage_rev = usage.rev if usage is not None else 0
    changed = usage_writes(tenant, after, {cell: used})
    writes = [write_of(after, rev), *(write_of(one, usage_rev) for one in changed)]
    try:
        yield Commit(tuple(writes))
    except RegistryConflict:
        return False
    return True
