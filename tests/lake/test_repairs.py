"""What the lake lost is written again, once; what a relay forgot is made anew from the lake."""

from cell_lake.domain.limits import Limits
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.domain.state import Cursor
from cell_lake.errors import LakeConflict, StateLost
from cell_lake.flows.backfill import backfill
from cell_lake.flows.restore import restore
from cell_lake.flows.run import run
from cell_lake.table_memory import MemoryLakeTable
from tests.contract.cell_samples import EPOCH, put
from tests.lake.bench import (
    ALPHA,
    BETA,
    Drive,
    Fault,
    Side,
    check_once,
    drive,
    flush_of,
    journal,
    rows_of_journal,
    written,
)
from tests.lake.test_moving import MOVED, Two

STRIPE = Stripe("T-1", 0)


def fill(side: Side, writers: list[Origin]) -> int:
    """Backfill the whole journal; return how many rows were written."""
    total, after = 0, 0
    for _ in range(100):
        done = run(
            backfill(flush_of(side, STRIPE.shard), STRIPE, writers, after), side.store, side.lake
        )
        total += done.rows
        if done.after is None:
            return total
        after = done.after
    raise AssertionError("never done")


def published(entries: int = 9) -> Side:
    side = Side(MemoryLakeTable(), limits=Limits(page_entries=4))
    written(side, "T-1", entries)
    side.settle()
    return side


def test_rows_that_the_lake_lost_are_written_again_and_no_others() -> None:
    side = published()
    wanted = rows_of_journal(journal(side, STRIPE), STRIPE, ALPHA)
    side.lake.rows = [row for row in side.lake.rows if row.seq not in (2, 3, 8)]

    counts = fill(side, [ALPHA]), fill(side, [ALPHA])

    assert counts == (4, 0)
    check_once(side.lake, wanted)


def test_a_backfill_leaves_to_the_relay_what_it_has_not_published() -> None:
    side = published()
    side.cell.at("T-1").one(put("later"))

    count = fill(side, [ALPHA])
    side.settle()

    assert count == 0
    check_once(side.lake, rows_of_journal(journal(side, STRIPE), STRIPE, ALPHA))


def test_a_backfill_that_dies_at_any_step_is_done_again_and_relays_go_on() -> None:
    for number in range(9):
        for fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOST):
            side = published(4)
            side.lake.rows = side.lake.rows[:2]
            flow = backfill(flush_of(side, STRIPE.shard), STRIPE, [ALPHA], 0)
            Drive(flow, side, {number: fault}).run()
            side.cell.at("T-1").one(put("later"))

            side.settle()
            fill(side, [ALPHA])

            check_once(side.lake, rows_of_journal(journal(side, STRIPE), STRIPE, ALPHA))


def test_a_relay_that_publishes_during_a_backfill_stops_it_before_it_writes() -> None:
    side = published(4)
    side.lake.rows = side.lake.rows[:2]
    filling = Drive(backfill(flush_of(side, STRIPE.shard), STRIPE, [ALPHA], 0), side)
    for _ in range(6):
        filling.step()
    side.cell.at("T-1").one(put("later"))
    side.settle()

    filling.run()

    assert isinstance(filling.error, LakeConflict)
    assert fill(side, [ALPHA]) > 0
    check_once(side.lake, rows_of_journal(journal(side, STRIPE), STRIPE, ALPHA))


def test_what_a_cell_wrote_that_is_gone_with_its_relay_is_filled_in_by_its_heir() -> None:
    two = Two()
    two.write(two.home, 4, EPOCH)
    two.alpha.settle()
    two.write(two.home, 3, EPOCH)
    two.follow(two.home, two.away, EPOCH)
    two.fail_over(two.away, to=MOVED, name="azure-beta")
    two.write(two.away, 2, MOVED)
    two.beta.settle()

    count = fill(two.beta, [ALPHA, BETA])

    assert count == 3
    two.check(two.away)
    assert {(row.cell, row.epoch) for row in two.lake.rows} == {
        ("aws-alpha", EPOCH), ("azure-beta", MOVED),
    }  # fmt: skip


def test_a_shard_whose_state_was_lost_goes_on_after_it_was_restored_from_the_lake() -> None:
    side = published(4)
    side.backend.partitions[f"~relay/{STRIPE.shard:02d}"].documents.clear()
    side.cell.at("T-1").one(put("later"))
    refused = drive(side, [STRIPE]).run()
    last = max(side.lake.rows, key=lambda row: (row.epoch, row.seq))
    cursors = {STRIPE: Cursor(epoch=last.epoch, seq=last.seq, chain=last.chain)}

    version = run(restore(flush_of(side, STRIPE.shard), cursors), side.store, side.lake)
    side.settle()

    assert isinstance(refused.error, StateLost)
    assert version == 1
    check_once(side.lake, rows_of_journal(journal(side, STRIPE), STRIPE, ALPHA))
