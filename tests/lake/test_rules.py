"""Small rules of a relay: what is behind, what waits for what, which dates are due."""

import pytest

from cell_core.domain.fence import GENESIS, Fence, Role
from cell_lake.domain.dirty import STRIPES_MAX, DirtySet
from cell_lake.domain.housekeeping import DateFiles, dates_due
from cell_lake.domain.shards import SHARDS, Stripe
from cell_lake.domain.state import Cursor


@pytest.mark.parametrize(
    ("cursor", "is_at"),
    [
        (Cursor(seq=5, chain="c"), True),
        (Cursor(seq=5, chain=""), True),  # The last one could not be read.
        (Cursor(seq=5, chain="d"), False),
        (Cursor(seq=4, chain="c"), False),
        (Cursor(seq=6, chain="c"), False),  # Cut back below it.
    ],
)
def test_a_stripe_is_behind_unless_its_cursor_is_at_its_fence(
    cursor: Cursor, is_at: object
) -> None:
    fence = Fence(role=Role.ACTIVE, epoch=17, seq=5, chain="c")

    assert cursor.is_at(fence) is is_at


def test_a_new_stripe_is_not_behind() -> None:
    assert Cursor().is_at(Fence(role=Role.ACTIVE, epoch=17, chain=GENESIS))


def test_shards_are_stable_and_all_used() -> None:
    found = [Stripe(f"T-{number}", number % 3).shard for number in range(200)]

    assert set(found) == set(range(SHARDS))
    assert [Stripe("T-1", 0).shard, Stripe("T-1", 1).shard, Stripe("acme", 0).shard] == [1, 7, 4]


def test_a_full_set_forgets_what_comes_and_counts_it() -> None:
    dirty = DirtySet(wait_ms=5, entries_max=10)

    for number in range(STRIPES_MAX + 7):
        dirty.mark(Stripe(f"T-{number}", 0), 0)

    assert (len(dirty), dirty.dropped) == (STRIPES_MAX, 7)


def test_the_shard_that_was_marked_first_is_due_first() -> None:
    dirty = DirtySet(wait_ms=5000, entries_max=100)
    stripes = {Stripe(f"T-{number}", 0).shard: Stripe(f"T-{number}", 0) for number in range(100)}
    for at_ms, shard in enumerate((9, 2, 5)):
        dirty.mark(stripes[shard], at_ms)

    due = [dirty.due(now_ms) for now_ms in (4999, 5000, 5002)]

    assert due == [[], [9], [9, 2, 5]]


def test_pauses_double_up_to_thirty_seconds_and_end_with_a_success() -> None:
    dirty = DirtySet(wait_ms=0, entries_max=1)
    stripe = Stripe("T-1", 0)
    dirty.mark(stripe, 0)
    pauses = []
    now_ms = 0
    for _ in range(12):
        dirty.fail(stripe.shard, now_ms)
        began_ms = now_ms
        while not dirty.marked(now_ms):
            now_ms += 100
        pauses.append(now_ms - began_ms)

    dirty.settle(stripe.shard, [stripe], now_ms)

    assert pauses[:4] == [200, 400, 800, 1600]
    assert pauses[-1] == 30_000
    assert dirty.marked(now_ms) == [stripe.shard]


def test_what_has_more_to_come_is_due_at_once() -> None:
    dirty = DirtySet(wait_ms=5000, entries_max=10)
    stripe = Stripe("T-1", 0)
    dirty.mark(stripe, 0)

    dirty.settle(stripe.shard, [stripe], 6000)
    more = dirty.due(6000)
    dirty.settle(stripe.shard, [], 6000)

    assert (more, dirty.due(20_000), len(dirty)) == ([stripe.shard], [], 0)


def test_closed_dates_with_two_small_files_and_a_live_one_with_sixty_are_due() -> None:
    dates = [
        DateFiles(date="2026-01-03", files=70, small=59),
        DateFiles(date="2026-01-02", files=5, small=1),
        DateFiles(date="2026-01-01", files=2, small=2),
    ]

    assert dates_due(dates, "2026-01-03") == ["2026-01-01"]
    assert dates_due([DateFiles(date="2026-01-03", files=60, small=60)], "2026-01-03") == [
        "2026-01-03"
    ]
