"""What a cell promises about copies: logs are joined only where they are one, none goes back."""

from collections.abc import Sequence
from typing import Any

import pytest

from cell_core.domain.canonical import canonical, parse
from cell_core.domain.documents import ENTITY
from cell_core.domain.errors import Diverged, Fenced, Gap, InvalidInput, NotFound
from cell_core.domain.fence import Fence, Role
from cell_core.domain.journal import Entry, read_entry
from cell_core.memory import MemoryCellStore
from tests.contract.cell_samples import (
    AWAY,
    MOVED_EPOCH,
    RETURNED_EPOCH,
    LocalCell,
    OnOneCell,
    Stripe,
    as_standby,
    ask,
    delete,
    new_tenant,
    open_account,
    patch,
    put,
    stream_in,
    transfer,
)
from tests.contract.contract import Contract


def settle_in(home: Stripe, epoch: int) -> None:
    """Create, change, delete and re-create entities of `home`; some commands are rejected."""
    home.run(
        put("a", 1, command_id="put-a"),
        put("b", {"n": 1}),
        patch("b", {"m": 2}),
        delete("a"),
        delete("a", command_id="rejected"),
        open_account("x"),
        open_account("y", "debits_within_credits"),
        transfer("y", "x", 5, command_id="poor"),
        transfer("x", "y", 5),
        put("a", 3),
        put("c"),
        delete("c"),
        epoch=epoch,
    )


class OnHomeAndStandby(OnOneCell):
    """The fixtures of promises about a home and its copy."""

    @pytest.fixture
    def home(self, reference: LocalCell, tenant: str) -> Stripe:
        """Return a stripe of 12 entries that lives in another cell, on the reference store."""
        home = reference.provision(tenant, epoch=MOVED_EPOCH)
        settle_in(home, MOVED_EPOCH)
        return home

    @pytest.fixture
    def standby(self, cell: LocalCell, tenant: str) -> Stripe:
        """Return an empty standby of it in the cell under test."""
        return cell.provision(tenant, role=Role.STANDBY, epoch=MOVED_EPOCH)


