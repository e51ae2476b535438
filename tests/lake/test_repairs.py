"""What the lake lost is written again, once; what a relay forgot is made anew from the lake."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cell_lake.cli.filling import fill_stripe
from cell_lake.cli.restoring import restore_all
from cell_lake.cli.stores import Opened
from cell_lake.domain.limits import Limits
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.errors import LakeConflict, StateLost
from cell_lake.flows.backfill import backfill
from cell_lake.query import connect
from cell_lake.table_delta import DeltaLakeTable
from cell_lake.table_memory import MemoryLakeTable
from tests.contract.cell_samples import EPOCH, put
from tests.lake.asked import Lent
from tests.lake.bench import (
    ALPHA,
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
from tests.lake.test_moving import MOVED, RETURNED, Two

STRIPE = Stripe("T-1", 0)


def opened(side: Side) -> Opened:
    return Opened(store=side.store, table=side.lake, origin=side.origin)


def fill(side: Side, *, left: Sequence[Side] = (), gone: Sequence[Origin] = ()) -> int:
    """Backfill the whole journal as the command does; return how many rows were written."""
    around = Lent(ask=None)
    return fill_stripe(opened(side), STRIPE, [opened(each) for each in left], gone, around).rows


def published(entries: int = 9) -> Side:
    side = Side(MemoryLakeTable(), limits=Limits(page_entries=4))
    written(side, "T-1", entries)
    side.settle()
    return side


def test_rows_that_the_lake_lost_are_written_again_and_no_others() -> None:
    side = published()
    wanted = rows_of_journal(journal(side, STRIPE), STRIPE, ALPHA)
    side.lake.rows = [row for row in side.lake.rows if row.seq not in (2, 3, 8)]

    counts = fill(side), fill(side)

    assert counts == (4, 0)
    check_once(side.lake, wanted)


def test_a_backfill_leaves_to_the_relay_what_it_has_not_published() -> None:
    side = published()
    side.cell.at("T-1").one(put("later"))

    count = fill(side)
    side.settle()

    assert count == 0
    check_once(side.lake, rows_of_journal(journal(side, STRIPE), STRIPE, ALPHA))


def test_a_backfill_that_dies_at_any_step_is_done_again_and_relays_go_on() -> None:
    for number in range(9):
        for fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOST):
            side = published(4)
            side.lake.rows = side.lake.rows[:2]
            flow = backfill(flush_of(side, STRIPE.shard), STRIPE, {}, 0)
            Drive(flow, side, {number: fault}).run()
            side.cell.at("T-1").one(put("later"))

            side.settle()
            fill(side)

            check_once(side.lake, rows_of_journal(journal(side, STRIPE), STRIPE, ALPHA))


def test_a_relay_that_publishes_during_a_backfill_stops_it_before_it_writes() -> None:
    side = published(4)
    side.lake.rows = side.lake.rows[:2]
    filling = Drive(backfill(flush_of(side, STRIPE.shard), STRIPE, {}, 0), side)
    for _ in range(6):
        filling.step()
    side.cell.at("T-1").one(put("later"))
    side.settle()

    filling.run()

    assert isinstance(filling.error, LakeConflict)
    assert fill(side) > 0
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

    count = fill(two.beta, gone=[ALPHA])

    assert count == 3
    two.check(two.away)
    assert {(row.cell, row.epoch) for row in two.lake.rows} == {
        ("aws-alpha", EPOCH), ("azure-beta", MOVED),
    }  # fmt: skip


def dropped_too_early() -> Two:
    """Return a tenant that moved, and was dropped where its first relay had more to publish."""
    two = Two()
    two.write(two.home, 3, EPOCH)
    two.alpha.settle()
    two.write(two.home, 3, EPOCH)
    two.move(two.home, two.away, epoch=EPOCH, to=MOVED, name="azure-beta")
    two.drop(two.alpha, MOVED)
    two.write(two.away, 2, MOVED)
    two.settle()
    return two


def test_what_a_relay_had_not_published_before_a_drop_is_filled_in_by_the_new_home() -> None:
    two = dropped_too_early()
    before = {row.seq for row in two.lake.rows}

    counts = fill(two.beta), fill(two.beta, left=[two.alpha]), fill(two.beta, left=[two.alpha])

    assert before == {1, 2, 3, 7, 8}
    assert counts == (0, 3, 0)
    two.check(two.away)


@pytest.mark.parametrize("is_filled", [True, False])
def test_a_tenant_that_was_dropped_too_early_and_comes_back_is_published_once(
    is_filled: object,
) -> None:
    two = dropped_too_early()
    if is_filled:
        fill(two.beta, left=[two.alpha])

    two.bring_back(RETURNED)
    two.write(two.home, 2, RETURNED)
    two.settle()

    two.check(two.home)


def test_a_relay_that_died_in_its_work_passes_by_what_is_behind_its_open_intent() -> None:
    two = Two()
    two.write(two.home, 2, EPOCH)
    drive(two.alpha, [STRIPE], {5: Fault.CRASH_BEFORE}).run()
    was_open = two.alpha.has_open_intent(STRIPE)
    two.write(two.home, 3, EPOCH)
    two.move(two.home, two.away, epoch=EPOCH, to=MOVED, name="azure-beta")
    two.drop(two.alpha, MOVED)

    count = fill(two.beta, left=[two.alpha])
    two.bring_back(RETURNED)
    two.write(two.home, 1, RETURNED)
    two.settle()

    assert was_open
    assert count == 5
    two.check(two.home)


def in_a_folder(folder: Path) -> Side:
    side = Side(DeltaLakeTable(str(folder / "events")), limits=Limits(page_entries=4))
    written(side, "T-1", 4)
    side.settle()
    return side


def lost(side: Side) -> None:
    side.backend.partitions[f"~relay/{STRIPE.shard:02d}"].documents.clear()


def emptied(side: Side) -> None:
    side.lake = DeltaLakeTable(f"{side.lake.url}-anew")


@pytest.mark.slow
@pytest.mark.parametrize("broken", [lost, emptied])
def test_a_relay_goes_on_after_its_state_was_made_anew_from_the_lake(
    tmp_path: Path, broken: Callable[[Side], None]
) -> None:
    side = in_a_folder(tmp_path)
    broken(side)
    side.cell.at("T-1").one(put("later"))
    refused = drive(side, [STRIPE]).run()

    journals = restore_all(opened(side), Lent(ask=None))
    side.settle()

    wanted = rows_of_journal(journal(side, STRIPE), STRIPE, ALPHA)
    assert isinstance(refused.error, StateLost)
    assert journals == (1 if broken is lost else 0)
    assert rows_in(side.lake) == sorted((row.epoch, row.seq, row.index) for row in wanted)


def rows_in(table: DeltaLakeTable) -> list[tuple[int, int, int]]:
    with connect(table.url, f"{table.url}-lineage") as connection:
        found = connection.execute("SELECT epoch, seq, index FROM events ORDER BY ALL")
        return found.fetchall()
