"""What a cell promises to those who ask it for a tenant: it serves only what it owns, as it is."""

import json
from collections.abc import Callable

import pytest

from cell_core.domain.documents import LOG
from cell_core.domain.errors import CellError, Fenced, NotFound
from cell_core.service.reads import Reading
from tests.contract.cell_samples import (
    AWAY,
    EPOCH,
    HOME,
    MOVED_EPOCH,
    RETURNED_EPOCH,
    LocalCell,
    OnOneCell,
    Stripe,
    as_standby,
    delete,
    new_tenant,
    open_account,
    patch,
    put,
    stream_in,
)
from tests.contract.contract import Contract

_CALLS: dict[str, Callable[[Stripe, int], object]] = {
    "a command": lambda stripe, epoch: stripe.run(put("z"), epoch=epoch),
    "a replay": lambda stripe, epoch: stripe.run(put("a", 1, command_id="old"), epoch=epoch),
    "entity": lambda stripe, epoch: stripe.here.reader.entity(_at(stripe, epoch), "record.a"),
    "entities": lambda stripe, epoch: stripe.here.reader.entities(
        _at(stripe, epoch), after=None, limit=10
    ),
    "events": lambda stripe, epoch: stripe.here.reader.events(
        _at(stripe, epoch), after=None, limit=10
    ),
    "stream": lambda stripe, epoch: stripe.here.reader.stream(_at(stripe, epoch)),
    "whole": lambda stripe, epoch: stripe.here.reader.whole(_at(stripe, epoch)),
}


