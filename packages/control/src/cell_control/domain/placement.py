"""Where tenants are counted, and where a new one goes.

Pure. Refuses to guess: a tenant that fits nowhere is an answer with a reason for each cell.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from cell_control.domain.records import Tenant, Usage

_NOTHING: Final = (0, 0)


def usage_of(tenant: Tenant | None) -> dict[str, tuple[int, int]]:
    """Return what `tenant` counts in each cell, as (homes, standbys); nothing for None.

    The only place that knows the rule. A tenant takes one place in a cell: as a home where it is at
    home or on its way, else as a standby where its standby is, is being made, or an old home is
    kept. So moving it to its own standby takes no second place there, and only the beginning of a
    move, or of the making of a standby, can make a cell fuller.
    """
    if tenant is None:
        return {}
    move = tenant.move
    homes = {tenant.home}
    standbys = {tenant.standby}
    if move is not None:
        (homes if move.kind == "move" else standbys).add(move.dest)
    if tenant.leaving is not None:
        standbys.add(tenant.leaving.cell)
    counted = dict.fromkeys(standbys - {""}, (0, 1))
    return counted | dict.fromkeys(homes, (1, 0))


def usage_writes(
    before: Tenant | None, after: Tenant | None, usages: Mapping[str, Usage]
) -> list[Usage]:
    """Return the usages that change with a tenant, as they are to be, in the order of their cells.

    To be written in the commit that writes the tenant, each where it still is what was read;
    `usages` holds what was read, and a cell that is not in it was used by none.
    """
    old, new = usage_of(before), usage_of(after)
    changed = sorted(c for c in old.keys() | new.keys() if old.get(c) != new.get(c))
    return [_changed(usages.get(c, Usage(cell=c)), old.get(c), new.get(c)) for c in changed]


def recount(tenants: Iterable[Tenant]) -> dict[str, Usage]:
    """Return what the usages of all cells have to be, by cell; those used by none are left out."""
    usages: dict[str, Usage] = {}
    for tenant in tenants:
        usages |= {usage.cell: usage for usage in usage_writes(None, tenant, usages)}
    return usages


def _changed(usage: Usage, old: tuple[int, int] | None, new: tuple[int, int] | None) -> Usage:
    (homes_old, standbys_old), (homes_new, standbys_new) = old or _NOTHING, new or _NOTHING
    # A count that was broken once must not keep a frozen tenant from its commit: never below 0.
    return replace(
        usage,
        homes=max(0, usage.homes + homes_new - homes_old),
        standbys=max(0, usage.standbys + standbys_new - standbys_old),
    )
