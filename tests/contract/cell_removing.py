"""What a cell promises about taking away: tails are undone exactly, tenants that left dropped."""

import pytest

from cell_core.domain.documents import ENTITY, TENANT
from cell_core.domain.errors import Diverged, Fenced, NotFound
from cell_core.domain.fence import GENESIS, Fence, Role
from cell_core.domain.transitions import Sets, begin_drop
from cell_core.memory import MemoryCellStore
from tests.contract.cell_copying import assert_equal, settle_in
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
    ask,
    delete,
    new_tenant,
    patch,
    put,
    stream_in,
    transfer,
)
from tests.contract.contract import Contract

_CALLS_MAX = 100


class RemovePromises(OnOneCell, Contract):
    """Promises about truncating a quarantined tail and dropping a tenant."""

    @pytest.fixture
    def settled(self, stripe: Stripe) -> Stripe:
        """Return a stripe of 12 entries that lives in the cell under test."""
        settle_in(stripe, EPOCH)
        return stripe

    @pytest.fixture
    def orphaned(self, settled: Stripe) -> Stripe:
        """Return it after entries that only it has: changed twice, created, deleted, rejected."""
        settled.run(
            put("a", {"changed": "once"}),
            patch("a", {"changed": "twice"}),
            put("created"),
            delete("b"),
            patch("missing", 1),
            put("created-and-deleted"),
            delete("created-and-deleted"),
            put("c", "made again"),
            delete("c"),
            transfer("x", "y", 3),
            put("other", stream="another"),
        )
        return settled

    @pytest.mark.parametrize("kept", [0, 4, 13, 23])
    def test_a_truncated_tail_never_happened(self, orphaned: Stripe, kept: int) -> None:
        journal = orphaned.journal()
        chain = journal[kept - 1].chain if kept else GENESIS
        orphaned.fence_off()

        fence = _truncate(orphaned, kept, chain)

        assert (fence.role, fence.epoch) == (Role.STANDBY, MOVED_EPOCH)
        assert (fence.seq, fence.chain) == (kept, chain)
        twin = LocalCell(MemoryCellStore()).provision(
            orphaned.tenant, role=Role.STANDBY, epoch=MOVED_EPOCH
        )
        if kept:
            twin.apply(journal[:kept], epoch=MOVED_EPOCH)
        assert_equal(orphaned, twin)

    def test_a_truncated_standby_takes_the_new_home_s_entries(
        self, settled: Stripe, reference: LocalCell
    ) -> None:
        home = as_standby(settled, reference)
        home.apply(settled.journal())
        home.activate(MOVED_EPOCH, mode="forced")
        settled.run(put("a", "lost"), put("lost"), delete("b"))
        home.run(put("a", "kept"), patch("b", {"kept": 1}), epoch=MOVED_EPOCH)
        settled.fence_off()
        with pytest.raises(Fenced):
            settled.apply(home.journal()[12:], epoch=MOVED_EPOCH)
        _truncate(settled, 12, home.journal()[11].chain)

        settled.apply(home.journal()[12:], epoch=MOVED_EPOCH)

        assert_equal(settled, home)

    @pytest.mark.usefixtures("many")
    def test_a_long_tail_is_undone_a_part_at_a_time(self, cell: LocalCell, settled: Stripe) -> None:
        before = (settled.fence(), settled.contents())
        for _ in range(3):
            settled.run(*(put(f"n{number}") for number in range(29)))
        settled.fence_off()

        answers = [_truncate_once(settled, 12, before[0].chain) for _ in range(_CALLS_MAX)]

        more = [more for _, more in answers]
        assert more[0]
        assert more == sorted(more, reverse=True)
        assert settled.contents() == before[1]

    @pytest.mark.usefixtures("many")
    def test_a_tail_of_large_batches_is_undone_within_the_limits_of_a_commit(
        self, settled: Stripe
    ) -> None:
        names = [[f"n{start + n}" for n in range(10)] for start in range(0, 60, 10)]
        for ten in names:
            puts = [("put", {"id": name, "value": {"x": "x" * 15_000}}) for name in ten]
            settled.one(ask("records", *puts))
            patches = [("patch", {"id": name, "patch": {"y": "y" * 15_000}}) for name in ten]
            for half in (patches[:5], patches[5:]):
                assert settled.one(ask("records", *half)).entry.events
        at = settled.fence()
        before = settled.contents()
        for ten in names:
            settled.one(ask("records", *(("delete", {"id": name}) for name in ten)))
        settled.fence_off()

        _truncate(settled, at.seq, at.chain)

        assert settled.contents() == before
        assert settled.scanned() == at.digest

    def test_truncating_again_changes_nothing(self, orphaned: Stripe) -> None:
        chain = orphaned.journal()[11].chain
        orphaned.fence_off()
        fence = _truncate(orphaned, 12, chain)

        assert _truncate_once(orphaned, 12, chain) == (fence, False)

    def test_only_a_position_of_this_log_is_truncated_to(self, orphaned: Stripe) -> None:
        journal = orphaned.journal()
        orphaned.fence_off()
        before = (orphaned.fence(), orphaned.contents())

        for seq, chain in ((12, journal[10].chain), (23, GENESIS), (24, GENESIS), (0, "f" * 64)):
            with pytest.raises(Diverged):
                _truncate_once(orphaned, seq, chain)

        assert (orphaned.fence(), orphaned.contents()) == before

    def test_only_a_quarantined_stripe_of_this_epoch_is_truncated(self, orphaned: Stripe) -> None:
        chain = orphaned.journal()[11].chain
        for stop in (lambda: None, orphaned.freeze, orphaned.seal):
            stop()
            with pytest.raises(Fenced):
                _truncate_once(orphaned, 12, chain)
        assert orphaned.fence().seq == 23

    def test_a_stripe_without_its_history_is_not_truncated(
        self, cell: LocalCell, reference: LocalCell, tenant: str
    ) -> None:
        home = reference.provision(tenant, epoch=MOVED_EPOCH)
        home.run(put("a"), put("b"), epoch=MOVED_EPOCH)
        copy = as_standby(home, cell, copied=True)
        copy.take(home.exported(ENTITY))
        copy.activate(RETURNED_EPOCH, mode="forced")
        copy.run(put("a", 2), put("c"), epoch=RETURNED_EPOCH)
        copy.fence_off(epoch=RETURNED_EPOCH + 1)

        with pytest.raises(Fenced):
            _truncate_once(copy, 3, copy.journal()[0].chain, epoch=RETURNED_EPOCH + 1)

        assert copy.fence().seq == 4

    # ── Drop ────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("stripes", [1, 4])
    def test_a_dropped_tenant_is_gone_with_all_its_documents(
        self, cell: LocalCell, tenant: str, stripes: int
    ) -> None:
        stripe = cell.provision(tenant, stripes=stripes)
        for number in range(stripes):
            stream = stream_in(number, stripes)
            stripe.run(put("a", stream=stream), delete("a", stream=stream))
        stripe.fence_off()

        _drop(stripe)

        for number in range(stripes):
            with pytest.raises(NotFound):
                cell.controller.fence(tenant, number)
        assert not _is_listed(cell, tenant)
        again = cell.provision(tenant, epoch=EPOCH, stripes=stripes)
        assert all(cell.at(tenant, n).contents() == [] for n in range(stripes))
        assert again.one(put("a")).entry.seq == 1

    @pytest.mark.usefixtures("many")
    @pytest.mark.parametrize("full", [0, 2])
    def test_a_large_tenant_is_dropped_a_part_at_a_time(
        self, cell: LocalCell, tenant: str, full: int
    ) -> None:
        stripe = cell.provision(tenant, stripes=4)
        stream = stream_in(full, 4)
        for _ in range(5):
            stripe.run(*(put(f"n{number}", stream=stream) for number in range(29)))
        stripe.fence_off()

        more = [True]
        while more[-1]:
            more.append(cell.remover.drop(tenant, MOVED_EPOCH, DEADLINE_MS))
            assert len(more) < _CALLS_MAX

        assert len(more) > 2
        for number in range(4):
            with pytest.raises(NotFound):
                cell.controller.fence(tenant, number)
        assert not _is_listed(cell, tenant)

    @pytest.mark.usefixtures("many")
    def test_a_tenant_of_large_documents_is_dropped(self, stripe: Stripe) -> None:
        for batch in range(4):
            puts = [("put", {"id": f"{batch}-{n}", "value": "x" * 15_500}) for n in range(10)]
            stripe.one(ask("records", *puts))
        stripe.fence_off()

        _drop(stripe)

        with pytest.raises(NotFound):
            stripe.fence()

    def test_a_sealed_standby_is_dropped_and_nothing_is_applied_to_it_meanwhile(
        self, stripe: Stripe
    ) -> None:
        stripe.run(put("a"), put("b"))
        stripe.freeze()
        stripe.seal()
        entries = stripe.journal()[:1]
        stripe.here.controller.change(
            stripe.tenant, lambda fence, _: begin_drop(fence, epoch=MOVED_EPOCH), DEADLINE_MS
        )

        with pytest.raises(Fenced):
            stripe.apply(entries, epoch=MOVED_EPOCH)
        with pytest.raises(Fenced):
            stripe.activate(RETURNED_EPOCH, mode="forced")
        _drop(stripe)
        with pytest.raises(NotFound):
            stripe.fence()

    def test_a_tenant_that_lives_here_is_not_dropped(self, stripe: Stripe) -> None:
        stripe.one(put("a"))
        for stop in (lambda: None, stripe.freeze):
            stop()
            for epoch in (EPOCH, MOVED_EPOCH):
                with pytest.raises(Fenced):
                    stripe.here.remover.drop(stripe.tenant, epoch, DEADLINE_MS)

        assert len(stripe.contents()) == 3
        assert _is_listed(stripe.here, stripe.tenant)

    def test_a_tenant_is_not_dropped_at_another_epoch(self, stripe: Stripe) -> None:
        stripe.fence_off()

        for epoch in (EPOCH, MOVED_EPOCH + 16):
            with pytest.raises(Fenced):
                stripe.here.remover.drop(stripe.tenant, epoch, DEADLINE_MS)

        assert stripe.fence() == Fence(role=Role.QUARANTINE, epoch=MOVED_EPOCH, home_hint=AWAY.id)

    def test_a_standby_whose_stripes_are_at_different_epochs_is_dropped_whole(
        self, stripe: Stripe
    ) -> None:
        tenant, here = new_tenant(), stripe.here
        wanted = [Fence(role=Role.STANDBY, epoch=EPOCH, stripes=2)] * 2
        here.controller.provision(tenant, wanted, DEADLINE_MS)
        # A removal had closed one stripe when the other's epoch was raised by its home.
        here.controller.change_one(
            tenant, 0, lambda fence, _: begin_drop(fence, epoch=EPOCH), DEADLINE_MS
        )
        here.controller.change_one(tenant, 1, _raised, DEADLINE_MS)

        with pytest.raises(Fenced):
            here.remover.drop(tenant, EPOCH, DEADLINE_MS)
        more = here.remover.drop(tenant, MOVED_EPOCH, DEADLINE_MS)

        assert not more
        assert not _is_listed(here, tenant)

    def test_a_tenant_that_is_gone_is_not_found(self, stripe: Stripe) -> None:
        stripe.fence_off()
        _drop(stripe)

        for tenant in (stripe.tenant, new_tenant()):
            with pytest.raises(NotFound):
                stripe.here.remover.drop(tenant, MOVED_EPOCH, DEADLINE_MS)

    def test_other_tenants_are_left_alone(self, stripe: Stripe) -> None:
        other = stripe.here.provision(new_tenant())
        other.one(put("a"))
        stripe.one(put("a"))
        stripe.fence_off()

        _drop(stripe)

        assert len(other.contents()) == 3
        assert _is_listed(other.here, other.tenant)


