"""Cells: declare, change, give them another lifecycle, keep what a probe found.

Whatever makes a cell less fit rewrites its usage too, so that a placement decided before fails.
Refuses to lose a tenant's place: nothing here makes a cell smaller than what it holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from cell_control.codec import write_of
from cell_control.domain.eligibility import Site
from cell_control.domain.lifecycle import reasons_against_change
from cell_control.domain.records import Capacity, Cell, Lifecycle, Probe, Usage
from cell_control.errors import Invalid, Reason, Refused
from cell_control.ports import Write
from cell_control.service.desk import Decided, Desk
from cell_control.service.policies import check_labels
from cell_control.service.sites import Sites, read_sites
from cell_core.domain.ids import CELLS_MAX
from cell_core.wire.message import AUTHORIZATION
from cell_core.wire.registry import CellRecord, RegistryRefused, cell_text

WEIGHT_MAX: Final = 1000
TENANTS_MAX: Final = 10_000_000
PROBLEMS_MAX: Final = 20

_FIXED: Final = ("ordinal", "cloud", "region")
_REACHED: Final = ("base_url", "grant_header")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSpec:
    """What an operator declares of a cell."""

    id: str
    ordinal: int
    cloud: str
    region: str
    base_url: str
    grant_header: str = AUTHORIZATION
    labels: tuple[str, ...] = ()
    capacity: Capacity = Capacity(tenants=10_000)  # noqa: RUF009 - frozen
    weight: int = 100


class Cells:
    """What may be asked for cells."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def declare(self, spec: CellSpec, *, by: str, reason: str = "") -> Cell:
        """Make a cell, provisioning, or change one to what `spec` says; the same again is the same.

        Raises:
            Invalid: `invalid_cell` or `invalid_labels`.
            Refused: `cell_refused`: its ordinal is taken, or tenants there would lose something.
        """
        _check(spec)

        def decide() -> Decided[Cell]:
            sites = read_sites(self._desk.registry)
            _check_free(spec, sites)
            found = [site for site in sites.all if site.cell.id == spec.id]
            after = _declared(spec, found[0].cell if found else None)
            if found and after == found[0].cell:
                return Decided(after)
            if found:
                _check_change(found[0], after)
            return Decided(after, self._writes(after, sites, by, "cell.declare", reason))

        return self._desk.commit(decide)

    def patch(self, cell: str, changes: Mapping[str, Any], *, by: str, reason: str = "") -> Cell:
        """Change some fields of a cell's `CellSpec`, already of their types.

        Raises:
            Invalid, NotFound, Refused: As `declare`; `cell_not_found`.
        """
        changeable = {field.name for field in fields(CellSpec)} - {"id"}
        unknown = sorted(set(changes) - changeable)
        if unknown:
            raise Invalid("invalid_cell", at=unknown[0][:64], problem="cannot be changed")

        def decide() -> Decided[Cell]:
            sites = read_sites(self._desk.registry)
            site = sites.of(cell)
            spec = replace(_spec_of(site.cell), **changes)
            _check(spec)
            _check_free(spec, sites)
            after = _declared(spec, site.cell)
            if after == site.cell:
                return Decided(after)
            _check_change(site, after)
            return Decided(after, self._writes(after, sites, by, "cell.patch", reason))

        return self._desk.commit(decide)

    def become(self, cell: str, to: Lifecycle, *, by: str, reason: str = "") -> Cell:
        """Give a cell another lifecycle; it is so already: nothing happens.

        Raises:
            NotFound: `cell_not_found`.
            Refused: `lifecycle_refused`, with what has to be done first.
        """

        def decide() -> Decided[Cell]:
            sites = read_sites(self._desk.registry)
            site = sites.of(cell)
            if site.cell.lifecycle is to:
                return Decided(site.cell)
            reasons = reasons_against_change(site, to, sites.all, self._desk.facts())
            if reasons:
                raise Refused("lifecycle_refused", reasons, cell=cell)
            after = replace(site.cell, lifecycle=to)
            return Decided(after, self._writes(after, sites, by, f"cell.{to.value}", reason))

        return self._desk.commit(decide)

    def probed(self, cell: str, probe: Probe, *, by: str) -> Cell:
        """Keep what a parity probe found; an older one than is kept changes nothing.

        Raises:
            NotFound: `cell_not_found`.
        """
        probe = replace(probe, problems=probe.problems[:PROBLEMS_MAX])

        def decide() -> Decided[Cell]:
            sites = read_sites(self._desk.registry)
            found = sites.of(cell).cell
            if found.probe is not None and found.probe.at_ms >= probe.at_ms:
                return Decided(found)
            after = replace(found, probe=probe)
            if _is_as_before(found.probe, probe):
                # Once a minute for each cell: neither a placement nor the audit needs to know.
                return Decided(after, [write_of(after, sites.revs[cell])])
            return Decided(after, self._writes(after, sites, by, "cell.probe", ""))

        return self._desk.commit(decide)

    def show(self, cell: str) -> Site:
        """Return a cell and what is taken of it.

        Raises:
            NotFound: `cell_not_found`.
        """
        return read_sites(self._desk.registry).of(cell)

    def all(self) -> tuple[Site, ...]:
        """Return all cells and what is taken of them, in the order of their ids."""
        return read_sites(self._desk.registry).all

    def _writes(self, after: Cell, sites: Sites, by: str, action: str, reason: str) -> list[Write]:
        known = after.id in sites.revs
        usage = sites.touch(after.id) if known else write_of(Usage(cell=after.id), 0)
        audit = self._desk.audit(by=by, action=action, subject=after.id, reason=reason)
        return [write_of(after, sites.revs.get(after.id, 0)), usage, audit]


