"""Tenants: create by placement, pin, quarantine, change the policy, show.

A place is taken in the commit that writes the tenant. Refuses to move data: `operations` does.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from cell_control.codec import read, write_of
from cell_control.domain.eligibility import Site, Wants
from cell_control.domain.placement import Choice, NoCellFits, Placement, place, usage_of
from cell_control.domain.records import Base, Lineage, Policy, Tenant
from cell_control.errors import Conflict, Invalid, Reason, Refused
from cell_control.ports import Write
from cell_control.service.desk import Decided, Desk, Held
from cell_control.service.fingerprint import fingerprint
from cell_control.service.policies import check_policy, unbacked, violations
from cell_control.service.sites import Sites, read_sites
from cell_core.domain.canary import is_canary
from cell_core.domain.ids import STRIPES_MAX, is_id, next_epoch

PAGE_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTenant:
    """What is asked for.

    Attributes:
        home: A cell's name; empty lets placement choose.
        standby: A cell's name, or whether placement is to choose one.
    """

    id: str
    stripes: int = 1
    policy: Policy = field(default_factory=Policy)
    home: str = ""
    standby: str | bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A tenant that was created, now or by the same request before.

    Attributes:
        without_standby: Why it got none although one was wanted; only if it was created now.
    """

    tenant: Tenant
    without_standby: tuple[Reason, ...] = ()


