"""What a cell promises about a standby that is prepared to become the home by itself."""

import json

import pytest

from cell_core.domain.errors import Diverged, Fenced, Gap, InvalidInput
from cell_core.domain.fence import Fence, Role
from cell_core.domain.transitions import Preparation
from tests.contract.cell_copying import OnHomeAndStandby, assert_equal
from tests.contract.cell_samples import (
    MOVED_EPOCH,
    RETURNED_EPOCH,
    LocalCell,
    Stripe,
    delete,
    put,
    stream_in,
)
from tests.contract.contract import Contract

_LATER_EPOCH = RETURNED_EPOCH + 16
_ROLLED_BACK_EPOCH = MOVED_EPOCH + 16
_OTHER_CHAIN = "f" * 64


class PreparePromises(OnHomeAndStandby, Contract):
    """Promises about preparing a standby, and about who may wake it."""

    def test_the_last_entries_and_the_preparation_are_one_write(
        self, home: Stripe, standby: Stripe
    ) -> None:
        standby.here.store.calls.clear()

        fence = prepared(standby, home)

        assert standby.here.store.calls.count("commit") == 1
        assert (fence.role, fence.epoch, fence.seq) == (Role.STANDBY, MOVED_EPOCH, 12)
        assert json.loads(fence.base) == {
            "prepared": RETURNED_EPOCH,
            "seq": 12,
            "chain": home.fence().chain,
        }
        assert_equal(standby, home)

    def test_a_standby_that_has_everything_is_prepared_without_entries(
        self, home: Stripe, standby: Stripe
    ) -> None:
        standby.apply(home.journal(), epoch=MOVED_EPOCH)

        fence = standby.apply([], epoch=MOVED_EPOCH, wanted=final(home))

        assert fence.base == final(home).base()
        assert standby.fence() == fence

    def test_preparing_again_changes_nothing(self, home: Stripe, standby: Stripe) -> None:
        first = prepared(standby, home)
        standby.here.store.calls.clear()

        assert prepared(standby, home) == first
        assert standby.apply([], epoch=MOVED_EPOCH, wanted=final(home)) == first
        assert "commit" not in standby.here.store.calls

    @pytest.mark.parametrize("further", [-1, 1])
    def test_a_standby_elsewhere_takes_the_entries_and_is_not_prepared(
        self, home: Stripe, standby: Stripe, further: int
    ) -> None:
        there = final(home)
        wanted = Preparation(epoch=there.epoch, seq=there.seq + further, chain=there.chain)

        with pytest.raises(Gap) as error:
            standby.apply(home.journal(), epoch=MOVED_EPOCH, wanted=wanted)

        assert error.value.fields == {"have": 12}
        assert (standby.fence().seq, standby.fence().base) == (12, "")

    def test_a_standby_with_another_log_is_not_prepared(
        self, home: Stripe, standby: Stripe
    ) -> None:
        wanted = Preparation(epoch=RETURNED_EPOCH, seq=12, chain=_OTHER_CHAIN)

        with pytest.raises(Diverged) as error:
            standby.apply(home.journal(), epoch=MOVED_EPOCH, wanted=wanted)

        assert error.value.fields == {"seq": 12}
        assert (standby.fence().seq, standby.fence().base) == (12, "")

    @pytest.mark.parametrize(
        "epoch",
        [MOVED_EPOCH, MOVED_EPOCH + 1, RETURNED_EPOCH + 1, MOVED_EPOCH - 1],
        ids=["the home's", "a third cell's", "the next of a third cell", "an older one of ours"],
    )
    def test_a_standby_is_prepared_only_for_a_larger_epoch_of_its_own_cell(
        self, home: Stripe, standby: Stripe, epoch: int
    ) -> None:
        there = final(home)
        wanted = Preparation(epoch=epoch, seq=there.seq, chain=there.chain)

        with pytest.raises(InvalidInput):
            standby.apply(home.journal(), epoch=MOVED_EPOCH, wanted=wanted)

        assert standby.fence().seq == 0

    def test_only_a_standby_is_prepared(self, home: Stripe, cell: LocalCell) -> None:
        active = cell.provision(home.tenant)
        for stop in (lambda: None, active.freeze, active.fence_off):
            stop()
            with pytest.raises(Fenced):
                active.apply([], epoch=MOVED_EPOCH, wanted=final(home))

        assert active.fence().base == ""

    # ── The home's epoch ────────────────────────────────────────────────────────────────────────

    def test_a_standby_follows_a_home_that_was_rolled_back_to_a_larger_epoch(
        self, home: Stripe, standby: Stripe
    ) -> None:
        prepared(standby, home)
        home.freeze(epoch=MOVED_EPOCH)
        home.activate(_ROLLED_BACK_EPOCH, mode="rollback")
        home.one(put("later"), epoch=_ROLLED_BACK_EPOCH)
        standby.here.store.calls.clear()

        fence = standby.apply(home.journal()[12:], epoch=_ROLLED_BACK_EPOCH)

        assert standby.here.store.calls.count("commit") == 1
        assert (fence.role, fence.epoch, fence.seq) == (Role.STANDBY, _ROLLED_BACK_EPOCH, 13)
        assert fence.base == ""
        with pytest.raises(Fenced):
            standby.apply(home.journal()[12:], epoch=MOVED_EPOCH)

    def test_the_epoch_is_raised_also_where_all_entries_are_here(
        self, home: Stripe, standby: Stripe
    ) -> None:
        prepared(standby, home)

        fence = standby.apply(home.journal()[-1:], epoch=_ROLLED_BACK_EPOCH)

        assert (fence.epoch, fence.seq, fence.base) == (_ROLLED_BACK_EPOCH, 12, "")
        refuses(standby, RETURNED_EPOCH)

    def test_a_standby_can_be_prepared_anew_behind_a_rollback(
        self, home: Stripe, standby: Stripe
    ) -> None:
        prepared(standby, home)
        there = final(home)
        wanted = Preparation(epoch=_LATER_EPOCH, seq=there.seq, chain=there.chain)

        fence = standby.apply([], epoch=_ROLLED_BACK_EPOCH, wanted=wanted)

        assert (fence.epoch, fence.base) == (_ROLLED_BACK_EPOCH, wanted.base())
        assert standby.one(put("new"), epoch=_LATER_EPOCH).entry.epoch == _LATER_EPOCH

    def test_no_home_is_followed_to_an_epoch_of_the_standby_s_own_cell(
        self, home: Stripe, standby: Stripe
    ) -> None:
        with pytest.raises(Fenced):
            standby.apply(home.journal(), epoch=RETURNED_EPOCH)

        assert (standby.fence().epoch, standby.fence().seq) == (MOVED_EPOCH, 0)

    # ── Waking ──────────────────────────────────────────────────────────────────────────────────

    def test_a_command_at_the_prepared_epoch_makes_the_standby_the_home(
        self, home: Stripe, standby: Stripe
    ) -> None:
        prepared(standby, home)

        answer = standby.one(put("new"), epoch=RETURNED_EPOCH)

        fence = standby.fence()
        assert (answer.entry.epoch, answer.entry.seq) == (RETURNED_EPOCH, 13)
        assert (fence.role, fence.epoch, fence.home_hint) == (Role.ACTIVE, RETURNED_EPOCH, "")
        assert json.loads(fence.base) == {
            "mode": "planned",
            "from_epoch": MOVED_EPOCH,
            "seq": 12,
            "chain": home.fence().chain,
        }

    def test_a_read_at_the_prepared_epoch_makes_the_standby_the_home(
        self, home: Stripe, standby: Stripe
    ) -> None:
        prepared(standby, home)
        at = standby.reading(epoch=RETURNED_EPOCH)

        document, fence = standby.here.reader.entity(at, "record.b")

        assert (document.version, fence.role, fence.seq) == (3, Role.ACTIVE, 12)
        assert standby.fence() == fence

    def test_a_page_of_entities_or_events_makes_the_standby_the_home(
        self, home: Stripe, standby: Stripe
    ) -> None:
        prepared(standby, home)
        at = standby.reading(epoch=RETURNED_EPOCH)

        page, fence = standby.here.reader.entities(at, after=None, limit=10)

        assert (len(page.documents), fence.role) == (3, Role.ACTIVE)
        assert standby.here.reader.events(at, after=None, limit=100)[2] == fence

    def test_all_instances_serve_a_stripe_that_one_of_them_woke(
        self, home: Stripe, standby: Stripe, other_instance: LocalCell
    ) -> None:
        there = other_instance.at(standby.tenant)
        prepared(standby, home)
        refuses(there, MOVED_EPOCH)

        answers = [s.one(put("n"), epoch=RETURNED_EPOCH) for s in (standby, there, standby)]

        assert [answer.entry.seq for answer in answers] == [13, 14, 15]

    def test_what_the_old_home_answered_is_answered_again(
        self, home: Stripe, standby: Stripe
    ) -> None:
        prepared(standby, home)

        again = standby.one(put("a", 1, command_id="put-a"), epoch=RETURNED_EPOCH)
        no = standby.one(delete("a", command_id="rejected"), epoch=RETURNED_EPOCH)

        assert (again.replayed, again.entry.seq) == (True, 1)
        assert (no.replayed, no.entry.rejection is not None) == (True, True)

    def test_the_mover_s_own_call_finds_the_stripe_as_it_would_have_made_it(
        self, home: Stripe, standby: Stripe
    ) -> None:
        there = final(home)
        prepared(standby, home)
        standby.one(put("new"), epoch=RETURNED_EPOCH)
        before = standby.fence()

        fences = standby.activate(RETURNED_EPOCH, positions=[(there.seq, there.chain)], op="m")

        assert fences == [before]

    @pytest.mark.parametrize(
        "epoch",
        [MOVED_EPOCH - 1, MOVED_EPOCH, MOVED_EPOCH + 1, _ROLLED_BACK_EPOCH, _LATER_EPOCH],
    )
    def test_a_request_at_any_other_epoch_wakes_nobody(
        self, home: Stripe, standby: Stripe, epoch: int
    ) -> None:
        prepared(standby, home)

        refuses(standby, epoch)

    def test_a_standby_that_was_not_prepared_is_not_woken(
        self, home: Stripe, standby: Stripe
    ) -> None:
        standby.apply(home.journal(), epoch=MOVED_EPOCH)

        refuses(standby, RETURNED_EPOCH)

    def test_a_standby_that_was_written_to_since_is_not_woken(
        self, home: Stripe, standby: Stripe
    ) -> None:
        prepared(standby, home)
        home.one(put("more"), epoch=MOVED_EPOCH)
        standby.apply(home.journal()[12:], epoch=MOVED_EPOCH)

        refuses(standby, RETURNED_EPOCH)

    def test_a_prepared_stripe_that_is_being_dropped_is_not_woken(
        self, home: Stripe, standby: Stripe
    ) -> None:
        prepared(standby, home)
        standby.here.remover._close(standby.tenant, MOVED_EPOCH, 2**50)

        refuses(standby, RETURNED_EPOCH)

    def test_each_stripe_is_woken_by_its_own_request(
        self, cell: LocalCell, reference: LocalCell, tenant: str
    ) -> None:
        home = reference.provision(tenant, epoch=MOVED_EPOCH, stripes=2)
        home.one(put("a", stream=stream_in(0, 2)), epoch=MOVED_EPOCH)
        cell.provision(tenant, role=Role.STANDBY, epoch=MOVED_EPOCH, stripes=2)
        first, second = cell.at(tenant, 0), cell.at(tenant, 1)
        prepared(first, home)
        prepared(second, reference.at(tenant, 1))

        second.one(put("b", stream=stream_in(1, 2)), epoch=RETURNED_EPOCH)

        assert (first.fence().role, second.fence().role) == (Role.STANDBY, Role.ACTIVE)


def final(home: Stripe) -> Preparation:
    """Return the preparation for where `home` is."""
    fence = home.fence()
    return Preparation(epoch=RETURNED_EPOCH, seq=fence.seq, chain=fence.chain)


def prepared(standby: Stripe, home: Stripe) -> Fence:
    """Apply all of `home` to `standby` and prepare it."""
    return standby.apply(home.journal(), epoch=MOVED_EPOCH, wanted=final(home))


def refuses(stripe: Stripe, epoch: int) -> None:
    """Assert that no request at `epoch` is served or changes the fence."""
    before = stripe.fence()
    at = stripe.reading(epoch=epoch)
    reader = stripe.here.reader

    for ask in (
        lambda: stripe.run(put("x"), epoch=epoch),
        lambda: reader.entity(at, "record.b"),
        lambda: reader.entities(at, after=None, limit=1),
        lambda: reader.whole(at),
    ):
        with pytest.raises(Fenced) as error:
            ask()
        assert error.value.code == "moved"
    assert stripe.fence() == before
