"""Which tenants an operation is about, where each goes, and what that costs: the blast radius.

Reads the registry and writes nothing. Places are counted as if every member had begun already, so
that a plan never overfills a cell; the commit that begins a member counts again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from cell_control.codec import read
from cell_control.domain.eligibility import Site
from cell_control.domain.evacuation import (
    UNDER_WAY,
    reasons_against_member,
    reasons_against_operation,
)
from cell_control.domain.placement import (
    NoCellFits,
    destination_for,
    standby_for,
    usage_writes,
    wants_of,
)
from cell_control.domain.records import Member, Move, Operation, Tenant
from cell_control.errors import Invalid, NotFound, Reason
from cell_control.ports import Key, Registry
from cell_control.service.desk import Desk, held
from cell_control.service.sites import Sites

MEMBERS_MAX: Final = 200_000
LISTED_MAX: Final = 10_000
REFUSED_SHOWN_MAX: Final = 100

_PAGE: Final = 5000
_GET_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What one member is expected to take, from what was measured before."""

    freeze_ms: int = 100
    member_ms: int = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Blast:
    """What an operation would do.

    Attributes:
        tenants: How many members would go.
        destinations: How many of them to which cell.
        priorities: How many of them of which priority.
        bytes: How much data; None where no one knows.
        freeze_ms, duration_ms: Predicted for all members together.
        within_budget: How many begin before the freeze budget is spent.
        refused: How many may not go; `reasons` are the first of theirs.
    """

    tenants: int
    destinations: dict[str, int]
    priorities: dict[int, int]
    bytes: int | None
    freeze_ms: int
    duration_ms: int
    within_budget: int
    refused: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An operation's members, in the order they go: by priority.

    Attributes:
        members: Also those that may not go, which are failed from the start.
        against: Why the operation may not begin at all.
    """

    members: tuple[Member, ...]
    blast: Blast
    against: tuple[Reason, ...]


def plan(asked: Operation, listed: tuple[str, ...], sites: Sites, desk: Desk, pace: Pace) -> Plan:
    """Return what `asked` would do for the tenants `listed`, or for all it is about if none are.

    Raises:
        Invalid: More members than one operation takes.
        NotFound: `tenant_not_found`; a listed one.
    """
    against = reasons_against_operation(asked, sites.all, _under_way(desk.registry), desk.facts())
    tenants = _get(desk.registry, listed) if listed else _scan(desk.registry, asked)
    ordered = sorted(_bounded(tenants), key=lambda t: (t.policy.priority, t.id))
    here = {site.cell.id: site for site in sites.all}
    members, refused, priorities = [], [], Counter[int]()
    for tenant in ordered:
        dest, reasons = _destination(asked, tenant, here, desk)
        if dest is None:
            refused.append((tenant.id, reasons))
            members.append(_failed(asked, tenant, reasons))
            continue
        priorities[tenant.policy.priority] += 1
        members.append(Member(operation=asked.id, tenant=tenant.id, dest=dest))
        _count(asked, tenant, dest, here)
    going = Counter(member.dest for member in members if member.status == "waiting")
    freeze_each = 0 if asked.kind == "standby" else pace.freeze_ms
    count = going.total()
    return Plan(
        members=tuple(members),
        against=tuple(against),
        blast=Blast(
            tenants=count,
            destinations=dict(going),
            priorities=dict(priorities),
            bytes=None,
            freeze_ms=count * freeze_each,
            duration_ms=-(-count // asked.parallel_max) * pace.member_ms,
            within_budget=_within(asked.freeze_budget_ms, freeze_each, count),
            refused=len(refused),
            reasons=tuple(r for _, reasons in refused for r in reasons)[:REFUSED_SHOWN_MAX],
        ),
    )


def _destination(
    asked: Operation, tenant: Tenant, here: dict[str, Site], desk: Desk
) -> tuple[str | None, list[Reason]]:
    reasons = reasons_against_member(tenant)
    # The cell that is drained is not left out by its lifecycle alone: it may not be draining yet.
    sites = [site for site in here.values() if site.cell.id != asked.source]
    if asked.dest:
        sites = [site for site in sites if site.cell.id == asked.dest]
    if asked.kind == "standby":
        if tenant.standby:
            text = f"{tenant.id} has its standby in {tenant.standby}: there is nothing to do."
            reasons.append(Reason(code="has_standby", subject=tenant.id, text=text))
        home = here[tenant.home]
        found = standby_for(wants_of(tenant), home, sites, desk.facts())
    else:
        found = destination_for(tenant, sites, desk.facts(), dest=asked.dest)
    if isinstance(found, NoCellFits):
        return None, [*reasons, *found.reasons]
    return (None, reasons) if reasons else (found.cell.id, [])


def _count(asked: Operation, tenant: Tenant, dest: str, here: dict[str, Site]) -> None:
    """Count the member as if it had begun."""
    kind: Literal["move", "standby"] = "standby" if asked.kind == "standby" else "move"
    begun = replace(tenant, move=Move(operation=asked.id, kind=kind, dest=dest, began_ms=0))
    usages = {cell: site.usage for cell, site in here.items()}
    for usage in usage_writes(tenant, begun, usages):
        here[usage.cell] = Site(here[usage.cell].cell, usage)


def _failed(asked: Operation, tenant: Tenant, reasons: list[Reason]) -> Member:
    note = " ".join(reason.text for reason in reasons)[:1000]
    return Member(operation=asked.id, tenant=tenant.id, dest=asked.dest, status="failed", note=note)


def _within(budget_ms: int, each_ms: int, count: int) -> int:
    if not budget_ms or not each_ms:
        return count
    # A member begins while anything of the budget is left.
    return min(count, -(-budget_ms // each_ms))


def _under_way(registry: Registry) -> Iterator[Operation]:
    after = ""
    while records := registry.list("operation", after=after, limit=1000):
        for record in records:
            operation = read(Operation, record)
            if operation.status in UNDER_WAY:
                yield operation
        after = records[-1].key


def _scan(registry: Registry, asked: Operation) -> Iterator[Tenant]:
    after = ""
    while records := registry.list("tenant", after=after, limit=_PAGE):
        for record in records:
            tenant = read(Tenant, record)
            if _is_meant(asked, tenant):
                yield tenant
        after = records[-1].key


def _is_meant(asked: Operation, tenant: Tenant) -> bool:
    if asked.source and tenant.home != asked.source:
        return False
    if asked.kind == "failback":
        return tenant.home != asked.dest and tenant.base.source == asked.dest
    return asked.kind != "standby" or not tenant.standby


def _get(registry: Registry, listed: tuple[str, ...]) -> Iterator[Tenant]:
    for start in range(0, len(listed), _GET_MAX):
        names = listed[start : start + _GET_MAX]
        records = registry.get([Key(kind="tenant", key=name) for name in names])
        for name, record in zip(names, records, strict=True):
            found = held(Tenant, record)
            if found is None:
                raise NotFound("tenant_not_found", tenant=name)
            yield found.value


def _bounded(tenants: Iterable[Tenant]) -> Iterator[Tenant]:
    for count, tenant in enumerate(tenants, 1):
        if count > MEMBERS_MAX:
            raise Invalid("too_many", at="tenants", problem=f"at most {MEMBERS_MAX} at a time")
        yield tenant
