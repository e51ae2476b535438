"""Write what of a journal the lake lacks, through the same intents as a relay.

For entries whose cursor is behind them and whose rows are gone, and for those of another cell that
will never publish them: it is gone, or was told to pass them by (`flows.pass_by`). Refuses entries
that a relay has yet to publish: they would be there twice.
The intent holds no ranges, so one that was cut off is ended empty, and this is done again.
"""

from collections.abc import Mapping
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
    flush: Flush, stripe: Stripe, others: Mapping[Origin, Cursor], after: int
) -> Flow[Backfilled]:
    """Look at the next entries behind seq `after`, of this cell and others; append what is missing.

    `others` are cells whose relays will never publish what is up to these places.

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
    rows = _rows(flush, stripe, {**others, flush.origin: cursor}, page, first)
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
    flush: Flush, stripe: Stripe, writers: Mapping[Origin, Cursor], page: Page, first: int
) -> list[Row]:
    rows: list[Row] = []
    for writer, until in writers.items():
        reading = Reading(
            stripe=stripe,
            start=Cursor(seq=first - 1, chain=""),
            origin=writer,
            now_ms=flush.now_ms,
            room=Room(2**63, 2**63, 2**63),
        )
        reading.take(page.documents)
        rows += [row for row in reading.rows if not until.is_before(row.epoch, row.seq)]
    return rows
