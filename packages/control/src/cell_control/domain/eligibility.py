"""Whether a tenant may be in a cell: the hard filters of placement, of moves and of drains.

Pure. Refuses to prefer one cell to another, and to leave a no unexplained.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cell_control.domain.records import Cell, Lifecycle, Policy, Usage
from cell_control.errors import Reason

PROBE_AGE_MS_MAX: Final = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Site:
    """A cell, and how much of it is taken."""

    cell: Cell
    usage: Usage

    @property
    def places(self) -> int:
        """How many tenants it holds, at home or as standbys."""
        return self.usage.homes + self.usage.standbys

    @property
    def free(self) -> int:
        """How many more it takes; never below 0.

        A standby keeps a whole place, so that this cell can be home to every tenant whose standby
        it is, whichever other cell, or all of them, is lost: this is the reserved headroom.
        """
        return max(0, self.cell.capacity.tenants - self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is so at the moment of a decision.

    Attributes:
        contract: The contract version that cells have to keep.
    """

    now_ms: int
    contract: str
    probe_age_ms_max: int = PROBE_AGE_MS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What of a tenant matters to where it may be.

    Attributes:
        pin: The only cell it may be at home in; empty for any, and for its standby.
        held: Cells in which it has a place already, so that it takes no other there.
    """

    tenant: str
    policy: Policy
    pin: str = ""
    held: frozenset[str] = frozenset()


def reasons_against(site: Site, wants: Wants, facts: Facts) -> list[Reason]:
    """Return every reason why the tenant may not be in the cell; none if it may."""
    found = [*residency(site.cell, wants), *unfit(site.cell, facts)]
    if site.free < 1 and site.cell.id not in wants.held:
        found.append(_no_headroom(site))
    return found


def unfit(cell: Cell, facts: Facts) -> list[Reason]:
    """Return every reason why the cell takes no tenant at all, full or not."""
    return [*_lifecycle(cell), *_probe(cell, facts)]


def residency(cell: Cell, wants: Wants) -> Iterable[Reason]:
    """Say why the policy or the pin keeps the tenant out of the cell."""
    allowed, policy = wants.policy.allowed_cells, wants.policy
    if allowed and cell.id not in allowed:
        yield Reason(
            code="residency_cell",
            subject=cell.id,
            text=f"The policy of {wants.tenant} does not allow {cell.id}: "
            "choose one of its allowed cells, or change the policy.",
        )
    missing = sorted(set(policy.labels) - set(cell.labels))
    if missing:
        yield Reason(
            code="residency_label",
            subject=cell.id,
            text=f"{cell.id} is not labelled {', '.join(missing)} as the policy of {wants.tenant} "
            "asks: choose a cell that is, or label it if it truly is so.",
        )
    if wants.pin not in ("", cell.id):
        yield Reason(
            code="pinned",
            subject=cell.id,
            text=f"{wants.tenant} is pinned to {wants.pin}: unpin it first.",
        )


def _lifecycle(cell: Cell) -> Iterable[Reason]:
    if cell.lifecycle is not Lifecycle.ACTIVE:
        yield Reason(
            code="lifecycle",
            subject=cell.id,
            text=f"{cell.id} is {cell.lifecycle.value}: make it active to give it tenants.",
        )


def _probe(cell: Cell, facts: Facts) -> Iterable[Reason]:
    probe, again = cell.probe, f"run a parity probe of {cell.id}"
    if probe is None:
        yield Reason(
            code="probe_missing", subject=cell.id, text=f"{cell.id} was never probed: {again}."
        )
        return
    if probe.problems:
        yield Reason(
            code="probe_failing",
            subject=cell.id,
            text=f"{cell.id} answered {len(probe.problems)} of the parity probe's requests "
            "wrongly: repair what its probe lists, then probe it again.",
        )
    if probe.contract != facts.contract:
        yield Reason(
            code="probe_contract",
            subject=cell.id,
            text=f"{cell.id} was probed for contract {probe.contract}, not {facts.contract}: "
            f"deploy that release to it, then {again}.",
        )
    if facts.now_ms - probe.at_ms > facts.probe_age_ms_max:
        yield Reason(
            code="probe_old",
            subject=cell.id,
            text=f"The last parity probe of {cell.id} is more than "
            f"{facts.probe_age_ms_max // 60_000} minutes old: {again}.",
        )


def _no_headroom(site: Site) -> Reason:
    cell = site.cell
    return Reason(
        code="no_headroom",
        subject=cell.id,
        text=f"{cell.id} holds {site.usage.homes} homes and {site.usage.standbys} standbys, which "
        f"it must be able to take over, of {cell.capacity.tenants}: raise its capacity, or move "
        "tenants away.",
    )
