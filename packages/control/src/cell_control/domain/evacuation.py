"""Whether many tenants may be moved together: the rules that no operation passes.

Pure. Refuses to look at single tenants; `eligibility` and `placement` do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, Literal

from cell_control.domain.eligibility import Facts, Site, reasons_against, unfit
from cell_control.domain.lifecycle import last_cell
from cell_control.domain.placement import wants_of
from cell_control.domain.records import Operation, OperationStatus, Tenant
from cell_control.errors import Reason

EVACUATIONS: Final = ("drain", "failback")
UNDER_WAY: Final = (OperationStatus.PLANNING, OperationStatus.RUNNING)


def reasons_against_operation(
    asked: Operation, sites: Sequence[Site], running: Iterable[Operation], facts: Facts
) -> list[Reason]:
    """Return every reason why the operation may not begin, whatever its tenants are."""
    by_id = {site.cell.id: site for site in sites}
    found: list[Reason] = []
    if asked.dest in by_id:
        found += unfit(by_id[asked.dest].cell, facts)
    if asked.dest and asked.dest == asked.source:
        text = f"{asked.dest} is both source and destination: name another destination."
        found.append(Reason(code="is_home", subject=asked.dest, text=text))
    if asked.kind == "drain":
        found += last_cell(by_id[asked.source], sites, facts)
    if asked.kind in EVACUATIONS:
        others = [one for one in running if one.id != asked.id and one.kind in EVACUATIONS]
        found += [_opposite(other) for other in others if is_opposite(asked, other)]
        found += [_again(other) for other in others if is_same(asked, other)]
    return found


def is_same(one: Operation, other: Operation) -> bool:
    """Say whether both take tenants from the same cell by the same way."""
    return bool(one.source) and (one.kind, one.source) == (other.kind, other.source)


def is_opposite(one: Operation, other: Operation) -> bool:
    """Say whether one evacuation may bring tenants to where the other takes them from.

    One without a destination may bring them anywhere.
    """
    return _may_feed(one, other) or _may_feed(other, one)


def reasons_against_member(tenant: Tenant) -> list[Reason]:
    """Return why the tenant may not be moved now, wherever it should go."""
    found = []
    if tenant.move is not None:
        text = f"{tenant.id} is moved by {tenant.move.operation}: wait for it, or abort it."
        found.append(Reason(code="already_moving", subject=tenant.id, text=text))
    if tenant.alarm:
        text = f"{tenant.id} has the alarm {tenant.alarm}: verify it, then release it."
        found.append(Reason(code="alarm", subject=tenant.id, text=text))
    return found


def reasons_against_begin(
    tenant: Tenant, dest: Site, facts: Facts, *, kind: Literal["move", "standby"] = "move"
) -> list[Reason]:
    """Return why a planned member may not begin: asked again at the commit that begins it."""
    wants = wants_of(tenant)
    if kind == "standby":
        wants = replace(wants, pin="")
    found = [*reasons_against_member(tenant), *reasons_against(dest, wants, facts)]
    if dest.cell.id == tenant.home:
        text = f"{tenant.id} is at home in {tenant.home}: there is nothing to do."
        found.append(Reason(code="is_home", subject=dest.cell.id, text=text))
    return found


def _may_feed(one: Operation, other: Operation) -> bool:
    return bool(other.source) and one.source != other.source and one.dest in ("", other.source)


def _again(other: Operation) -> Reason:
    text = f"{other.id} takes tenants from {other.source} already: wait for it, or abort it."
    return Reason(code="already_under_way", subject=other.id, text=text)


def _opposite(other: Operation) -> Reason:
    return Reason(
        code="opposite_evacuation",
        subject=other.id,
        text=f"{other.id} may bring tenants to where this takes them from, or the other way "
        "round: wait for it, abort it, or name a destination for both.",
    )
