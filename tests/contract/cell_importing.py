"""What a cell promises about imports and orphans: last writer wins, backwards, each once."""

from collections.abc import Sequence

import pytest

from cell_core.domain.canonical import canonical, parse
from cell_core.domain.documents import ENTITY, FENCE, IDEMPOTENCY, LOG, ORPHAN, Document
from cell_core.domain.errors import Diverged, Fenced, InvalidInput
from cell_core.domain.fence import Role
from cell_core.domain.journal import Entry
from cell_core.service.plan import Answered
from tests.contract.cell_copying import (
    OnHomeAndStandby,
    apply,
    assert_equal,
    other_life,
    with_large_records,
)
from tests.contract.cell_samples import (
    MOVED_EPOCH,
    RETURNED_EPOCH,
    LocalCell,
    Stripe,
    as_standby,
    backwards,
    delete,
    new_tenant,
    put,
    stream_in,
)
from tests.contract.contract import Contract


class ImportPromises(OnHomeAndStandby, Contract):
    """Promises to those who copy documents of a home, in any order, and keep its orphans."""

    def test_a_standby_that_began_as_a_copy_equals_the_home(
        self, home: Stripe, cell: LocalCell
    ) -> None:
        standby = as_standby(home, cell, copied=True)
        home.run(put("late"), delete("b"), epoch=MOVED_EPOCH)

        for prefix in (ENTITY, IDEMPOTENCY):
            standby.take(home.exported(prefix))
        apply(standby, home.journal()[12:])
        history = backwards(home.exported(LOG))
        for start in range(0, len(history), 5):
            standby.take(history[start : start + 5])

        assert_equal(standby, home)

    def test_documents_imported_again_are_not_written_again(
        self, home: Stripe, cell: LocalCell
    ) -> None:
        standby = as_standby(home, cell, copied=True)
        everything = [*home.exported(ENTITY), *home.exported(IDEMPOTENCY)]

        written = [standby.take(everything), standby.take(everything)]

        assert written == [len(everything), 0]

    def test_a_stale_document_does_not_bring_an_old_version_back(
        self, home: Stripe, standby: Stripe
    ) -> None:
        stale = home.exported(ENTITY)
        home.run(put("a", 9), delete("b"), epoch=MOVED_EPOCH)
        apply(standby, home.journal())

        assert standby.take(stale) == 0

        assert_equal(standby, home)

    def test_of_several_versions_in_one_import_the_newest_stays(
        self, home: Stripe, standby: Stripe
    ) -> None:
        key = home.exported(ENTITY)[0].key
        versions = [Document(key, version, f'{{"rev":{version}}}') for version in (2, 7, 5)]

        assert standby.take(versions) == 1

        assert [d.version for d in standby.exported(ENTITY)] == [7]

    def test_the_journal_is_imported_only_from_its_end_backwards(
        self, home: Stripe, cell: LocalCell
    ) -> None:
        standby = as_standby(home, cell, copied=True)
        history = home.exported(LOG)

        with pytest.raises(InvalidInput):
            standby.take(history[:3])
        assert standby.journal() == []

        standby.take(backwards(history[9:]))
        with pytest.raises(InvalidInput):
            standby.take(history[:3])
        standby.take(history[:9])
        assert standby.journal() == home.journal()

    def test_a_journal_that_does_not_lead_to_the_fence_is_an_alarm(
        self, home: Stripe, cell: LocalCell
    ) -> None:
        standby = as_standby(home, cell, copied=True)
        other = _log_documents(other_life(home.tenant))

        with pytest.raises(Diverged):
            standby.take(other[11:12])
        standby.take(home.exported(LOG)[11:])
        with pytest.raises(Diverged):
            standby.take(other[10:11])

        assert len(standby.journal()) == 1

    def test_a_journal_entry_beyond_the_fence_is_not_imported(
        self, home: Stripe, standby: Stripe
    ) -> None:
        with pytest.raises(InvalidInput):
            standby.take(home.exported(LOG))

        assert standby.journal() == []

    @pytest.mark.parametrize(
        "key",
        [
            FENCE,
            "TENANT:x",
            "ORPH:00000000000000000017:00000000000000000001",
            "",
            "ENT:",
            "ENT:records:main",
            "ENT:records:main:",
            "ENT:records::record.a",
            "ENT:records:main:record.a:b",
            "ENT:records:main:record/a",
            "ENT:records:main:r\u00e9cord",
            "IDEM:",
            "IDEM:a/b",
            "IDEM:a?b",
            "IDEM:main:expire:",
            "LOG:1",
        ],
    )
    def test_only_documents_of_a_journal_are_imported(self, standby: Stripe, key: str) -> None:
        with pytest.raises(InvalidInput):
            standby.take([Document(key, 1, "{}")])

        assert standby.contents() == []

    def test_an_entity_of_another_stripe_is_not_imported(
        self, cell: LocalCell, tenant: str
    ) -> None:
        cell.provision(tenant, role=Role.STANDBY, stripes=4)
        key = f"ENT:records:{stream_in(2, 4)}:record.a"

        with pytest.raises(InvalidInput):
            cell.at(tenant, 1).take([Document(key, 1, "{}")])

        assert cell.at(tenant, 2).take([Document(key, 1, "{}")]) == 1

    @pytest.mark.usefixtures("many")
    def test_large_documents_are_imported_in_several_commits(
        self, cell: LocalCell, reference: LocalCell, tenant: str
    ) -> None:
        home = with_large_records(reference, tenant, 80)
        standby = as_standby(home, cell, copied=True)

        assert standby.take(home.exported(ENTITY)) == 80

        assert standby.scanned() == home.fence().digest

    def test_a_copy_answers_commands_that_its_home_answered(
        self, home: Stripe, standby: Stripe
    ) -> None:
        first = {e.command_id: e for e in home.journal()}
        [final] = home.freeze(epoch=MOVED_EPOCH)
        apply(standby, home.journal())
        standby.activate(RETURNED_EPOCH, positions=[(final.seq, final.chain)])

        applied = standby.one(put("a", 1, command_id="put-a"), epoch=RETURNED_EPOCH)
        refused = standby.one(delete("a", command_id="rejected"), epoch=RETURNED_EPOCH)

        assert applied == Answered(first["put-a"], replayed=True)
        assert refused == Answered(first["rejected"], replayed=True)
        assert standby.fence().seq == final.seq

    # ── Orphans ─────────────────────────────────────────────────────────────────────────────────

    def test_orphans_are_kept_once_and_not_run(self, stripe: Stripe, reference: LocalCell) -> None:
        stripe.one(put("a"))
        lost = _orphans(reference, stripe.tenant)
        before = (stripe.fence(), stripe.contents())
        adopt = stripe.here.replicator.adopt

        written = [adopt(stripe.tenant, 0, [e.body for e in lost])[1] for _ in range(2)]

        assert written == [3, 0]
        assert (stripe.fence(), stripe.contents()) == before
        kept = stripe.exported(ORPHAN)
        assert [parse(d.body.encode())["status"] for d in kept] == ["copied"] * 3
        assert [canonical(parse(d.body.encode())["entry"]) for d in kept] == [e.body for e in lost]

    def test_orphans_are_kept_only_at_the_home_and_of_its_tenant(
        self, stripe: Stripe, reference: LocalCell
    ) -> None:
        lost = _orphans(reference, new_tenant())
        adopt = stripe.here.replicator.adopt

        with pytest.raises(InvalidInput):
            adopt(stripe.tenant, 0, [lost[0].body])
        stripe.freeze()
        with pytest.raises(Fenced):
            adopt(stripe.tenant, 0, [e.body for e in _orphans(reference, stripe.tenant)])

        assert stripe.exported(ORPHAN) == []


def _log_documents(entries: Sequence[Entry]) -> list[Document]:
    return [Document(f"{LOG}{e.seq:020d}", e.seq, e.body) for e in entries]


def _orphans(reference: LocalCell, tenant: str) -> list[Entry]:
    dark = reference.provision(tenant, epoch=MOVED_EPOCH)
    if dark.fence().seq == 0:
        dark.run(put("a"), put("b"), put("c"), epoch=MOVED_EPOCH)
    return dark.journal()
