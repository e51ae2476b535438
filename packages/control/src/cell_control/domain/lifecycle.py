"""How a cell may change what it is there for, and what must be so before it does.

Pure; the table is the whole of it. Refuses what would leave tenants nowhere to go.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from cell_control.domain.eligibility import Facts, Site, unfit
from cell_control.domain.records import Lifecycle
from cell_control.errors import Reason

_Check: TypeAlias = Callable[[Site, Sequence[Site], Facts], Iterable[Reason]]


def reasons_against_change(
    site: Site, to: Lifecycle, sites: Sequence[Site], facts: Facts
) -> list[Reason]:
    """Return every reason why the cell may not become `to`; none if it may."""
    here = site.cell.lifecycle
    check = TABLE.get((here, to))
    if check is None:
        open_to = sorted(after.value for before, after in TABLE if before is here)
        ways = f"make it one of {', '.join(open_to)}" if open_to else "declare another cell"
        text = f"{site.cell.id} is {here.value} and cannot become {to.value}: {ways}."
        return [Reason(code="lifecycle", subject=site.cell.id, text=text)]
    return list(check(site, sites, facts))


def last_cell(site: Site, sites: Sequence[Site], facts: Facts) -> list[Reason]:
    """Return why the cell may not stop to take tenants: no other one does."""
    others = [other for other in sites if other.cell.id != site.cell.id]
    if any(not unfit(other.cell, facts) for other in others):
        return []
    text = f"No cell but {site.cell.id} takes tenants: make another one active and probe it first."
    return [Reason(code="last_cell", subject=site.cell.id, text=text)]


def _leaves_another(site: Site, sites: Sequence[Site], facts: Facts) -> Iterable[Reason]:
    return last_cell(site, sites, facts)


def _is_probed(site: Site, _sites: Sequence[Site], facts: Facts) -> Iterable[Reason]:
    return [reason for reason in unfit(site.cell, facts) if reason.code != "lifecycle"]


def _has_no_homes(site: Site, _sites: Sequence[Site], _facts: Facts) -> Iterable[Reason]:
    if site.usage.homes:
        yield _still(site, f"{site.usage.homes} homes", "drain it first")


def _is_empty(site: Site, _sites: Sequence[Site], _facts: Facts) -> Iterable[Reason]:
    if site.places:
        held = f"{site.usage.homes} homes and {site.usage.standbys} standbys"
        yield _still(site, held, "drain it, then give its standbys another cell")


def _always(_site: Site, _sites: Sequence[Site], _facts: Facts) -> Iterable[Reason]:
    return ()


def _still(site: Site, held: str, way: str) -> Reason:
    return Reason(
        code="not_empty", subject=site.cell.id, text=f"{site.cell.id} still holds {held}: {way}."
    )


TABLE: Final[Mapping[tuple[Lifecycle, Lifecycle], _Check]] = {
    (Lifecycle.PROVISIONING, Lifecycle.ACTIVE): _is_probed,
    (Lifecycle.PROVISIONING, Lifecycle.RETIRED): _is_empty,
    (Lifecycle.ACTIVE, Lifecycle.DRAINING): _leaves_another,
    # What is broken must stop at once, whether there is another cell or not.
    (Lifecycle.ACTIVE, Lifecycle.QUARANTINED): _always,
    (Lifecycle.DRAINING, Lifecycle.ACTIVE): _is_probed,
    (Lifecycle.DRAINING, Lifecycle.EVACUATED): _has_no_homes,
    (Lifecycle.DRAINING, Lifecycle.QUARANTINED): _always,
    (Lifecycle.EVACUATED, Lifecycle.ACTIVE): _is_probed,
    (Lifecycle.EVACUATED, Lifecycle.QUARANTINED): _always,
    (Lifecycle.EVACUATED, Lifecycle.RETIRED): _is_empty,
    (Lifecycle.QUARANTINED, Lifecycle.ACTIVE): _is_probed,
    (Lifecycle.QUARANTINED, Lifecycle.DRAINING): _leaves_another,
    (Lifecycle.QUARANTINED, Lifecycle.RETIRED): _is_empty,
    (Lifecycle.RETIRED, Lifecycle.PROVISIONING): _always,
}
"""What is not here cannot happen."""
