"""A journal entry that cannot become rows stops only itself, and its place is accounted for."""

import json

import pytest

from cell_core.domain.canonical import canonical
from cell_lake.domain.limits import Limits
from cell_lake.errors import StateLost
from cell_lake.table_memory import MemoryLakeTable
from tests.contract.cell_samples import EPOCH, START_MS, put
from tests.lake.bench import (
    ALPHA,
    NEVER_MS,
    Side,
    drive,
    journal,
    keys_of,
    rows_of_journal,
    spoil,
    timeless,
    written,
)


def spoilt(side: Side, seq: int, kind: str) -> str:
    """Return a text that is no entry, in one of several ways, for the place of entry `seq`."""
    body = journal_body(side, seq)
    return {
        "no JSON": body[:-5],
        "an empty text": "",
        "not canonical": body.replace(":", ": ", 1),
        "a list": "[1]",
        "a hole": canonical({k: v for k, v in json.loads(body).items() if k != "events"}),
        "of another tenant": canonical({**json.loads(body), "tenant": "T-9"}),
        "deep": "[" * 100_000,
    }[kind]


def journal_body(side: Side, seq: int) -> str:
    return side.backend.partitions["T-1/00"].documents[f"LOG:{seq:020d}"].body


KINDS = [
    "no JSON", "an empty text", "not canonical", "a list", "a hole", "of another tenant",
    "deep",
]  # fmt: skip


@pytest.mark.parametrize("seq", [1, 3, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_a_poison_entry_alone_is_in_the_dead_letters(kind: str, seq: int) -> None:
    side = Side(MemoryLakeTable(), limits=Limits(rows_max=3))
    stripe = written(side, "T-1", 6)
    whole = rows_of_journal(journal(side, stripe), stripe, ALPHA)
    spoil(side, "T-1", seq, spoilt(side, seq, kind))

    side.settle()

    rows = timeless(side.lake.rows)
    dead = [row for row in rows if row.outcome == "dead"]
    assert [(row.seq, row.index, row.type, row.data) for row in dead] == [(seq, 0, None, None)]
    good = [row for row in rows if row.outcome != "dead"]
    assert good == [row for row in timeless(whole) if row.seq != seq]
    assert {row.seq for row in rows} == set(range(1, 7))
    assert max(keys_of(rows).values()) == 1
    [letter] = side.dead_letters()
    assert letter.startswith("DEAD:T-1:00:")
    assert letter.endswith(f":{seq:020d}")


def test_an_entry_of_the_year_10000_is_dead_and_its_chain_is_known() -> None:
    side = Side(MemoryLakeTable())
    written(side, "T-1", 2)
    side.clock.time_ms = 253_402_300_800_000
    side.cell.processor.process("T-1", EPOCH, [put("late")], side.clock.time_ms + 1000)
    side.clock.time_ms = START_MS
    side.cell.at("T-1").one(put("after"))

    side.settle()

    [dead] = [row for row in side.lake.rows if row.outcome == "dead"]
    assert (dead.seq, dead.code, dead.time_ms) == (3, "out_of_range", None)
    assert dead.chain == side.cell.at("T-1").journal()[2].chain
    assert {row.seq for row in side.lake.rows} == {1, 2, 3, 4}


def test_the_first_entry_of_a_home_is_dead_although_only_those_behind_it_say_at_which_epoch() -> (
    None
):
    side = Side(MemoryLakeTable())
    written(side, "T-1", 4)
    documents = side.backend.partitions["T-1/00"].documents
    foreign = documents["LOG:00000000000000000001"].body.replace('"epoch":17', '"epoch":2')
    spoil(side, "T-1", 1, foreign)
    spoil(side, "T-1", 2, "{")

    side.settle()

    assert [(r.seq, r.epoch) for r in timeless(side.lake.rows)] == [(2, 17), (3, 17), (4, 17)]


def test_many_poison_entries_take_several_flushes_and_stop_no_other_tenant() -> None:
    side = Side(MemoryLakeTable())
    written(side, "T-1", 50)
    written(side, "T-2", 3)
    for seq in range(5, 50):
        spoil(side, "T-1", seq, "{")

    side.settle()

    assert len(side.dead_letters()) == 45
    assert {row.seq for row in side.lake.rows if row.tenant_id == "T-1"} == set(range(1, 51))
    assert len([row for row in side.lake.rows if row.tenant_id == "T-2"]) == 4


def test_an_entry_of_newer_code_is_waited_for_and_not_dead() -> None:
    side = Side(MemoryLakeTable())
    stripe = written(side, "T-1", 5)
    newer = canonical({**json.loads(journal_body(side, 4)), "v": 2})
    kept = journal_body(side, 4)
    spoil(side, "T-1", 4, newer)
    relay = side.relay()
    relay.sweep()

    report = relay.flush_all(NEVER_MS)
    seqs = {row.seq for row in side.lake.rows}
    spoil(side, "T-1", 4, kept)
    side.settle(relay)

    assert report.stuck == {stripe: "newer"}
    assert (seqs, side.dead_letters()) == ({1, 2, 3}, [])
    assert {row.seq for row in side.lake.rows} == {1, 2, 3, 4, 5}


def test_a_relay_whose_state_was_restored_from_a_backup_writes_nothing() -> None:
    side = Side(MemoryLakeTable())
    stripe = written(side, "T-1", 3)
    side.settle()
    state = dict(side.backend.partitions[f"~relay/{stripe.shard:02d}"].documents)
    side.cell.at("T-1").one(put("later"))
    side.settle()
    side.cell.at("T-1").one(put("last"))
    side.backend.partitions[f"~relay/{stripe.shard:02d}"].documents = state
    rows = len(side.lake.rows)

    flush = drive(side, [stripe]).run()
    again = drive(side, [stripe]).run()

    assert isinstance(flush.error, StateLost)
    assert flush.error.fields["found"] == 2
    assert isinstance(again.error, StateLost) or again.error is None
    assert len(side.lake.rows) == rows


def test_a_relay_that_has_forgotten_all_writes_nothing() -> None:
    side = Side(MemoryLakeTable())
    stripe = written(side, "T-1", 3)
    side.settle()
    side.backend.partitions[f"~relay/{stripe.shard:02d}"].documents.clear()

    flush = drive(side, [stripe]).run()

    assert isinstance(flush.error, StateLost)
    assert len(side.lake.rows) == 4


def test_a_lake_that_was_begun_anew_is_not_written_to() -> None:
    side = Side(MemoryLakeTable())
    stripe = written(side, "T-1", 3)
    side.settle()
    side.lake.rows.clear()
    side.lake.versions.clear()
    side.cell.at("T-1").one(put("later"))

    flush = drive(side, [stripe]).run()

    assert isinstance(flush.error, StateLost)
    assert side.lake.rows == []
