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
from typing import TYPE_CHECKING

from cell_core.domain.documents import LOG, Document, Page, Snapshot, log_key
from cell_core.domain.errors import LostRace
from cell_lake.domain.limits import DEAD_MAX, RANGES_MAX, Limits
from cell_lake.domain.reading import JournalCut, Reading, Room, behind
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Origin, Stripe, partition_of_shard
from cell_lake.domain.state import (
    INTENT,
    Cursor,
    Intent,
    Range,
    closed,
    cursor_key,
    keys_of,
    next_intent,
    read_cursor,
    read_intent,
)
from cell_lake.errors import StateLost
from cell_lake.flows.realign import realign
from cell_lake.flows.steps import Append, Commit, Flow, Open, Read, ReadPage

if TYPE_CHECKING:
    from cell_lake.ports import LakeHandle


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """One flush: of whom, when, and what it may take."""

    origin: Origin
    shard: int
    now_ms: int
    limits: Limits

    @property
    def application(self) -> str:
        """The name of the shard's appends."""
        return self.origin.application(self.shard)

    @property
    def partition(self) -> str:
        """Where the shard's state is."""
        return partition_of_shard(self.shard)


def publish(flush: Flush, stripes: Sequence[Stripe]) -> Flow[Published]:
    """Publish what is new in `stripes`, all of one shard, up to the limits.

    Raises:
        Conflict: Another relay was faster, or a journal was cut meanwhile; do it again.
        BackendError: The store or the lake failed; do it again later.
        StateLost: The shard's state and the table disagree; an operator must look.
    """
    held, intent = yield from _intent(flush)
    if held is not None and intent.is_open:
        return (yield from _resume(flush, held, intent, stripes))
    now, later = stripes[:RANGES_MAX], tuple(stripes[RANGES_MAX:])
    found: Snapshot = yield Read(flush.partition, tuple(cursor_key(stripe) for stripe in now))
    room = Room(flush.limits.rows_max, flush.limits.bytes_max, DEAD_MAX)
    taken: list[Reading] = []
    for position, stripe in enumerate(now):
        if room.is_used_up:
            later = (*now[position:], *later)
            break
        cursor = read_cursor(found.documents.get(cursor_key(stripe)))
        reading = yield from _read(flush, stripe, cursor, room)
        if reading is not None:
            taken.append(reading)
    ranges = tuple(reading.range() for reading in taken if reading.entries)
    rows = [row for reading in taken for row in reading.rows]
    if rows:
        yield from _write(flush, held, Intent(n=intent.n + 1, is_open=True, ranges=ranges), rows)
    elif ranges:
        # Only other cells' entries: the cursors pass them, and nothing is appended.
        passed = Intent(n=intent.n, is_open=False, ranges=ranges)
        yield Commit(closed(flush.shard, held, passed, found.documents))
    return Published(
        n=intent.n + 1 if rows else 0,
        rows=len(rows),
        entries=sum(reading.entries for reading in taken),
        dead=sum(len(reading.dead) for reading in taken),
        more=(*(r.stripe for r in taken if r.is_full and not r.stuck), *later),
        stuck=tuple((r.stripe, r.stuck) for r in taken if r.stuck),
    )


def _intent(flush: Flush) -> Flow[tuple[Document | None, Intent]]:
    """Return the shard's last intent, as it stands and as it was stored."""
    found: Snapshot = yield Read(flush.partition, (INTENT,))
    held = found.documents.get(INTENT)
    if held is not None:
        return held, read_intent(held)
    return None, Intent(n=0, is_open=False)


def _write(flush: Flush, held: Document | None, wanted: Intent, rows: Sequence[Row]) -> Flow[None]:
    """Write the intent `wanted` in place of `held`, and carry it out."""
    handle: "LakeHandle" = yield Open(flush.application)
    if handle.version != wanted.n - 1:
        yield from _disagree(flush, held, wanted.n - 1, handle.version)
    batch = next_intent(flush.shard, held, wanted)
    yield Commit(batch)
    yield Append(handle, wanted.n, rows)
    yield from _close(flush, batch.writes[0].document, wanted)