def _check(spec: CellSpec) -> None:
    try:
        cell_text(
            CellRecord(
                id=spec.id,
                ordinal=spec.ordinal,
                cloud=spec.cloud,
                region=spec.region,
                base_url=spec.base_url,
                grant_header=spec.grant_header,
            )
        )
    except RegistryRefused:
        problem = (
            f"id: an identifier; ordinal: 0 to {CELLS_MAX - 1}; cloud and region: lower-case "
            "words; base_url: http(s)://host/prefix; grant_header: authorization or x-cell-grant"
        )
        raise Invalid("invalid_cell", at="cell", problem=problem) from None
    check_labels(spec.labels)
    if not 1 <= spec.weight <= WEIGHT_MAX:
        raise Invalid("invalid_cell", at="weight", problem=f"1 to {WEIGHT_MAX}")
    if not 0 <= spec.capacity.tenants <= TENANTS_MAX:
        raise Invalid("invalid_cell", at="capacity.tenants", problem=f"0 to {TENANTS_MAX}")
    if spec.capacity.bytes < 0 or spec.capacity.commands_per_s < 0:
        raise Invalid("invalid_cell", at="capacity", problem="not negative")


def _check_free(spec: CellSpec, sites: Sites) -> None:
    for site in sites.all:
        if site.cell.ordinal == spec.ordinal and site.cell.id != spec.id:
            text = f"Ordinal {spec.ordinal} is that of {site.cell.id}: choose another one."
            reason = Reason(code="ordinal_taken", subject=spec.id, text=text)
            raise Refused("cell_refused", [reason], cell=spec.id)


def _check_change(site: Site, after: Cell) -> None:
    """Refuse what tenants that are there were promised otherwise."""
    before, found = site.cell, []
    for name in _FIXED:
        if getattr(before, name) != getattr(after, name):
            text = f"The {name} of {before.id} is for good: declare a new cell instead."
            found.append(Reason(code=f"{name}_fixed", subject=before.id, text=text))
    if after.capacity.tenants < min(before.capacity.tenants, site.places):
        text = f"{before.id} holds {site.places} tenants: drain it before it is made smaller."
        found.append(Reason(code="capacity_taken", subject=before.id, text=text))
    if site.places and set(before.labels) - set(after.labels):
        text = f"Tenants of {before.id} may rely on its labels: drain it before you remove one."
        found.append(Reason(code="labels_relied_on", subject=before.id, text=text))
    if found:
        raise Refused("cell_refused", found, cell=before.id)


def _declared(spec: CellSpec, before: Cell | None) -> Cell:
    """Return the cell as declared; what is reached in another way has to be probed again."""
    cell = Cell(**{field.name: getattr(spec, field.name) for field in fields(CellSpec)})
    if before is None:
        return cell
    same = all(getattr(before, name) == getattr(cell, name) for name in _REACHED)
    return replace(cell, lifecycle=before.lifecycle, probe=before.probe if same else None)


def _spec_of(cell: Cell) -> CellSpec:
    return CellSpec(**{field.name: getattr(cell, field.name) for field in fields(CellSpec)})


def _is_as_before(before: Probe | None, after: Probe) -> bool:
    if before is None:
        return False
    return (before.contract, before.problems) == (after.contract, after.problems)
