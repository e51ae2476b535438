"""Read a stripe's journal: what is new behind a cursor, or a range for a second time.

Refuses to write. A journal may be cut back, dropped or copied in between any two reads.
"""

from dataclasses import replace

from cell_core.domain.documents import LOG, Page, log_key
from cell_lake.domain.limits import Limits
from cell_lake.domain.reading import JournalCut, Reading, Room, behind
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.domain.state import Range
from cell_lake.flows.realign import realign
from cell_lake.flows.steps import Flow, ReadPage


def read_new(reading: Reading, limits: Limits) -> Flow[Reading | None]:
    """Fill `reading` with what is behind its start, or return one that begins where that is now.

    Returns None if there is no journal now.

    Raises:
        JournalCut: It was cut back meanwhile; do it again.
    """
    cursor, size = reading.start, limits.page_entries
    # The entry at the cursor comes along: it tells whether the journal was cut back below it.
    page = yield from _page(reading.stripe, max(cursor.seq - 1, 0), size)
    try:
        reading.take(behind(cursor, page.documents))
    except JournalCut:
        start = yield from realign(reading.stripe, cursor)
        if start is None:
            return None
        reading = replace(reading, start=start, is_moved=True)
        page = yield from _page(reading.stripe, start.seq, size)
        reading.take(page.documents)
    while page.after is not None and not reading.is_full:
        if reading.entries >= limits.entries_max:
            reading.is_full = True
            break
        page = yield ReadPage(reading.stripe.partition, LOG, page.after, size)
        reading.take(page.documents)
    return reading


def read_again(part: Range, origin: Origin, now_ms: int, page_entries: int) -> Flow[list[Row]]:
    """Return the rows of a range; of one that was cut off meanwhile, what is left of it."""
    reading = Reading(
        stripe=part.stripe,
        start=part.start,
        origin=origin,
        now_ms=now_ms,
        room=Room(2**63, 2**63, 2**63),
        until=part.end,
        known={dead.seq: dead.epoch for dead in part.dead},
    )
    page = yield from _page(part.stripe, part.start.seq, page_entries)
    try:
        reading.take(page.documents)
        while page.after is not None and not reading.is_full and reading.end.seq < part.end.seq:
            page = yield ReadPage(part.stripe.partition, LOG, page.after, page_entries)
            reading.take(page.documents)
    except JournalCut:
        return []
    return reading.rows


def _page(stripe: Stripe, after_seq: int, limit: int) -> Flow[Page]:
    after = log_key(after_seq) if after_seq > 0 else None
    page: Page = yield ReadPage(stripe.partition, LOG, after, limit)
    return page