class ApplyPromises(OnHomeAndStandby, Contract):
    """Promises to those who carry a journal from a home to a standby."""

    def test_what_was_applied_in_order_equals_the_home(self, home: Stripe, standby: Stripe) -> None:
        journal = home.journal()

        for start in range(0, len(journal), 5):
            fence = apply(standby, journal[start : start + 5])
            assert fence.seq == min(start + 5, len(journal))

        assert_equal(standby, home)

    def test_what_a_standby_holds_another_can_be_made_from(
        self, stripe: Stripe, reference: LocalCell
    ) -> None:
        stripe.run(put("a"), put("b"), delete("a"), patch("a", 1))
        copy = as_standby(stripe, reference)

        copy.apply(stripe.journal())

        assert_equal(copy, stripe)

    def test_entries_behind_a_gap_are_refused_with_what_is_here(
        self, home: Stripe, standby: Stripe
    ) -> None:
        journal = home.journal()
        apply(standby, journal[:2])

        with pytest.raises(Gap) as error:
            apply(standby, journal[3:])

        assert error.value.fields == {"have": 2}
        assert len(standby.journal()) == 2

    def test_entries_sent_again_are_acknowledged_and_change_nothing(
        self, home: Stripe, standby: Stripe
    ) -> None:
        journal = home.journal()
        apply(standby, journal[:6])
        before = (standby.fence(), standby.contents())

        for again in (journal[:6], journal[2:4], journal[5:6]):
            assert apply(standby, again) == before[0]

        assert (standby.fence(), standby.contents()) == before

    def test_of_entries_partly_sent_again_the_new_ones_are_appended(
        self, home: Stripe, standby: Stripe
    ) -> None:
        journal = home.journal()
        apply(standby, journal[:6])

        apply(standby, journal[3:])

        assert_equal(standby, home)

    def test_an_entry_that_does_not_continue_the_log_here_is_an_alarm(
        self, home: Stripe, standby: Stripe, reference: LocalCell
    ) -> None:
        other = other_life(home.tenant)
        apply(standby, home.journal()[:2])
        before = (standby.fence(), standby.contents())

        with pytest.raises(Diverged) as error:
            apply(standby, other[2:])

        assert error.value.fields == {"seq": 3}
        assert (standby.fence(), standby.contents()) == before

    @pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 2), (0, 4), (1, 4)])
    def test_an_entry_that_contradicts_one_held_here_is_an_alarm(
        self, home: Stripe, standby: Stripe, first: int, last: int
    ) -> None:
        other = other_life(home.tenant)
        apply(standby, home.journal()[:2])
        before = (standby.fence(), standby.contents())

        with pytest.raises(Diverged):
            apply(standby, other[first:last])

        assert (standby.fence(), standby.contents()) == before

    def test_an_entry_that_contradicts_where_a_copy_began_is_an_alarm(
        self, home: Stripe, cell: LocalCell
    ) -> None:
        standby = as_standby(home, cell, copied=True)

        with pytest.raises(Diverged) as error:
            apply(standby, other_life(home.tenant)[10:12])

        assert error.value.fields == {"seq": 12}
        assert apply(standby, home.journal()[10:]).seq == 12

    def test_entries_of_another_tenant_or_stripe_are_refused(
        self, standby: Stripe, cell: LocalCell, reference: LocalCell
    ) -> None:
        other = reference.provision(new_tenant(), epoch=MOVED_EPOCH)
        other.run(put("a"), epoch=MOVED_EPOCH)
        striped = cell.provision(new_tenant(), role=Role.STANDBY, epoch=MOVED_EPOCH, stripes=4)
        there = reference.provision(striped.tenant, epoch=MOVED_EPOCH, stripes=4)
        there.run(put("a", stream=stream_in(2, 4)), epoch=MOVED_EPOCH)
        entries = reference.at(striped.tenant, 2).journal()

        with pytest.raises(InvalidInput):
            apply(standby, other.journal())
        with pytest.raises(InvalidInput):
            apply(cell.at(striped.tenant, 1), entries)

        assert apply(cell.at(striped.tenant, 2), entries).seq == 1

    def test_entries_of_a_home_of_an_older_epoch_are_refused(
        self, home: Stripe, standby: Stripe
    ) -> None:
        with pytest.raises(Fenced):
            standby.apply(home.journal(), epoch=MOVED_EPOCH - 16)

        assert standby.fence().seq == 0

    def test_nothing_is_applied_to_or_imported_into_what_is_no_standby(
        self, home: Stripe, cell: LocalCell
    ) -> None:
        active = cell.provision(home.tenant)
        for stop in (lambda: None, active.freeze, active.fence_off):
            stop()
            with pytest.raises(Fenced):
                active.apply(home.journal(), epoch=RETURNED_EPOCH)
            with pytest.raises(Fenced):
                active.take(home.exported(ENTITY))

        assert active.fence().seq == 0
        assert active.contents() == []

    def test_nothing_is_applied_to_an_unknown_tenant(self, cell: LocalCell, home: Stripe) -> None:
        with pytest.raises(NotFound):
            cell.at(home.tenant).apply(home.journal())

    @pytest.mark.parametrize(
        "change",
        [
            lambda body: body[:-1],
            lambda body: body.replace(":", ": ", 1),
            lambda body: body.replace('"v":1', '"v":2'),
            lambda body: body.replace('"seq":2', '"seq":"2"'),
            lambda body: body.replace('"events"', '"evens"'),
            lambda body: "[]",
            lambda body: "",
        ],
        ids=["cut", "respaced", "version", "type", "name", "list", "empty"],
    )
    def test_what_is_no_journal_entry_is_refused(
        self, home: Stripe, standby: Stripe, change: Any
    ) -> None:
        first, second = home.journal()[:2]

        with pytest.raises(InvalidInput):
            standby.here.replicator.apply(
                standby.tenant, 0, MOVED_EPOCH, [first.body, change(second.body)], 2**50
            )

        assert standby.fence().seq == 0

    def test_an_entry_tampered_with_breaks_the_chain_to_the_next_one(
        self, home: Stripe, standby: Stripe
    ) -> None:
        journal = home.journal()
        forged = _tampered(journal[1])

        with pytest.raises(InvalidInput):
            apply(standby, [journal[0], forged, journal[2]])

        apply(standby, journal[:2])
        with pytest.raises(Diverged):
            apply(standby, [forged])
        assert standby.journal() == journal[:2]

    @pytest.mark.usefixtures("many")
    def test_large_entries_are_applied_in_several_commits(
        self, cell: LocalCell, reference: LocalCell, tenant: str
    ) -> None:
        home = with_large_records(reference, tenant, 70)
        standby = as_standby(home, cell, copied=False)

        cell.store.calls.clear()
        apply(standby, home.journal())

        assert 2 <= cell.store.calls.count("commit") <= 8
        assert_equal(standby, home)


def assert_equal(standby: Stripe, home: Stripe) -> None:
    """Assert that all of `home` is at `standby`, and that position and digest say so."""
    there, here = home.fence(), standby.fence()
    assert (here.seq, here.chain, here.digest) == (there.seq, there.chain, there.digest)
    assert standby.contents() == home.contents()
    assert standby.scanned(limit=3) == here.digest


def apply(standby: Stripe, entries: Sequence[Entry]) -> Fence:
    return standby.apply(entries, epoch=MOVED_EPOCH)


def other_life(tenant: str) -> list[Entry]:
    """Return the journal of a tenant of the same name that lived otherwise."""
    home = LocalCell(MemoryCellStore(), AWAY).provision(tenant, epoch=MOVED_EPOCH)
    home.run(put("other"), epoch=MOVED_EPOCH)
    settle_in(home, MOVED_EPOCH)
    return home.journal()


def _tampered(entry: Entry) -> Entry:
    raw = parse(entry.body.encode())
    raw["time_ms"] += 1
    return read_entry(canonical(raw))


def with_large_records(reference: LocalCell, tenant: str, count: int) -> Stripe:
    """Return a home whose records are almost as large as an entity may be."""
    home = reference.provision(tenant, epoch=MOVED_EPOCH)
    value = {"x": "x" * 16_000}
    more = {"y": "y" * 16_000}
    for start in range(0, count, 10):
        names = [f"n{number:03d}" for number in range(start, min(start + 10, count))]
        puts = [("put", {"id": name, "value": value}) for name in names]
        patches = [("patch", {"id": name, "patch": more}) for name in names]
        home.one(ask("records", *puts), epoch=MOVED_EPOCH)
        home.one(ask("records", *patches[:5]), epoch=MOVED_EPOCH)
        home.one(ask("records", *patches[5:]), epoch=MOVED_EPOCH)
    return home