class Tenants:
    """What may be asked for tenants."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def create(self, asked: NewTenant, *, by: str, reason: str = "") -> Created:
        """Create a tenant where it fits best; the same request again returns the same tenant.

        Raises:
            Invalid: `invalid_tenant` or `invalid_policy`.
            NotFound: `cell_not_found`; a cell that was named.
            Conflict: `id_taken`, by another request; or `contention`.
            Refused: `no_cell_fits`, with the reasons against each cell.
        """
        _check(asked)
        mark = fingerprint(asdict(asked))

        def decide() -> Decided[Created]:
            found = self._desk.held(Tenant, "tenant", asked.id)
            if found is not None:
                return Decided(Created(tenant=_same(found.value, mark)))
            sites = read_sites(self._desk.registry)
            placed = self._place(asked, sites)
            tenant = self._tenant(asked, placed, by=by, reason=reason)
            tenant = replace(tenant, asked=mark)
            writes = self._creation(tenant, sites, by=by, reason=reason)
            return Decided(Created(tenant=tenant, without_standby=placed.without), writes)

        return self._desk.commit(decide)

    def pin(self, tenant: str, cell: str, *, by: str, reason: str = "") -> Tenant:
        """Keep a tenant at home where it is, whatever is drained or balanced.

        Raises:
            NotFound: `tenant_not_found`.
            Refused: `pin_violated`: it is not at home in `cell`, or is on its way.
        """

        def pinned(found: Tenant) -> Tenant:
            if found.home != cell or (found.move is not None and found.move.kind == "move"):
                text = f"{tenant} is at home in {found.home}: move it to {cell}, then pin it."
                if found.home == cell:
                    text = f"{tenant} is on its way: wait for its move, or abort it, then pin it."
                raise Refused("pin_violated", [Reason(code="pinned", subject=tenant, text=text)])
            return replace(found, pin=cell)

        return self._change(tenant, pinned, by=by, action="tenant.pin", reason=reason)

    def unpin(self, tenant: str, *, by: str, reason: str = "") -> Tenant:
        """Let a tenant be moved again."""
        return self._change(
            tenant,
            lambda found: replace(found, pin=""),
            by=by,
            action="tenant.unpin",
            reason=reason,
        )

    def quarantine(self, tenant: str, *, by: str, reason: str = "") -> Tenant:
        """Let the edge refuse a tenant's requests."""
        return self._change(
            tenant,
            lambda found: replace(found, blocked=True),
            by=by,
            action="tenant.quarantine",
            reason=reason,
        )

    def release(self, tenant: str, *, by: str, reason: str = "") -> Tenant:
        """Serve a tenant again, and copy it again if an alarm had stopped that."""
        return self._change(
            tenant,
            lambda found: replace(found, blocked=False, alarm=""),
            by=by,
            action="tenant.release",
            reason=reason,
        )

    def set_policy(self, tenant: str, policy: Policy, *, by: str, reason: str = "") -> Tenant:
        """Change what may be done with a tenant.

        Raises:
            Invalid: `invalid_policy`.
            NotFound: `tenant_not_found`, or `cell_not_found` for an allowed cell.
            Refused: `policy_violated` by where it is now, with what to do.
        """
        check_policy(policy)

        def changed(found: Tenant) -> Tenant:
            sites = read_sites(self._desk.registry)
            sites.check(*policy.allowed_cells)
            reasons = violations(found, policy, sites.all)
            if reasons:
                raise Refused("policy_violated", reasons, tenant=tenant)
            return replace(found, policy=policy)

        return self._change(tenant, changed, by=by, action="tenant.policy", reason=reason)

    def show(self, tenant: str) -> Tenant:
        """Return a tenant.

        Raises:
            NotFound: `tenant_not_found`.
        """
        return self._desk.tenant(tenant).value

    def page(
        self, *, after: str = "", limit: int = 100, cell: str = ""
    ) -> tuple[list[Tenant], str]:
        """Return tenants in the order of their ids, and where to go on; empty at the end.

        With `cell`, only those that have a place there; a page may then be short, or empty,
        although more follow.
        """
        if not 1 <= limit <= PAGE_MAX:
            raise Invalid("invalid_query", at="limit", problem=f"1 to {PAGE_MAX}")
        records = self._desk.registry.list("tenant", after=after, limit=limit)
        found = [read(Tenant, record) for record in records]
        shown = [tenant for tenant in found if not cell or cell in usage_of(tenant)]
        return shown, records[-1].key if len(records) == limit else ""

    def _place(self, asked: NewTenant, sites: Sites) -> Placement:
        named = asked.standby if isinstance(asked.standby, str) else ""
        sites.check(asked.home, named, *asked.policy.allowed_cells)
        wants = Wants(tenant=asked.id, policy=asked.policy)
        choice = Choice(home=asked.home, standby=asked.standby)
        placed = place(wants, choice, sites.all, self._desk.facts())
        if isinstance(placed, NoCellFits):
            raise Refused("no_cell_fits", placed.reasons, tenant=asked.id)
        missing = unbacked(asked.id, asked.policy, has_standby=placed.standby is not None)
        if missing:
            raise Refused("no_cell_fits", [*placed.without, *missing], tenant=asked.id)
        return placed

    def _tenant(self, asked: NewTenant, placed: Placement, *, by: str, reason: str) -> Tenant:
        home, standby = placed.home.cell, placed.standby
        return Tenant(
            id=asked.id,
            epoch=next_epoch(0, home.ordinal),
            home=home.id,
            stripes=asked.stripes,
            standby=_id(standby),
            standby_ordinal=-1 if standby is None else standby.cell.ordinal,
            policy=asked.policy,
            since_ms=self._desk.now_ms(),
            decided_by=by,
            reason=reason,
        )

    def _creation(self, tenant: Tenant, sites: Sites, *, by: str, reason: str) -> list[Write]:
        lineage = Lineage(
            tenant=tenant.id,
            epoch=tenant.epoch,
            home=tenant.home,
            base=Base(mode="provisioned"),
            at_ms=tenant.since_ms,
            by=by,
        )
        audit = self._desk.audit(
            by=by,
            action="tenant.create",
            subject=tenant.id,
            reason=reason,
            home=tenant.home,
            standby=tenant.standby,
        )
        return [
            write_of(tenant, 0),
            write_of(lineage, 0),
            audit,
            *sites.usage_writes(None, tenant),
        ]

    def _change(
        self,
        tenant: str,
        change: Callable[[Tenant], Tenant],
        *,
        by: str,
        action: str,
        reason: str,
    ) -> Tenant:
        def decide() -> Decided[Tenant]:
            found: Held[Tenant] = self._desk.tenant(tenant)
            after = change(found.value)
            if after == found.value:
                return Decided(after)
            audit = self._desk.audit(by=by, action=action, subject=tenant, reason=reason)
            return Decided(after, [write_of(after, found.rev), audit])

        return self._desk.commit(decide)


def _check(asked: NewTenant) -> None:
    if not is_id(asked.id) or is_canary(asked.id):
        raise Invalid("invalid_tenant", at="id", problem="an identifier, and not a canary's")
    if not 1 <= asked.stripes <= STRIPES_MAX:
        raise Invalid("invalid_tenant", at="stripes", problem=f"1 to {STRIPES_MAX}")
    if asked.standby and asked.standby == asked.home:
        raise Invalid("invalid_tenant", at="standby", problem="another cell than home")
    check_policy(asked.policy)


def _same(found: Tenant, mark: str) -> Tenant:
    if found.asked != mark:
        raise Conflict("id_taken", tenant=found.id)
    return found


def _id(site: Site | None) -> str:
    return "" if site is None else site.cell.id