def _raised(fence: Fence, _stripe: int) -> Sets | None:
    return {"epoch": MOVED_EPOCH} if fence.epoch < MOVED_EPOCH else None


def _truncate_once(
    stripe: Stripe, seq: int, chain: str, epoch: int = MOVED_EPOCH
) -> tuple[Fence, bool]:
    return stripe.here.remover.truncate(
        stripe.tenant, stripe.number, epoch=epoch, seq=seq, chain=chain
    )


def _truncate(stripe: Stripe, seq: int, chain: str) -> Fence:
    for _ in range(_CALLS_MAX):
        fence, more = _truncate_once(stripe, seq, chain)
        if not more:
            return fence
    raise AssertionError("it never ends")


def _drop(stripe: Stripe) -> None:
    for _ in range(_CALLS_MAX):
        if not stripe.here.remover.drop(stripe.tenant, MOVED_EPOCH, DEADLINE_MS):
            return
    raise AssertionError("it never ends")


def _is_listed(cell: LocalCell, tenant: str) -> bool:
    names = []
    after = None
    while True:
        page = cell.controller.tenants(after=after, limit=1000)
        names += [document.key.removeprefix(TENANT) for document in page.documents]
        if page.after is None:
            return tenant in names
        after = page.after.removeprefix(TENANT)
