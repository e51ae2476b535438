"""Where tenants are counted, where a new one goes, and where one that has to leave goes.

Pure. Refuses to guess: a tenant that fits nowhere is an answer with a reason for each cell.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import blake2b
from typing import Final

from cell_control.domain.eligibility import Facts, Site, Wants, reasons_against
from cell_control.domain.records import Tenant, Usage
from cell_control.errors import Reason

_NOTHING: Final = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a new tenant goes.

    Attributes:
        standby: None if it gets none.
        without: Why it gets no standby although one was wanted; a reason for each cell.
    """

    home: Site
    standby: Site | None = None
    without: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCellFits:
    """There is no cell for it: every cell with every reason against it."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the caller decided already.

    Attributes:
        home: The cell it has to be at home in; empty lets placement choose.
        standby: The cell its standby has to be in, whether it is to have one otherwise.
    """

    home: str = ""
    standby: str | bool = True


def place(
    wants: Wants, choice: Choice, sites: Sequence[Site], facts: Facts
) -> Placement | NoCellFits:
    """Return where a new tenant goes: least loaded for its weight, its standby in another cloud.

    A standby that was named has to fit; one that was only wanted may stay away.
    """
    home = _chosen(wants, _named(choice.home, sites), facts, _homes_by_weight)
    if isinstance(home, NoCellFits):
        return home if sites else NoCellFits(reasons=(_NO_CELLS,))
    if choice.standby is False:
        return Placement(home=home)
    named = choice.standby if isinstance(choice.standby, str) else ""
    standby = standby_for(wants, home, _named(named, sites), facts)
    if isinstance(standby, Site):
        return Placement(home=home, standby=standby)
    return standby if named else Placement(home=home, without=standby.reasons)


def standby_for(wants: Wants, home: Site, sites: Iterable[Site], facts: Facts) -> Site | NoCellFits:
    """Return the cell for the standby of a tenant at `home`: in another cloud if one there fits.

    A pin holds the home, not the standby.
    """
    wants = replace(wants, pin="")
    elsewhere = [site for site in sites if site.cell.cloud != home.cell.cloud]
    beside = [site for site in sites if site.cell.cloud == home.cell.cloud]
    first = _chosen(wants, elsewhere, facts, _places_by_weight)
    if isinstance(first, Site):
        return first
    others = [site for site in beside if site.cell.id != home.cell.id]
    second = _chosen(wants, others, facts, _places_by_weight)
    if isinstance(second, Site):
        return second
    return NoCellFits(reasons=(*first.reasons, *second.reasons, _is_home(wants, home)))


def destination_for(
    tenant: Tenant, sites: Sequence[Site], facts: Facts, *, dest: str = ""
) -> Site | NoCellFits:
    """Return where `tenant` moves to: `dest` if named, else its standby, else where it fits best.

    Its standby is where its data is already, and where its place is kept.
    """
    wants = wants_of(tenant)
    others = [site for site in _named(dest, sites) if site.cell.id != tenant.home]
    own = [site for site in others if site.cell.id == tenant.standby]
    if own and not reasons_against(own[0], wants, facts):
        return own[0]
    found = _chosen(wants, others, facts, _homes_by_weight)
    if isinstance(found, NoCellFits) and dest == tenant.home:
        return NoCellFits(reasons=(_at_home(tenant),))
    return found


def wants_of(tenant: Tenant) -> Wants:
    """Return what of `tenant` matters to where it may be."""
    return Wants(
        tenant=tenant.id,
        policy=tenant.policy,
        pin=tenant.pin,
        held=frozenset(usage_of(tenant)),
    )


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


_Load = Callable[[Site], Fraction]


def _chosen(wants: Wants, sites: Sequence[Site], facts: Facts, load: _Load) -> Site | NoCellFits:
    """Return the least loaded of the sites that fit."""
    against = {site.cell.id: reasons_against(site, wants, facts) for site in sites}
    fitting = [site for site in sites if not against[site.cell.id]]
    if not fitting:
        return NoCellFits(reasons=tuple(one for found in against.values() for one in found))
    return min(fitting, key=lambda site: (load(site), _lot(wants.tenant, site.cell.id)))


def _homes_by_weight(site: Site) -> Fraction:
    return Fraction(site.usage.homes + 1, site.cell.weight)


def _places_by_weight(site: Site) -> Fraction:
    return Fraction(site.places + 1, site.cell.weight)


def _lot(tenant: str, cell: str) -> bytes:
    """Return a draw that a new cell changes for nobody but whom it takes (rendezvous hashing)."""
    return blake2b(f"{tenant}/{cell}".encode(), digest_size=8).digest()


def _named(cell: str, sites: Iterable[Site]) -> list[Site]:
    return [site for site in sites if cell in ("", site.cell.id)]


def _is_home(wants: Wants, home: Site) -> Reason:
    return Reason(
        code="is_home",
        subject=home.cell.id,
        text=f"{home.cell.id} is the home of {wants.tenant}: declare another cell for its standby.",
    )


def _at_home(tenant: Tenant) -> Reason:
    return Reason(
        code="is_home",
        subject=tenant.home,
        text=f"{tenant.id} is at home in {tenant.home}: name another cell.",
    )


_NO_CELLS: Final = Reason(
    code="no_cells", subject="", text="There are no cells: declare one, then probe it."
)


def _changed(usage: Usage, old: tuple[int, int] | None, new: tuple[int, int] | None) -> Usage:
    (homes_old, standbys_old), (homes_new, standbys_new) = old or _NOTHING, new or _NOTHING
    # A count that was broken once must not keep a frozen tenant from its commit: never below 0.
    return replace(
        usage,
        homes=max(0, usage.homes + homes_new - homes_old),
        standbys=max(0, usage.standbys + standbys_new - standbys_old),
    )