def _resume(
    flush: Flush, held: Document, intent: Intent, stripes: Sequence[Stripe]
) -> Flow[Published]:
    """Finish an intent that was left open; what was asked for is still to be done."""
    handle: "LakeHandle" = yield Open(flush.application)
    if handle.version not in (intent.n - 1, intent.n):
        yield from _disagree(flush, held, intent.n, handle.version)
    rows: list[Row] = []
    if handle.version < intent.n:
        for part in intent.ranges:
            rows += yield from _read_again(flush, part)
        yield Append(handle, intent.n, rows)
    yield from _close(flush, held, intent)
    more = dict.fromkeys([*stripes, *(part.stripe for part in intent.ranges)])
    return Published(n=intent.n, rows=len(rows), resumed=True, more=tuple(more))


def _disagree(flush: Flush, held: Document | None, n: int, version: int) -> Flow[None]:
    """Raise what it means that the table is at `version` while the intent that was read is `n`."""
    found: Snapshot = yield Read(flush.partition, (INTENT,))
    now = found.documents.get(INTENT)
    if (now.version if now else 0) != (held.version if held else 0):
        raise LostRace(shard=flush.shard)  # Others have finished it, and gone on.
    raise StateLost(shard=flush.shard, n=n, found=version)


def _close(flush: Flush, held: Document, intent: Intent) -> Flow[None]:
    found: Snapshot = yield Read(flush.partition, tuple(keys_of(intent.ranges)))
    yield Commit(closed(flush.shard, held, intent, found.documents))


def _read(flush: Flush, stripe: Stripe, cursor: Cursor, room: Room) -> Flow[Reading | None]:
    """Return what is new behind `cursor`; None if nothing is."""
    # The entry at the cursor comes along: it tells whether the journal was cut back below it.
    page = yield from _page(flush, stripe, max(cursor.seq - 1, 0))
    reading = _reading(flush, stripe, cursor, room)
    try:
        reading.take(behind(cursor, page.documents))
    except JournalCut:
        start = yield from realign(stripe, cursor)
        if start is None:
            return None
        reading = _reading(flush, stripe, start, room)
        page = yield from _page(flush, stripe, start.seq)
        reading.take(page.documents)
    while page.after is not None and not reading.is_full:
        if reading.entries >= flush.limits.entries_max:
            reading.is_full = True
            break
        page = yield ReadPage(stripe.partition, LOG, page.after, flush.limits.page_entries)
        reading.take(page.documents)
    return reading


def _read_again(flush: Flush, part: Range) -> Flow[list[Row]]:
    """Return the rows of a range; of one that was cut off meanwhile, what is left of it."""
    room = Room(2**63, 2**63, 2**63)
    reading = _reading(flush, part.stripe, part.start, room)
    reading.until = part.end.seq
    reading.known = {dead.seq: dead.epoch for dead in part.dead}
    page = yield from _page(flush, part.stripe, part.start.seq)
    try:
        reading.take(page.documents)
        while page.after is not None and not reading.is_full and reading.end.seq < part.end.seq:
            page = yield ReadPage(part.stripe.partition, LOG, page.after, flush.limits.page_entries)
            reading.take(page.documents)
    except JournalCut:
        return []
    return reading.rows


def _page(flush: Flush, stripe: Stripe, after_seq: int) -> Flow[Page]:
    after = log_key(after_seq) if after_seq > 0 else None
    page: Page = yield ReadPage(stripe.partition, LOG, after, flush.limits.page_entries)
    return page


def _reading(flush: Flush, stripe: Stripe, start: Cursor, room: Room) -> Reading:
    return Reading(stripe=stripe, start=start, origin=flush.origin, now_ms=flush.now_ms, room=room)
