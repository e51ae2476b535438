"""Triggers that come twice, late, in any order or never; a lake that is down; rows that wait."""

import random
from collections.abc import Sequence

import pytest

from cell_core.domain.documents import Batch, Page, Snapshot
from cell_core.domain.errors import CellError, OutcomeUnknown, Unavailable
from cell_lake.domain.limits import Limits
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Stripe
from cell_lake.errors import LakeConflict, LakeOutcomeUnknown, LakeSchemaDiffers, LakeUnavailable
from cell_lake.ports import LakeHandle
from cell_lake.table_memory import MemoryLakeTable
from tests.contract.cell_samples import EPOCH, Clock, put, stream_in
from tests.lake.bench import (
    ALPHA,
    NEVER_MS,
    Side,
    check_once,
    journal,
    rows_of_journal,
    tenants_of_shard,
    written,
)

DAY_MS = 86_400_000
RUN_MS, SLOW_MS = 45_000, 20_000


class Flaky(MemoryLakeTable):
    """A lake that fails as it is told to, before or after it wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.opening: list[CellError | None] = []
        self.appending: list[CellError | None] = []
        self.down: CellError | None = None

    def open(self, application: str) -> LakeHandle:
        error = self.opening.pop(0) if self.opening else self.down
        if error is not None:
            raise error
        return _FlakyHandle(self, super().open(application))


class _FlakyHandle:
    def __init__(self, lake: Flaky, inner: LakeHandle) -> None:
        self._lake, self._inner = lake, inner

    @property
    def version(self) -> int:
        return self._inner.version

    def append(self, n: int, rows: Sequence[Row]) -> None:
        error = self._lake.appending.pop(0) if self._lake.appending else None
        if error is None or isinstance(error, OutcomeUnknown):
            self._inner.append(n, rows)
        if error is not None:
            raise error


def all_rows(side: Side, stripes: Sequence[Stripe]) -> list[Row]:
    return [row for s in stripes for row in rows_of_journal(journal(side, s), s, ALPHA)]


def test_triggers_in_any_order_twice_and_dropped_publish_each_entry_once() -> None:
    side = Side(MemoryLakeTable(), limits=Limits(rows_max=7))
    chance = random.Random(5)
    relays = [side.relay(), side.relay()]
    stripes = [written(side, f"T-{number}", 1) for number in range(6)]
    for turn in range(60):
        tenant = f"T-{chance.randrange(6)}"
        side.cell.at(tenant).one(put(f"r-{turn}"))
        entries = side.cell.at(tenant).journal()[-3:]
        chance.shuffle(entries)
        if chance.random() < 0.7:
            relays[turn % 2].wake(entries * 2)
        if chance.random() < 0.3:
            relays[turn % 2].flush_all(NEVER_MS)

    side.settle(relays[0])

    check_once(side.lake, all_rows(side, stripes))


def test_a_stripe_whose_triggers_were_all_dropped_is_found_by_a_sweep() -> None:
    side = Side(MemoryLakeTable())
    stripes = [written(side, f"T-{number}", 2) for number in range(7)]
    relay = side.relay()

    swept = [relay.sweep(tenants_max=3) for _ in range(3)]
    relay.flush_all(NEVER_MS)

    assert [len(found.behind) for found in swept] == [3, 3, 1]
    assert [found.after is None for found in swept] == [False, False, True]
    assert sum(found.entries for found in swept) == 14
    check_once(side.lake, all_rows(side, stripes))


def test_every_stripe_of_a_tenant_is_woken_and_swept() -> None:
    side = Side(MemoryLakeTable())
    home = side.cell.provision("T-1", stripes=3)
    for number in range(3):
        home.one(put("a", stream=stream_in(number, 3)))
    relay = side.relay()

    relay.wake(side.cell.at("T-1", 2).journal())
    relay.flush_all(NEVER_MS)
    woken = {row.stripe for row in side.lake.rows}
    side.settle(relay)

    assert woken == {2}
    assert {row.stripe for row in side.lake.rows} == {0, 1, 2}


def test_entries_of_another_cell_wake_nothing() -> None:
    side = Side(MemoryLakeTable())
    other = Side(MemoryLakeTable())
    stripe = written(other, "T-1", 2)
    entries = journal(other, stripe)
    side.origin = ALPHA.__class__(cell="x", ordinal=5, cloud="aws")
    relay = side.relay()

    relay.wake(entries)

    assert len(relay.dirty) == 0
    assert entries[0].epoch == EPOCH


def test_rows_wait_five_seconds_for_more_or_until_there_are_a_thousand() -> None:
    side = Side(MemoryLakeTable(), limits=Limits(rows_max=4, wait_ms=5000))
    stripe = written(side, "T-1", 3)
    relay = side.relay()

    relay.wake(journal(side, stripe))
    early = relay.flush_due(NEVER_MS)
    side.clock.time_ms += 5000
    due = relay.flush_due(NEVER_MS)
    relay.wake(journal(side, stripe) * 2)
    full = relay.dirty.due(side.clock.now_ms())

    assert (early.rows, due.rows) == (0, 4)
    assert full == [stripe.shard]


def test_a_lake_that_is_down_for_a_week_loses_nothing_and_lag_recovers() -> None:
    lake = Flaky()
    side = Side(lake)
    relay = side.relay()
    stripes = [written(side, f"T-{number}", 2) for number in range(3)]
    lake.down = LakeUnavailable("open")
    failures = 0

    for day in range(7):
        side.cell.at("T-1").one(put(f"r-{day}"))
        relay.sweep()
        failures += len(relay.flush_all(NEVER_MS).failed)
        side.clock.time_ms += DAY_MS
    lake.down = None
    behind = relay.sweep().entries
    relay.flush_all(NEVER_MS)

    assert failures >= 7
    assert behind == 6 + 7
    assert relay.sweep().entries == 0
    check_once(lake, all_rows(side, stripes))


@pytest.mark.parametrize(
    "error",
    [LakeConflict(), LakeUnavailable("append"), LakeOutcomeUnknown("append")],
    ids=["a conflict", "unavailable", "unknown"],
)
@pytest.mark.parametrize("times", [1, 2, 4])
def test_an_append_that_fails_some_times_is_done_once(error: CellError, times: int) -> None:
    lake = Flaky()
    side = Side(lake)
    stripe = written(side, "T-1", 3)
    lake.appending = [error] * times

    side.settle()

    check_once(lake, all_rows(side, [stripe]))
    assert lake.versions == {f"aws-alpha/{stripe.shard}": 1}


def test_a_shard_that_fails_holds_up_no_other_one_and_is_let_alone_longer_each_time() -> None:
    lake = Flaky()
    side = Side(lake)
    one, other = (written(side, tenants_of_shard(shard, 1)[0], 2) for shard in (1, 2))
    relay = side.relay()
    relay.dirty.mark(one, side.clock.now_ms())
    relay.dirty.mark(other, side.clock.now_ms() + 1)
    lake.opening = [LakeUnavailable("open")]

    report = relay.flush_all(NEVER_MS)
    early = relay.flush_all(NEVER_MS)
    side.clock.time_ms += 1000
    late = relay.flush_all(NEVER_MS)

    assert (report.failed, report.appends) == ({1: "lake_unavailable"}, 1)
    assert (early.appends, early.failed) == (0, {})
    assert late.appends == 1


def test_a_table_with_other_columns_stops_the_shard_for_an_operator() -> None:
    lake = Flaky()
    side = Side(lake)
    written(side, "T-1", 2)
    lake.down = LakeSchemaDiffers()
    relay = side.relay()
    relay.sweep()

    report = relay.flush_all(NEVER_MS)
    side.clock.time_ms += 59_000
    early = relay.flush_all(NEVER_MS)

    assert set(report.failed.values()) == {"lake_schema_differs"}
    assert early.failed == {}


def test_a_run_ends_at_its_deadline_and_keeps_what_is_left() -> None:
    side = Side(MemoryLakeTable())
    written(side, "T-1", 2)
    relay = side.relay()
    relay.sweep()

    report = relay.flush_all(side.clock.now_ms())

    assert (report.appends, len(relay.dirty)) == (0, 1)


class Slow(MemoryLakeTable):
    """A lake in a store that takes its time for each call."""

    def __init__(self) -> None:
        super().__init__()
        self.clock: Clock | None = None

    def open(self, application: str) -> LakeHandle:
        if self.clock is not None:
            self.clock.time_ms += SLOW_MS
        return super().open(application)


def test_a_slow_lake_ends_runs_in_time_and_is_caught_up_with_by_the_next_ones() -> None:
    lake = Slow()
    side = Side(lake)
    stripes = [written(side, tenants_of_shard(shard, 1)[0], 3) for shard in range(10)]
    lake.clock = side.clock
    relay, runs = side.relay(), []

    for _ in range(5):
        began_ms = side.clock.now_ms()
        relay.sweep()
        report = relay.flush_all(began_ms + RUN_MS)
        runs.append((report.appends, side.clock.now_ms() - began_ms))

    assert [appends for appends, _ in runs] == [3, 3, 3, 1, 0]
    assert max(took_ms for _, took_ms in runs) < RUN_MS + SLOW_MS
    check_once(lake, all_rows(side, stripes))


class Unread:
    """A store that cannot be read."""

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        raise Unavailable("read")

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        raise Unavailable("page")

    def commit(self, batch: Batch) -> None:
        raise Unavailable("commit")

    def ping(self) -> None:
        raise Unavailable("ping")


def test_a_trigger_while_the_store_is_down_fails_so_that_it_is_given_again() -> None:
    side = Side(MemoryLakeTable())
    stripe = written(side, "T-1", 1)
    relay = side.relay(store=Unread())

    with pytest.raises(Unavailable):
        relay.wake(journal(side, stripe))
    with pytest.raises(Unavailable):
        relay.sweep()
