"""What a cell promises to the control plane about who owns a tenant: fences change by the table."""

import json

import pytest

from cell_core.domain.documents import TENANT, Batch, Create
from cell_core.domain.errors import Fenced, InvalidInput, NotFound
from cell_core.domain.fence import GENESIS, Fence, Role
from cell_core.domain.ids import partition_of
from tests.contract.cell_samples import (
    AWAY,
    DEADLINE_MS,
    EPOCH,
    MOVED_EPOCH,
    RETURNED_EPOCH,
    LocalCell,
    OnOneCell,
    Stripe,
    as_standby,
    new_tenant,
    put,
    stream_in,
)
from tests.contract.contract import Contract

_FOREIGN_EPOCH = MOVED_EPOCH
_WRONG_CHAIN = "f" * 64


class OwnershipPromises(OnOneCell, Contract):
    """Promises about provisioning, freezing, activating, sealing and fencing off."""

    def test_a_provisioned_tenant_has_a_fence_for_each_stripe(
        self, cell: LocalCell, tenant: str
    ) -> None:
        cell.provision(tenant, stripes=4)

        assert (
            cell.controller.fences(tenant) == [Fence(role=Role.ACTIVE, epoch=EPOCH, stripes=4)] * 4
        )

    def test_provisioning_again_changes_nothing_even_after_writes(
        self, cell: LocalCell, tenant: str
    ) -> None:
        stripe = cell.provision(tenant, stripes=4)
        stripe.one(put("a", stream=stream_in(2, 4)))
        before = cell.controller.fences(tenant)

        cell.provision(tenant, stripes=4)

        assert cell.controller.fences(tenant) == before
        assert before[2].seq == 1

    @pytest.mark.parametrize(
        ("role", "epoch", "stripes"),
        [(Role.STANDBY, EPOCH, 1), (Role.ACTIVE, RETURNED_EPOCH, 1), (Role.ACTIVE, EPOCH, 4)],
        ids=["as a standby", "at another epoch", "with more stripes"],
    )
    def test_provisioning_otherwise_is_refused_and_leaves_no_trace(
        self, cell: LocalCell, stripe: Stripe, role: Role, epoch: int, stripes: int
    ) -> None:
        with pytest.raises(Fenced) as error:
            cell.provision(stripe.tenant, role=role, epoch=epoch, stripes=stripes)

        assert error.value.code == "fence_refused"
        assert error.value.fields["fence"]["role"] == "active"
        assert cell.controller.fences(stripe.tenant) == [Fence(role=Role.ACTIVE, epoch=EPOCH)]
        with pytest.raises(NotFound):
            cell.controller.fence(stripe.tenant, 1)

    def test_a_tenant_cannot_be_provisioned_active_at_another_cell_s_epoch(
        self, cell: LocalCell, tenant: str
    ) -> None:
        with pytest.raises(InvalidInput):
            cell.provision(tenant, epoch=_FOREIGN_EPOCH)

        with pytest.raises(NotFound):
            cell.controller.fences(tenant)

    def test_a_standby_may_be_provisioned_at_another_cell_s_epoch(
        self, cell: LocalCell, tenant: str
    ) -> None:
        cell.provision(tenant, role=Role.STANDBY, epoch=_FOREIGN_EPOCH)

        assert cell.at(tenant).fence().role is Role.STANDBY

    def test_provisioning_that_was_cut_off_is_finished_by_the_next_call(
        self, cell: LocalCell, tenant: str
    ) -> None:
        fence = Fence(role=Role.ACTIVE, epoch=EPOCH, stripes=4)
        for stripe in (3, 2):
            cell.store.commit(Batch(partition=partition_of(tenant, stripe), fence=Create(fence)))
        with pytest.raises(NotFound):
            cell.controller.fences(tenant)

        assert cell.controller.provision(tenant, [fence] * 4, DEADLINE_MS) == [fence] * 4

    def test_tenants_are_listed_page_by_page_in_the_order_of_their_names(
        self, cell: LocalCell
    ) -> None:
        made = sorted(cell.provision(new_tenant()).tenant for _ in range(5))

        listed: list[str] = []
        after: str | None = None
        while True:
            page = cell.controller.tenants(after=after, limit=2)
            listed += [document.key.removeprefix(TENANT) for document in page.documents]
            if page.after is None:
                break
            after = page.after.removeprefix(TENANT)

        assert listed == sorted(listed)
        assert [tenant for tenant in listed if tenant in made] == made

    # ── Freeze ──────────────────────────────────────────────────────────────────────────────────

    def test_a_freeze_stops_all_stripes_and_answers_where(
        self, cell: LocalCell, tenant: str
    ) -> None:
        stripe = cell.provision(tenant, stripes=4)
        stripe.one(put("a", stream=stream_in(1, 4)))

        fences = stripe.freeze("move-1")

        assert fences == cell.controller.fences(tenant)
        assert [(f.role, f.op, f.seq) for f in fences] == [
            (Role.FROZEN, "move-1", seq) for seq in (0, 1, 0, 0)
        ]

    def test_a_freeze_repeated_by_its_operation_changes_nothing(self, stripe: Stripe) -> None:
        first = stripe.freeze("move-1")

        assert stripe.freeze("move-1") == first

    def test_a_freeze_by_another_operation_is_refused(self, stripe: Stripe) -> None:
        stripe.freeze("move-1")

        with pytest.raises(Fenced) as error:
            stripe.freeze("move-2")

        assert error.value.fields["fence"]["op"] == "move-1"
        assert stripe.fence().op == "move-1"

    @pytest.mark.parametrize("epoch", [EPOCH - 16, EPOCH + 16])
    def test_a_freeze_at_another_epoch_is_refused(self, stripe: Stripe, epoch: int) -> None:
        with pytest.raises(Fenced):
            stripe.freeze(epoch=epoch)

        assert stripe.fence().role is Role.ACTIVE

    # ── Activate ────────────────────────────────────────────────────────────────────────────────

    def test_a_standby_becomes_the_home_at_the_old_home_s_final_position(
        self, cell: LocalCell, reference: LocalCell, tenant: str
    ) -> None:
        standby, final = _standby_at_the_end(cell, reference, tenant)

        [fence] = standby.activate(RETURNED_EPOCH, positions=[final], op="move-1")

        assert (fence.role, fence.epoch, fence.op) == (Role.ACTIVE, RETURNED_EPOCH, "move-1")
        assert (fence.seq, fence.chain) == final
        assert json.loads(fence.base) == {
            "mode": "planned",
            "from_epoch": MOVED_EPOCH,
            "seq": final[0],
            "chain": final[1],
        }
        assert standby.one(put("c"), epoch=RETURNED_EPOCH).entry.seq == final[0] + 1

    def test_activating_again_changes_nothing_even_after_writes(
        self, cell: LocalCell, reference: LocalCell, tenant: str
    ) -> None:
        standby, final = _standby_at_the_end(cell, reference, tenant)
        standby.activate(RETURNED_EPOCH, positions=[final])
        standby.one(put("c"), epoch=RETURNED_EPOCH)
        before = standby.fence()

        assert standby.activate(RETURNED_EPOCH, positions=[final]) == [before]

    def test_a_standby_elsewhere_than_the_final_position_is_not_activated(
        self, cell: LocalCell, reference: LocalCell, tenant: str
    ) -> None:
        standby, (seq, chain) = _standby_at_the_end(cell, reference, tenant)
        before = standby.fence()

        for positions in ([(seq + 1, chain)], [(seq - 1, chain)], [(seq, _WRONG_CHAIN)], None):
            with pytest.raises(Fenced):
                standby.activate(RETURNED_EPOCH, positions=positions)

        assert standby.fence() == before

    def test_a_forced_activation_takes_what_is_there_as_its_base(
        self, cell: LocalCell, reference: LocalCell, tenant: str
    ) -> None:
        standby, (seq, chain) = _standby_at_the_end(cell, reference, tenant)

        [fence] = standby.activate(RETURNED_EPOCH, mode="forced")

        assert json.loads(fence.base) == {
            "mode": "forced",
            "from_epoch": MOVED_EPOCH,
            "seq": seq,
            "chain": chain,
        }

    @pytest.mark.parametrize("mode", ["planned", "forced", "rollback"])
    def test_nothing_is_un_frozen_at_an_equal_or_older_epoch(
        self, stripe: Stripe, mode: str
    ) -> None:
        stripe.freeze()

        for epoch in (EPOCH, EPOCH - 16):
            with pytest.raises(Fenced):
                stripe.activate(epoch, mode=mode, positions=[(0, GENESIS)])

        assert stripe.fence().role is Role.FROZEN

    def test_a_rollback_un_freezes_at_a_larger_epoch(self, stripe: Stripe) -> None:
        stripe.one(put("a"))
        stripe.freeze()

        [fence] = stripe.activate(RETURNED_EPOCH, mode="rollback")

        assert (fence.role, fence.epoch, fence.seq) == (Role.ACTIVE, RETURNED_EPOCH, 1)
        assert stripe.one(put("b"), epoch=RETURNED_EPOCH).entry.epoch == RETURNED_EPOCH

    @pytest.mark.parametrize("mode", ["planned", "forced", "rollback"])
    def test_no_cell_is_activated_at_another_cell_s_epoch(self, stripe: Stripe, mode: str) -> None:
        stripe.freeze()

        with pytest.raises(InvalidInput):
            stripe.activate(_FOREIGN_EPOCH, mode=mode)

        assert stripe.fence().role is Role.FROZEN

    def test_positions_must_be_one_for_each_stripe(self, cell: LocalCell, tenant: str) -> None:
        stripe = cell.provision(tenant, role=Role.STANDBY, stripes=4)

        with pytest.raises(InvalidInput):
            stripe.activate(RETURNED_EPOCH, positions=[(0, GENESIS)])

        fences = stripe.activate(RETURNED_EPOCH, positions=[(0, GENESIS)] * 4)
        assert [fence.role for fence in fences] == [Role.ACTIVE] * 4

    def test_a_quarantined_tenant_is_not_activated(self, stripe: Stripe) -> None:
        stripe.fence_off()

        for mode in ("planned", "forced", "rollback"):
            with pytest.raises(Fenced):
                stripe.activate(RETURNED_EPOCH, mode=mode, positions=[(0, GENESIS)])

        assert stripe.fence().role is Role.QUARANTINE

    # ── Seal and fence off ──────────────────────────────────────────────────────────────────────

    def test_a_frozen_home_is_sealed_once_another_is_active(self, stripe: Stripe) -> None:
        stripe.one(put("a"))
        stripe.freeze()

        [fence] = stripe.seal()

        assert (fence.role, fence.epoch, fence.home_hint) == (Role.STANDBY, MOVED_EPOCH, AWAY.id)
        assert (fence.seq, fence.op) == (1, "")
        assert stripe.seal() == [fence]

    def test_an_active_home_is_not_sealed(self, stripe: Stripe) -> None:
        with pytest.raises(Fenced):
            stripe.seal()

        assert stripe.fence().role is Role.ACTIVE

    @pytest.mark.parametrize("frozen", [False, True])
    def test_an_old_home_is_fenced_off_with_all_it_wrote(
        self, stripe: Stripe, frozen: object
    ) -> None:
        stripe.one(put("a"))
        if frozen:
            stripe.freeze()

        [fence] = stripe.fence_off()

        assert (fence.role, fence.epoch, fence.seq) == (Role.QUARANTINE, MOVED_EPOCH, 1)
        assert stripe.fence_off() == [fence]
        assert len(stripe.journal()) == 1

    @pytest.mark.parametrize("epoch", [EPOCH, EPOCH - 1])
    def test_neither_happens_at_an_epoch_that_is_not_larger(
        self, stripe: Stripe, epoch: int
    ) -> None:
        with pytest.raises(Fenced):
            stripe.fence_off(epoch=epoch)
        stripe.freeze()
        with pytest.raises(Fenced):
            stripe.seal(epoch=epoch)

        assert stripe.fence().role is Role.FROZEN

    def test_no_fence_of_an_unknown_tenant_is_changed(self, cell: LocalCell) -> None:
        nobody = cell.at(new_tenant())

        for change in (nobody.freeze, nobody.seal, nobody.fence_off):
            with pytest.raises(NotFound):
                change()


def _standby_at_the_end(
    cell: LocalCell, reference: LocalCell, tenant: str
) -> tuple[Stripe, tuple[int, str]]:
    """Return a standby of a home that was frozen, and that home's final position."""
    home = reference.provision(tenant, epoch=MOVED_EPOCH)
    home.run(put("a"), put("b"), epoch=MOVED_EPOCH)
    [final] = home.freeze(epoch=MOVED_EPOCH)
    standby = as_standby(home, cell)
    standby.apply(home.journal(), epoch=MOVED_EPOCH)
    return standby, (final.seq, final.chain)
