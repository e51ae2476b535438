"""One flush of a shard, exactly once: intent, version, append, cursors.

1. Read the intent, then the cursors, then the journals behind them.
2. Open the table afresh: it must be where the last intent left it.
3. Write the intent: number n, and which entries it holds. It replaces the one that was read.
4. Append the rows as number n to the table as it was opened, which refuses a second n.
5. Write the cursors behind the ranges, and close the intent, in one write.

Whoever finds an open intent finishes that one first, with the same ranges, unless the table is at
n already. The table is opened before the intent is written, so that a state that was restored from
a backup is noticed while nothing depends on it. So a crash between any
two steps, a lost answer at any, and any number of relays on one shard end in one append for each n.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cell_core.domain.documents import Snapshot
from cell_lake.domain.limits import DEAD_MAX, RANGES_MAX
from cell_lake.domain.reading import Reading, Room
from cell_lake.domain.shards import Stripe
from cell_lake.domain.state import Intent, closed, cursor_key, read_cursor
from cell_lake.flows.intents import Flush, carry_out, finish, last_intent, opened
from cell_lake.flows.journal import read_new
from cell_lake.flows.steps import Commit, Flow, Read


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a flush did.

    Attributes:
        n: The append's number; 0 if there was nothing to append.
        resumed: Whether it finished an intent that somebody had left open.
        more: Stripes that have, or may have, more to publish.
        stuck: Stripes that cannot go on, and why in a word.
    """

    n: int = 0
    rows: int = 0
    entries: int = 0
    dead: int = 0
    resumed: bool = False
    more: tuple[Stripe, ...] = ()
    stuck: tuple[tuple[Stripe, str], ...] = ()


def publish(flush: Flush, stripes: Sequence[Stripe]) -> Flow[Published]:
    """Publish what is new in `stripes`, all of one shard, up to the limits.

    Raises:
        Conflict: Another relay was faster, or a journal was cut meanwhile; do it again.
        BackendError: The store or the lake failed; do it again later.
        StateLost: The shard's state and the table disagree; an operator must look.
    """
    held, last = yield from last_intent(flush)
    if held is not None and last.is_open:
        rows_left = yield from finish(flush, held, last)
        asked = dict.fromkeys([*stripes, *(part.stripe for part in last.ranges)])
        return Published(n=last.n, rows=rows_left, resumed=True, more=tuple(asked))
    now, later = tuple(stripes[:RANGES_MAX]), tuple(stripes[RANGES_MAX:])
    found: Snapshot = yield Read(flush.partition, tuple(cursor_key(stripe) for stripe in now))
    taken, unread = yield from _read_all(flush, now, found)
    ranges = tuple(r.range() for r in taken if r.entries or r.is_moved)
    rows = [row for reading in taken for row in reading.rows]
    if rows:
        handle = yield from opened(flush, held, last)
        wanted = Intent(n=last.n + 1, is_open=True, ranges=ranges)
        yield from carry_out(flush, held, handle, wanted, rows)
    elif ranges:
        # Only other cells' entries, or none: the cursors move, and nothing is appended.
        passed = Intent(n=last.n, is_open=False, ranges=ranges)
        yield Commit(closed(flush.shard, held, passed, found.documents))
    return Published(
        n=last.n + 1 if rows else 0,
        rows=len(rows),
        entries=sum(reading.entries for reading in taken),
        dead=sum(len(reading.dead) for reading in taken),
        more=(*(r.stripe for r in taken if r.is_full and not r.stuck), *unread, *later),
        stuck=tuple((r.stripe, r.stuck) for r in taken if r.stuck),
    )


def _read_all(
    flush: Flush, stripes: Sequence[Stripe], cursors: Snapshot
) -> Flow[tuple[list[Reading], Sequence[Stripe]]]:
    """Return what is new in `stripes` while there is room, and those not looked at."""
    room = Room(flush.limits.rows_max, flush.limits.bytes_max, DEAD_MAX)
    taken: list[Reading] = []
    for position, stripe in enumerate(stripes):
        if room.is_used_up:
            return taken, stripes[position:]
        begun = Reading(
            stripe=stripe,
            start=read_cursor(cursors.documents.get(cursor_key(stripe))),
            origin=flush.origin,
            now_ms=flush.now_ms,
            room=room,
        )
        reading = yield from read_new(begun, flush.limits)
        if reading is not None:
            taken.append(reading)
    return taken, ()
