"""Write what of a journal the lake lacks, through the same intents as a relay.

For entries whose cursor is behind them and whose rows are gone, and for those of a cell that is
gone with its relay. Refuses entries that a relay has yet to publish: they would be there twice.
The intent holds no ranges, so one that was cut off is ended empty, and this is done again.
"""

from collections.abc import Collection
from dataclasses import dataclass

from cell_core.domain.documents import LOG, Page, Snapshot, log_key
from cell_lake.domain.reading import Reading, Room
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.domain.state import Cursor, Intent, cursor_key, read_cursor
from cell_lake.flows.intents import Flush, carry_out, finish, last_intent, opened
from cell_lake.flows.steps import Flow, Held, Read, ReadPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """What one step of a backfill did.

    Attributes:
        after: The seq behind which the next step goes on; None at the end of the journal.
    """

    looked_at: int
    rows: int
    after: int | None


def backfill(
    flush: Flush, stripe: Stripe, writers: Collection[Origin], after: int
) -> Flow[Backfilled]:
    """Look at the next entries behind seq `after`, of `writers`, and append what is missing.

    `writers` are this cell, and cells whose relays will never run again with the state they have.

    Raises:
        Conflict: Another one wrote; do this step again.
        BackendError, StateLost: As `publish`.
    """
    held, intent = yield from last_intent(flush)
    if held is not None and intent.is_open:
        yield from finish(flush, held, intent)
        return Backfilled(looked_at=0, rows=0, after=after)
    found: Snapshot = yield Read(flush.partition, (cursor_key(stripe),))
    cursor = read_cursor(found.documents.get(cursor_key(stripe)))
    start = log_key(after) if after > 0 else None
    page: Page = yield ReadPage(stripe.partition, LOG, start, flush.limits.page_entries)
    if not page.documents:
        return Backfilled(looked_at=0, rows=0, after=None)
    first, last = (int(page.documents[at].key.removeprefix(LOG)) for at in (0, -1))
    rows = _rows(flush, stripe, writers, cursor, page, first)
    handle = yield from opened(flush, held, intent)
    there: set[tuple[int, int, int]] = yield Held(handle, stripe, first, last)
    missing = [row for row in rows if (row.epoch, row.seq, row.index) not in there]
    if missing:
        wanted = Intent(n=intent.n + 1, is_open=True)
        yield from carry_out(flush, held, handle, wanted, missing)
    return Backfilled(
        looked_at=len(page.documents),
        rows=len(missing),
        after=None if page.after is None else last,
    )


def _rows(
    flush: Flush,
    stripe: Stripe,
    writers: Collection[Origin],
    cursor: Cursor,
    page: Page,
    first: int,
) -> list[Row]:
    rows: list[Row] = []
    for writer in writers:
        reading = Reading(
            stripe=stripe,
            start=Cursor(seq=first - 1, chain=""),
            origin=writer,
            now_ms=flush.now_ms,
            room=Room(2**63, 2**63, 2**63),
        )
        reading.take(page.documents)
        ours = writer.ordinal == flush.origin.ordinal
        rows += [row for row in reading.rows if not (ours and cursor.is_before(row.epoch, row.seq))]
    return rows
