"""What a cell promises to those who send commands: one effect, one answer, all or nothing."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest

from cell_core.domain.decider import fold
from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG, Document, entity_key
from cell_core.domain.errors import InvalidInput, Rejected, VersionMismatch
from cell_core.domain.fence import GENESIS
from cell_core.domain.journal import Entry
from cell_core.domains.ledger import Ledger
from cell_core.domains.records import Records
from cell_core.service.plan import Answered
from tests.contract.cell_samples import (
    EPOCH,
    LocalCell,
    OnOneCell,
    Settled,
    Stripe,
    ask,
    delete,
    open_account,
    patch,
    put,
    stream_in,
    transfer,
)
from tests.contract.contract import Contract

_LARGE = "x" * 15_500
"""A record of almost the largest event."""


class CommandPromises(OnOneCell, Contract):
    """Promises about commands that reach a cell where their tenant lives."""

    def test_a_command_is_journaled_and_changes_its_entity(self, stripe: Stripe) -> None:
        answer = stripe.one(put("a", {"n": 1}))

        assert (answer.replayed, answer.entry.seq, answer.entry.epoch) == (False, 1, EPOCH)
        [event] = answer.entry.events
        assert (event.type, event.data["value"]) == ("record_put.v1", {"n": 1})
        [entity] = stripe.exported(ENTITY)
        assert (entity.key, entity.version) == (entity_key("records", "main", "record.a"), 1)
        assert entity.body == '{"rev":1,"value":{"n":1}}'
        assert stripe.journal() == [answer.entry]
        fence = stripe.fence()
        assert (fence.seq, fence.chain) == (1, answer.entry.chain)

    def test_a_command_sent_again_gets_the_first_answer(self, stripe: Stripe) -> None:
        command = put("a", 1, command_id="same")
        first = stripe.one(command)
        stripe.one(put("a", 2))

        second = stripe.one(command)

        assert second == Answered(first.entry, replayed=True)
        assert stripe.fence().seq == 2

    def test_a_rejection_sent_again_stays_one_although_it_would_now_succeed(
        self, stripe: Stripe
    ) -> None:
        command = patch("a", 1, command_id="early")
        first = stripe.one(command)
        stripe.one(put("a", 0))

        second = stripe.one(command)

        assert first.entry.rejection is not None
        assert first.entry.rejection.code == "record_not_found"
        assert (first.entry.events, dict(first.entry.changes)) == ((), {})
        assert second == Answered(first.entry, replayed=True)
        assert [e.command_id for e in stripe.journal()][:1] == ["early"]

    def test_an_id_with_another_body_is_refused_and_writes_nothing(self, stripe: Stripe) -> None:
        stripe.one(put("a", 1, command_id="same"))
        before = stripe.contents()

        [other_value] = stripe.run(put("a", 2, command_id="same"))
        [other_stream] = stripe.run(put("a", 1, command_id="same", stream="other"))

        for answer in (other_value, other_stream):
            assert isinstance(answer, Rejected)
            assert answer.code == "command_id_reused"
        assert stripe.contents() == before

    def test_a_command_for_the_version_found_is_done(self, stripe: Stripe) -> None:
        stripe.one(put("a", 1))

        assert stripe.one(put("a", 2, expected_version=1)).entry.seq == 2

    def test_a_command_for_another_version_is_refused_and_not_remembered(
        self, stripe: Stripe
    ) -> None:
        stripe.one(put("a", 1))

        [early] = stripe.run(put("a", 2, expected_version=2, command_id="c"))
        [late] = stripe.run(put("a", 2, expected_version=0, command_id="c"))

        for answer in (early, late):
            assert isinstance(answer, VersionMismatch)
            assert answer.fields["found"] == 1
        assert stripe.fence().seq == 1
        assert stripe.one(put("a", 2, expected_version=1, command_id="c")).entry.seq == 2

    def test_a_command_for_a_version_long_gone_is_answered_if_it_was_done(
        self, stripe: Stripe
    ) -> None:
        command = put("a", 1, expected_version=0)
        first = stripe.one(command)
        stripe.one(put("a", 2))

        assert stripe.one(command) == Answered(first.entry, replayed=True)

    def test_a_batch_sees_its_own_earlier_effects(self, stripe: Stripe) -> None:
        answer = stripe.one(
            ask(
                "records",
                ("put", {"id": "a", "value": {"n": 1}}),
                ("patch", {"id": "a", "patch": {"m": 2}}),
                ("delete", {"id": "a"}),
                ("put", {"id": "a", "value": {"n": 3}}),
            )
        )

        assert len(answer.entry.events) == 4
        [entity] = stripe.exported(ENTITY)
        assert entity.body == '{"rev":1,"value":{"n":3}}'

    def test_a_batch_of_which_one_command_fails_does_nothing(self, stripe: Stripe) -> None:
        stripe.one(put("a", 1))

        answer = stripe.one(
            ask(
                "records",
                ("put", {"id": "a", "value": 2}),
                ("put", {"id": "b", "value": 2}),
                ("delete", {"id": "c"}),
            )
        )

        assert answer.entry.rejection is not None
        assert (answer.entry.rejection.code, answer.entry.rejection.index) == (
            "record_not_found",
            2,
        )
        assert [d.body for d in stripe.exported(ENTITY)] == ['{"rev":1,"value":1}']
        assert stripe.scanned() == stripe.fence().digest

    def test_a_batch_may_touch_40_entities_in_one_commit(
        self, cell: LocalCell, stripe: Stripe
    ) -> None:
        opened = [{"account": f"n{number}"} for number in range(40)]
        for half in (opened[:20], opened[20:]):
            stripe.one(ask("ledger", *(("open_account", data) for data in half)))
        pairs = [(f"n{number}", f"n{number + 20}") for number in range(20)]
        transfers = [{"debit": d, "credit": c, "amount": "1"} for d, c in pairs]
        cell.store.calls.clear()

        answer = stripe.one(ask("ledger", *(("transfer", data) for data in transfers)))

        assert len(answer.entry.changes) == 40
        assert cell.store.calls == ["read", "commit"]
        assert stripe.scanned() == stripe.fence().digest

    def test_a_bundle_of_90_operations_is_one_commit_and_of_more_is_two(
        self, cell: LocalCell, stripe: Stripe
    ) -> None:
        # The fence, and for each a journal entry, an idempotency record and an entity.
        stripe.fence()
        cell.store.calls.clear()
        stripe.run(*(put(f"a{number}") for number in range(29)))
        of_29, cell.store.calls = cell.store.calls, []

        answers = stripe.run(*(put(f"b{number}") for number in range(30)))

        assert (of_29.count("commit"), cell.store.calls.count("commit")) == (1, 2)
        assert [a.entry.seq for a in _entries(answers)] == list(range(30, 60))

    def test_a_bundle_of_more_bytes_than_one_commit_takes_is_split(
        self, cell: LocalCell, stripe: Stripe
    ) -> None:
        asks = [
            ask("records", *(("put", {"id": f"{b}-{n}", "value": _LARGE}) for n in range(10)))
            for b in range(6)
        ]
        stripe.fence()
        cell.store.calls.clear()

        answers = stripe.run(*asks)

        assert all(len(a.entry.changes) == 10 for a in _entries(answers))
        assert cell.store.calls.count("commit") == 2
        assert len(stripe.exported(ENTITY)) == 60
        assert stripe.scanned() == stripe.fence().digest

    def test_a_bundle_across_stripes_is_refused(self, cell: LocalCell, tenant: str) -> None:
        stripe = cell.provision(tenant, stripes=4)
        first, second = (put("a", stream=stream_in(number, 4)) for number in (0, 3))

        with pytest.raises(InvalidInput):
            stripe.run(first, second)

        assert all(cell.at(tenant, number).fence().seq == 0 for number in range(4))

    def test_of_two_writers_that_know_one_position_both_are_heard(
        self, stripe: Stripe, other_instance: LocalCell
    ) -> None:
        other = other_instance.at(stripe.tenant)
        stripe.one(put("a", {}))
        other.fence()

        mine = stripe.one(patch("a", {"mine": 1}))
        others = other.one(patch("a", {"others": 2}))

        assert (mine.entry.seq, others.entry.seq) == (2, 3)
        [entity] = stripe.exported(ENTITY)
        assert entity.body == '{"rev":3,"value":{"mine":1,"others":2}}'

    def test_a_retry_at_another_instance_gets_the_answer_of_the_first(
        self, stripe: Stripe, other_instance: LocalCell
    ) -> None:
        other = other_instance.at(stripe.tenant)
        other.fence()
        command = put("a")
        first = stripe.one(command)

        assert other.one(command) == Answered(first.entry, replayed=True)

    def test_a_deleted_record_leaves_a_tombstone_and_may_be_made_again(
        self, stripe: Stripe
    ) -> None:
        key = entity_key("records", "main", "record.a")
        stripe.one(put("a", 1))
        stripe.one(delete("a"))
        dead = stripe.exported(ENTITY)
        gone = stripe.one(patch("a", 1))

        stripe.one(put("a", 2, if_rev=0))

        assert dead == [Document(key, 2, "", deleted=True)]
        assert gone.entry.rejection is not None
        assert stripe.exported(ENTITY) == [Document(key, 4, '{"rev":4,"value":2}')]
        assert stripe.scanned() == stripe.fence().digest

    def test_the_journal_is_a_chain_of_one_entry_a_command(self, stripe: Stripe) -> None:
        _live(stripe)

        journal = stripe.journal()

        assert [entry.seq for entry in journal] == list(range(1, len(journal) + 1))
        assert journal[0].prev_chain == GENESIS
        assert all(after.prev_chain == before.chain for before, after in pairwise(journal))
        fence = stripe.fence()
        assert (fence.seq, fence.chain, fence.digest) == (
            journal[-1].seq,
            journal[-1].chain,
            journal[-1].digest,
        )
        ids = [d.key.removeprefix(IDEMPOTENCY) for d in stripe.exported(IDEMPOTENCY)]
        assert sorted(ids) == sorted(entry.command_id for entry in journal)

    def test_the_scanned_digest_is_the_fence_s_after_each_command(self, stripe: Stripe) -> None:
        for command in _commands():
            stripe.run(command)

            assert stripe.scanned(limit=2) == stripe.fence().digest

    def test_the_events_of_the_journal_amount_to_the_entities(self, stripe: Stripe) -> None:
        _live(stripe)
        journal = stripe.journal()

        for domain in (Records(), Ledger()):
            events = [e for entry in journal if entry.domain == domain.name for e in entry.events]
            state = fold(domain, events)
            assert {k: dict(body) for k, body in state.items()} == _bodies(stripe, domain.name)

    def test_each_of_four_stripes_has_its_own_journal(self, cell: LocalCell, tenant: str) -> None:
        stripe = cell.provision(tenant, stripes=4)

        for number in range(4):
            stripe.one(put("a", number, stream=stream_in(number, 4)))

        for number in range(4):
            journal = cell.at(tenant, number).journal()
            assert [(e.seq, e.stream) for e in journal] == [(1, stream_in(number, 4))]
            [entity] = cell.at(tenant, number).exported(ENTITY)
            assert entity.body == f'{{"rev":1,"value":{number}}}'

    def test_a_journal_is_exported_page_by_page(self, stripe: Stripe) -> None:
        stripe.run(*(put("a", number) for number in range(7)))

        assert stripe.exported(LOG, limit=3) == stripe.exported(LOG)
        assert len(stripe.exported(LOG)) == 7


def _entries(answers: Sequence[Settled]) -> list[Answered]:
    assert all(isinstance(answer, Answered) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Answered)]


def _commands() -> list:
    return [
        put("a", 1),
        put("b", {"n": 1}),
        patch("b", {"n": None, "m": 2}),
        delete("a"),
        delete("a"),
        put("a", 3),
        open_account("x"),
        open_account("y", "debits_within_credits"),
        transfer("y", "x", 5),
        transfer("x", "y", 5),
        delete("b"),
    ]


def _live(stripe: Stripe) -> list[Entry]:
    stripe.run(*_commands())
    return stripe.journal()


def _bodies(stripe: Stripe, domain: str) -> dict[str, dict]:
    prefix = f"{ENTITY}{domain}:main:"
    found = [d for d in stripe.exported(prefix) if not d.deleted]
    return {d.key.removeprefix(prefix): json.loads(d.body) for d in found}
