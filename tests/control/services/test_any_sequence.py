"""After any sequence of what may be asked, every rule still holds."""

from collections import Counter
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cell_control.domain.eligibility import Wants, residency
from cell_control.domain.placement import usage_of
from cell_control.domain.records import Capacity, Lifecycle, Policy, Tenant
from cell_control.errors import ControlError
from tests.control.services.office import BY, Office, check_counts

CELLS = ("aws-0", "azure-1", "gcp-2")
_cells = st.sampled_from(CELLS)
_policies = st.builds(
    Policy,
    allowed_cells=st.sampled_from(((), ("aws-0", "azure-1"), ("gcp-2",))),
    labels=st.sampled_from(((), ("eu",))),
)


class AnySequence(RuleBasedStateMachine):
    """Asks for anything, on tenants that are there, and lets moves end either way."""

    def __init__(self) -> None:
        super().__init__()
        self.office = Office(())
        for ordinal, room in enumerate((4, 3, 5)):
            self.office.declare(ordinal, room, labels=("eu",) if ordinal != 1 else ())
        self.asked = 0

    def _some(self, data: st.DataObject, *, moving: bool = False) -> Tenant:
        found = [t for t in self.office.everyone() if t.move is not None or not moving]
        return data.draw(st.sampled_from(found))

    @rule(policy=_policies, home=st.just("") | _cells, standby=st.booleans())
    def create(self, policy: Policy, home: str, *, standby: bool) -> None:
        self.asked += 1
        with suppress(ControlError):
            self.office.create(f"T-{self.asked}", policy=policy, home=home, standby=standby)

    @precondition(lambda self: self.office.everyone())
    @rule(data=st.data(), dest=_cells, kind=st.sampled_from(("move", "standby")))
    def begin(self, data: st.DataObject, dest: str, kind: str) -> None:
        tenant = self._some(data)
        if kind == "standby" and tenant.standby:
            return
        with suppress(ControlError):
            self.office.begin_move(tenant.id, dest, kind)

    @precondition(lambda self: any(t.move for t in self.office.everyone()))
    @rule(data=st.data(), arrived=st.booleans())
    def end(self, data: st.DataObject, *, arrived: bool) -> None:
        self.office.end_move(self._some(data, moving=True).id, arrived=arrived)

    @precondition(lambda self: self.office.everyone())
    @rule(data=st.data(), policy=_policies)
    def set_policy(self, data: st.DataObject, policy: Policy) -> None:
        with suppress(ControlError):
            self.office.tenants.set_policy(self._some(data).id, policy, by=BY)

    @rule(cell=_cells, to=st.sampled_from(Lifecycle))
    def become(self, cell: str, to: Lifecycle) -> None:
        with suppress(ControlError):
            self.office.cells.become(cell, to, by=BY)

    @rule(cell=_cells, room=st.integers(0, 6), labels=st.sampled_from(((), ("eu",))))
    def change(self, cell: str, room: int, labels: tuple[str, ...]) -> None:
        changes = {"capacity": Capacity(tenants=room), "labels": labels}
        with suppress(ControlError):
            self.office.cells.patch(cell, changes, by=BY)

    @rule(cell=_cells)
    def drain(self, cell: str) -> None:
        self.asked += 1
        with suppress(ControlError):
            self.office.drain(cell, f"op-{self.asked}")

    @invariant()
    def no_cell_holds_more_than_it_takes_and_every_count_is_right(self) -> None:
        check_counts(self.office)

    @invariant()
    def no_tenant_is_where_its_policy_does_not_allow(self) -> None:
        cells = {site.cell.id: site.cell for site in self.office.cells.all()}
        for tenant in self.office.everyone():
            wants = Wants(tenant=tenant.id, policy=tenant.policy)
            assert not [r for c in usage_of(tenant) for r in residency(cells[c], wants)]

    @invariant()
    def every_cell_may_be_lost_and_its_tenants_be_home_where_their_standbys_are(self) -> None:
        for lost in CELLS:
            homes = Counter(
                t.standby if t.home == lost and t.standby else t.home
                for t in self.office.everyone()
            )
            for site in self.office.cells.all():
                assert site.cell.id == lost or homes[site.cell.id] <= site.cell.capacity.tenants


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(
    # Fewer and longer ones: what goes wrong needs a few tenants and a full cell first.
    max_examples=max(1, settings().max_examples // 4),
    stateful_step_count=2 * settings().stateful_step_count,
)