class ServePromises(OnOneCell, Contract):
    """Promises about requests that a cell must not execute, and about what it lets be read."""

    @pytest.fixture
    def lived_in(self, stripe: Stripe) -> Stripe:
        stripe.one(put("a", 1, command_id="old"))
        return stripe

    def test_a_frozen_tenant_is_neither_written_nor_read(self, lived_in: Stripe) -> None:
        lived_in.freeze()

        for error in _refusals(lived_in, EPOCH):
            assert error.code == "frozen"
            assert error.fields["retry_after_ms"] > 0

    def test_a_request_of_an_older_epoch_is_told_that_the_home_is_here(
        self, lived_in: Stripe
    ) -> None:
        for error in _refusals(lived_in, EPOCH - 1):
            assert error.code == "moved"
            assert error.fields == {"epoch": EPOCH, "home": HOME.id}

    def test_a_request_of_a_newer_epoch_is_told_that_the_cell_is_behind(
        self, lived_in: Stripe
    ) -> None:
        for error in _refusals(lived_in, MOVED_EPOCH):
            assert error.code == "epoch_behind"
            assert error.fields == {"epoch": EPOCH}

    @pytest.mark.parametrize("epoch", [EPOCH, MOVED_EPOCH, RETURNED_EPOCH])
    def test_a_sealed_tenant_is_served_elsewhere_whatever_the_epoch(
        self, lived_in: Stripe, epoch: int
    ) -> None:
        lived_in.freeze()
        lived_in.seal()

        for error in _refusals(lived_in, epoch):
            assert error.code == "moved"
            assert error.fields == {"epoch": MOVED_EPOCH, "home": AWAY.id}

    def test_a_fenced_off_tenant_is_served_elsewhere(self, lived_in: Stripe) -> None:
        lived_in.fence_off()

        for error in _refusals(lived_in, EPOCH):
            assert error.code == "moved"
            assert error.fields == {"epoch": MOVED_EPOCH, "home": AWAY.id}

    @pytest.mark.parametrize("epoch", [EPOCH, MOVED_EPOCH, RETURNED_EPOCH])
    def test_a_standby_serves_nobody_and_names_the_home(
        self, cell: LocalCell, reference: LocalCell, tenant: str, epoch: int
    ) -> None:
        home = reference.provision(tenant, epoch=MOVED_EPOCH)
        home.one(put("a"), epoch=MOVED_EPOCH)
        standby = as_standby(home, cell)
        standby.apply(home.journal(), epoch=MOVED_EPOCH)

        for error in _refusals(standby, epoch):
            assert error.code == "moved"
            assert error.fields == {"epoch": MOVED_EPOCH, "home": reference.cell.id}

    def test_an_unknown_tenant_is_not_found(self, cell: LocalCell) -> None:
        for call in _CALLS.values():
            with pytest.raises(NotFound) as error:
                call(cell.at(new_tenant()), EPOCH)

            assert error.value.code == "tenant_not_found"

    def test_a_warm_instance_notices_a_freeze_by_another(
        self, lived_in: Stripe, other_instance: LocalCell
    ) -> None:
        other_instance.at(lived_in.tenant).freeze()

        with pytest.raises(Fenced) as error:
            lived_in.run(put("b"))

        assert error.value.code == "frozen"
        assert lived_in.fence().seq == 1

    # ── What is read ────────────────────────────────────────────────────────────────────────────

    def test_an_entity_is_read_with_its_fence(self, lived_in: Stripe) -> None:
        document, fence = lived_in.here.reader.entity(lived_in.reading(), "record.a")

        assert (document.version, document.body) == (1, '{"rev":1,"value":1}')
        assert (fence.epoch, fence.seq) == (EPOCH, 1)

    def test_an_entity_that_is_not_there_or_deleted_is_not_found(self, lived_in: Stripe) -> None:
        lived_in.one(delete("a"))

        for entity in ("record.a", "record.b"):
            with pytest.raises(NotFound) as error:
                lived_in.here.reader.entity(lived_in.reading(), entity)
            assert error.value.code == "entity_not_found"

    def test_what_another_instance_wrote_is_read_at_once(
        self, lived_in: Stripe, other_instance: LocalCell
    ) -> None:
        other = other_instance.at(lived_in.tenant)
        other_instance.reader.entity(other.reading(), "record.a")
        lived_in.one(put("a", 2))

        document, fence = other_instance.reader.entity(other.reading(), "record.a")

        assert (json.loads(document.body)["value"], fence.seq) == (2, 2)

    @pytest.mark.parametrize("limit", [2, 5])
    def test_entities_are_paged_in_the_order_of_their_ids(self, stripe: Stripe, limit: int) -> None:
        stripe.run(*(put(name) for name in ("c", "a", "e", "b", "d")), put("f", stream="other"))

        found: list[str] = []
        after: str | None = None
        while True:
            page, _ = stripe.here.reader.entities(stripe.reading(), after=after, limit=limit)
            assert len(page.documents) <= limit
            found += [d.key.rpartition(":")[2] for d in page.documents]
            if page.after is None:
                break
            after = page.after.rpartition(":")[2]

        assert found == [f"record.{name}" for name in "abcde"]

    def test_a_cursor_may_point_behind_an_entity_that_does_not_exist(self, stripe: Stripe) -> None:
        stripe.run(put("a"), put("c"))

        page, _ = stripe.here.reader.entities(stripe.reading(), after="record.b", limit=10)
        past_all, _ = stripe.here.reader.entities(stripe.reading(), after="record.d", limit=10)

        assert [d.key.rpartition(":")[2] for d in page.documents] == ["record.c"]
        assert (past_all.documents, past_all.after) == ((), None)

    def test_events_are_those_of_the_stream_and_no_rejection_has_any(self, stripe: Stripe) -> None:
        stripe.run(put("a"), put("b", stream="other"), patch("c", 1), open_account("x"), put("d"))

        entries, after, fence = stripe.here.reader.events(stripe.reading(), after=None, limit=10)

        assert [(e.seq, len(e.events)) for e in entries] == [(1, 1), (3, 0), (5, 1)]
        assert (after, fence.seq) == (None, 5)

    def test_events_are_paged_by_the_journal_of_their_stripe(self, stripe: Stripe) -> None:
        stripe.run(put("a"), put("b", stream="other"), put("c"))

        seqs: list[list[int]] = []
        after: str | None = None
        while True:
            entries, after, _ = stripe.here.reader.events(stripe.reading(), after=after, limit=1)
            seqs.append([entry.seq for entry in entries])
            if after is None:
                break
            assert after.startswith(LOG)

        assert [seq for page in seqs for seq in page] == [1, 3]

    def test_a_stream_stands_where_its_stripe_does(self, stripe: Stripe) -> None:
        stripe.run(put("a"), put("b", stream="other"))

        assert stripe.here.reader.stream(stripe.reading()).seq == 2

    def test_a_stream_to_which_nothing_was_written_is_not_found(self, lived_in: Stripe) -> None:
        with pytest.raises(NotFound) as error:
            lived_in.here.reader.stream(lived_in.reading("other"))

        assert error.value.code == "stream_not_found"

    def test_a_stream_of_which_all_is_deleted_is_still_one(self, lived_in: Stripe) -> None:
        lived_in.one(delete("a"))

        assert lived_in.here.reader.stream(lived_in.reading()).seq == 2

    def test_a_whole_stream_is_read_without_what_is_deleted(self, stripe: Stripe) -> None:
        stripe.run(put("a"), put("b"), delete("a"), put("c", stream="other"))

        documents, fence = stripe.here.reader.whole(stripe.reading())

        assert [d.key.rpartition(":")[2] for d in documents] == ["record.b"]
        assert fence.seq == 4

    def test_streams_of_four_stripes_are_read_where_they_were_written(
        self, cell: LocalCell, tenant: str
    ) -> None:
        stripe = cell.provision(tenant, stripes=4)
        streams = [stream_in(number, 4) for number in range(4)]
        for number, stream in enumerate(streams):
            stripe.one(put("a", number, stream=stream))

        for number, stream in enumerate(streams):
            document, fence = cell.reader.entity(stripe.reading(stream), "record.a")
            assert (json.loads(document.body)["value"], fence.seq) == (number, 1)

    def test_no_tenant_reads_another_s_entities(self, lived_in: Stripe) -> None:
        other = lived_in.here.provision(new_tenant())

        page, _ = other.here.reader.entities(other.reading(), after=None, limit=10)

        assert page.documents == ()


def _at(stripe: Stripe, epoch: int) -> Reading:
    return stripe.reading(epoch=epoch)


def _refusals(stripe: Stripe, epoch: int) -> list[CellError]:
    """Return why each call is refused, having seen that none changes anything."""
    before = (stripe.fence(), stripe.contents())
    errors: list[CellError] = []
    for call in _CALLS.values():
        with pytest.raises(Fenced) as error:
            call(stripe, epoch)
        errors.append(error.value)
    assert (stripe.fence(), stripe.contents()) == before
    return errors
